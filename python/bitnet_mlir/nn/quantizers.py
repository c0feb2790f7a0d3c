# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The quantisers of the BitNet papers, each in floats: what it gives is what the
integers stand for. Gradients pass straight through."""

from __future__ import annotations

import torch
from torch import Tensor


def _straight_through(value: Tensor, quantized: Tensor) -> Tensor:
    """`quantized`, with the gradient of `value`."""
    if not (torch.is_grad_enabled() and value.requires_grad):
        return quantized
    return value + (quantized - value).detach()


def _weight_parts(weight: Tensor, groups: int, group_size: int | None) -> Tensor:
    """[parts, elements that share a scale]"""
    if group_size is not None:
        if groups != 1:
            raise ValueError("groups of rows and groups of inputs exclude each other")
        if weight.shape[1] % group_size:
            raise ValueError(f"{weight.shape[1]} inputs do not divide into groups of {group_size}")
        return weight.reshape(-1, group_size)
    if weight.shape[0] % groups:
        raise ValueError(f"{weight.shape[0]} outputs do not divide into {groups} groups")
    return weight.reshape(groups, -1)


def ternarize(weight: Tensor, *, groups: int = 1, group_size: int | None = None, eps: float = 1e-5) -> Tensor:
    """BitNet b1.58's weights: {-1, 0, 1} times the mean magnitude (absmean).

    Args:
        weight: float [outputs, inputs].
        groups: parts of the outputs with a scale each.
        group_size: inputs that share a scale, in each output.
        eps: the least scale.

    Returns:
        A tensor like `weight`.

    Raises:
        ValueError: the sizes do not divide into the groups.
    """
    parts = _weight_parts(weight, groups, group_size)
    scale = 1.0 / parts.abs().mean(dim=1, keepdim=True).clamp(min=eps)
    quantized = ((parts * scale).round().clamp(-1, 1) / scale).reshape(weight.shape)
    return _straight_through(weight, quantized)


def binarize(weight: Tensor, *, groups: int = 1, group_size: int | None = None) -> Tensor:
    """BitNet b1's weights: sign(W - mean(W)) times the mean magnitude. 0 counts as
    negative.

    Args, Returns, Raises: as `ternarize`.
    """
    parts = _weight_parts(weight, groups, group_size)
    alpha, beta = parts.mean(dim=1, keepdim=True), parts.abs().mean(dim=1, keepdim=True)
    quantized = torch.where(parts > alpha, beta, -beta).reshape(weight.shape)
    return _straight_through(weight, quantized)


def _activation_parts(value: Tensor, groups: int) -> Tensor:
    """[..., groups, channels]; the same tensor where there is one group."""
    if groups == 1:
        return value
    if value.shape[-1] % groups:
        raise ValueError(f"{value.shape[-1]} channels do not divide into {groups} groups")
    return value.reshape(*value.shape[:-1], groups, value.shape[-1] // groups)


def _largest(parts: Tensor, per_token: bool, groups: int) -> Tensor:
    if per_token:
        return parts.amax(dim=-1, keepdim=True)
    if groups == 1:
        return parts.max()
    return parts.amax(dim=[*range(parts.ndim - 2), parts.ndim - 1], keepdim=True)


def quantize_absmax(value: Tensor, *, bound: int = 127, per_token: bool = True, groups: int = 1, eps: float = 1e-5) -> Tensor:
    """Activations as int8: round(x * Qb / max|x|), within [-128, 127].

    Args:
        value: float [..., channels].
        bound: Qb; b1.58 has 127, b1 has 128.
        per_token: a scale for each position, else one for the tensor.
        groups: parts of the channels with a scale each.
        eps: the least magnitude.

    Returns:
        A tensor like `value`.

    Raises:
        ValueError: the channels do not divide into the groups.
    """
    parts = _activation_parts(value, groups)
    scale = bound / _largest(parts.abs(), per_token, groups).clamp(min=eps)
    quantized = (parts * scale).round().clamp(-128, 127) / scale
    return _straight_through(value, quantized.reshape(value.shape) if groups > 1 else quantized)


def quantize_zero_point(value: Tensor, *, bound: int = 127, per_token: bool = True, groups: int = 1, eps: float = 1e-5) -> Tensor:
    """Activations as 0 to Qb, where 0 stands for the least: BitNet b1's before a
    non-linearity. The range is that of x - min x, so that nothing is cut off.

    Args, Returns, Raises: as `quantize_absmax`.
    """
    parts = _activation_parts(value, groups)
    least = -_largest(-parts, per_token, groups)
    shifted = parts - least
    scale = bound / _largest(shifted, per_token, groups).clamp(min=eps)
    quantized = (shifted * scale).round().clamp(0, bound) / scale + least
    return _straight_through(value, quantized.reshape(value.shape) if groups > 1 else quantized)
