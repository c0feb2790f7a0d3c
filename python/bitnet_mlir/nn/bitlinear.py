# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""BitLinear."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .quantizers import binarize, quantize_absmax, quantize_zero_point, ternarize

KINDS = ("b1.58", "b1")


class BitLinear(nn.Linear):
    """A linear layer with low-bit weights and int8 activations, trained on float
    master weights with a straight-through estimator. Its parameters are those of
    nn.Linear, in whose place it stands.

        b1.58: ternary weights (absmean), activations of each token by absmax, Qb 127
        b1: binary weights sign(W - mean W) times mean|W|, LayerNorm before the
            quantiser (SubLN), Qb 128, activations by tensor in training and by token
            in evaluation

    Args:
        in_features, out_features, bias, device, dtype: as nn.Linear.
        kind: `b1.58` or `b1`.
        norm: `layer`, `rms` or None, without parameters, before the quantiser;
            `auto` is layer for b1, None for b1.58.
        activation: one scale for each `token` or for the `tensor`; `auto` is as
            above; None leaves activations as they are.
        bound: Qb, the largest integer; None is as above.
        zero_point: quantise from the least activation up (for a layer behind or
            before a non-linearity in b1).
        groups: parts of the outputs with weight scales of their own, as the parts
            of a model on several devices.
        group_size: inputs that share a weight scale, in each output.
        activation_groups: parts of the channels with scales of their own.

    Shapes: float [..., in_features] to [..., out_features].

    Raises:
        ValueError: an option is not one of these, or the sizes do not divide into
            groups.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        kind: str = "b1.58",
        norm: str | None = "auto",
        activation: str | None = "auto",
        bound: int | None = None,
        zero_point: bool = False,
        groups: int = 1,
        group_size: int | None = None,
        activation_groups: int = 1,
    ):
        super().__init__(in_features, out_features, bias, device, dtype)
        self._check("kind", kind, KINDS)
        self._check("norm", norm, ("auto", "layer", "rms", None))
        self._check("activation", activation, ("auto", "token", "tensor", None))
        if bound is not None and not 1 <= bound <= 128:
            raise ValueError(f"bound is 1 to 128, got {bound}")
        if groups < 1 or activation_groups < 1 or (group_size is not None and group_size < 1):
            raise ValueError("groups are 1 or more")
        if groups > 1 and group_size is not None:
            raise ValueError("groups of outputs and groups of inputs exclude each other")
        for size, parts, what in (
            (out_features, groups, "outputs"),
            (in_features, activation_groups, "inputs"),
            (in_features, group_size or 1, "inputs"),
        ):
            if size % parts:
                raise ValueError(f"{size} {what} do not divide by {parts}")
        self.kind = kind
        self.norm = ("layer" if kind == "b1" else None) if norm == "auto" else norm
        self.activation = ("auto" if kind == "b1" else "token") if activation == "auto" else activation
        self.bound = bound if bound is not None else (128 if kind == "b1" else 127)
        self.zero_point, self.groups, self.group_size, self.activation_groups = zero_point, groups, group_size, activation_groups

    @staticmethod
    def _check(name: str, value: Any, allowed: tuple) -> None:
        if value not in allowed:
            raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}, got {value!r}")

    @classmethod
    def from_linear(cls, linear: nn.Linear, **options: Any) -> BitLinear:
        """A BitLinear with the parameters, shared, of a linear layer."""
        with torch.device("meta"):
            layer = cls(linear.in_features, linear.out_features, linear.bias is not None, **options)
        layer.weight, layer.bias = linear.weight, linear.bias
        return layer.train(linear.training)

    def quantized_weight(self) -> Tensor:
        """The low-bit matrix [out_features, in_features], in floats."""
        quantize = ternarize if self.kind == "b1.58" else binarize
        return quantize(self.weight, groups=self.groups, group_size=self.group_size)

    def quantize_input(self, x: Tensor) -> Tensor:
        """The normalised and quantised input, in floats."""
        if self.norm == "layer":
            x = F.layer_norm(x, (self.in_features,))
        elif self.norm == "rms":
            x = F.rms_norm(x, (self.in_features,), eps=1e-5)
        if self.activation is None:
            return x
        per_token = not self.training if self.activation == "auto" else self.activation == "token"
        quantize = quantize_zero_point if self.zero_point else quantize_absmax
        return quantize(x, bound=self.bound, per_token=per_token, groups=self.activation_groups)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(self.quantize_input(input), self.quantized_weight(), self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, kind={self.kind}"
