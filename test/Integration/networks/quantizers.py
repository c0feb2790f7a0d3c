# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Low-bit linear layers in the ways that people write them in PyTorch."""

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass(frozen=True)
class Linear:
    """How a low-bit linear layer is written.

    weights      ternary (absmean) or binary (sign of the centred weight)
    storage      constant: values {-s, 0, s} baked in; scaled: {-1, 0, 1} and a
                 scale applied to the result; online: quantised in the graph
                 from float master weights
    granularity  of the weight scale: tensor, row, or group of `group` columns
    activation   token or tensor (absmax), or none (weight-only)
    bound        Qb: 127 or 128
    clipped      to +-(Qb - eps) as the b1 paper has it, not to [-128, 127]
    reciprocal   Qb * (1 / absmax), as `Qb / tensor` exports, or x * Qb / absmax
    integer      the integers enter the product and one factor rescales the
                 result, or dequantised activations enter it
    through      a straight-through estimator's x + (q(x) - x)
    """

    weights: str = "ternary"
    storage: str = "scaled"
    granularity: str = "tensor"
    group: int = 8
    activation: str = "token"
    bound: int = 127
    clipped: bool = False
    reciprocal: bool = True
    integer: bool = False
    through: bool = False
    bias: bool = False


EPSILON = 1e-5


def absmean(weight, how):
    """The scale of each weight, of a shape that broadcasts against `weight`
    (against its groups, where there are groups)."""
    magnitude = weight.abs()
    if how.granularity == "row" or how.granularity == "group":
        return magnitude.mean(dim=-1, keepdim=True).clamp(min=EPSILON)
    return magnitude.mean().clamp(min=EPSILON)


def low_bits(weight, scale, how):
    """The weights in {-1, 0, 1} or {-1, 1}."""
    if how.weights == "binary":
        return torch.sign(weight - weight.mean())
    return (weight * (1.0 / scale)).round().clamp(-1, 1)


def straight_through(value, quantised, how):
    return value + (quantised - value).detach() if how.through else quantised


class BitLinear(nn.Module):
    def __init__(self, columns, rows, how):
        super().__init__()
        self.how = how
        weight = torch.randn(rows, columns) / columns**0.5
        if how.granularity == "row":
            # Rows of unlike magnitude, so that mixing their scales up shows.
            weight = weight * torch.linspace(0.5, 2.0, rows)[:, None]
        grouped = weight.reshape(rows, -1, how.group) if how.granularity == "group" else weight
        self.bias = nn.Parameter(torch.randn(rows) * 0.1) if how.bias else None
        scale = absmean(grouped, how)
        bits = low_bits(grouped, scale, how)
        if how.weights == "binary":
            # An exported Sign gives 0 for 0; here every weight is +-1.
            bits = torch.where(bits == 0, torch.ones_like(bits), bits)
        if how.storage == "online":
            self.weight = nn.Parameter(weight)
        elif how.storage == "constant":
            self.weight = nn.Parameter((bits * scale).reshape(rows, columns))
        else:
            assert how.granularity != "group", "a group's scale cannot follow the product"
            self.weight = nn.Parameter(bits)
            self.register_buffer("scale", scale.reshape(-1))

    def effective_weight(self):
        """The matrix of the product, and the factor that belongs after it."""
        if self.how.storage == "constant":
            return self.weight, None
        if self.how.storage == "scaled":
            return self.weight, self.scale
        scale = absmean(self.weight, self.how)
        bits = low_bits(self.weight, scale, self.how)
        if self.how.weights == "binary":
            return bits, scale
        return straight_through(self.weight, bits / (1.0 / scale), self.how), None

    def quantise(self, x):
        """Integers, and the factor that takes them back to x."""
        how = self.how
        largest = x.abs().amax(dim=-1, keepdim=True) if how.activation == "token" else x.abs().max()
        largest = largest.clamp(min=EPSILON)
        low, high = -128, 127
        if how.clipped:
            low, high = -(how.bound - EPSILON), how.bound - EPSILON
        scaled = x * (how.bound / largest) if how.reciprocal else x * how.bound / largest
        return scaled.round().clamp(low, high), largest

    def forward(self, x):
        weight, factor = self.effective_weight()
        largest = None
        if self.how.activation != "none":
            integers, largest = self.quantise(x)
            if self.how.integer:
                x = integers
            else:
                x = straight_through(x, integers / (self.how.bound / largest), self.how)
                largest = None
        y = F.linear(x, weight)
        if largest is not None:
            rescale = largest / self.how.bound
            y = y * (rescale if factor is None else factor * rescale)
        elif factor is not None:
            y = y * factor
        return y if self.bias is None else y + self.bias
