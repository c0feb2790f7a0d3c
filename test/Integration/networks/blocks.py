# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks made of low-bit linear layers: feed-forward, encoder and decoder."""

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn

from quantizers import BitLinear, Linear


class HandwrittenRMSNorm(nn.Module):
    """The spelling of most checkpoints' model code."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(1 + 0.1 * torch.randn(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class PlainLayerNorm(nn.Module):
    """SubLN of the b1 paper: no weight, no bias."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        return F.layer_norm(x, (self.width,))


def affine_layer_norm(width):
    norm = nn.LayerNorm(width)
    nn.init.normal_(norm.weight, 1, 0.1)
    nn.init.normal_(norm.bias, 0, 0.1)
    return norm


NORMS = {
    "rms": HandwrittenRMSNorm,
    "torch-rms": lambda width: nn.RMSNorm(width, eps=1e-6),
    "layer": affine_layer_norm,
    "plain-layer": PlainLayerNorm,
    "none": lambda width: nn.Identity(),
}

ACTIVATIONS = {
    "relu2": lambda x: F.relu(x) ** 2,
    "relu2-product": lambda x: F.relu(x) * F.relu(x),
    "relu": F.relu,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
}


@dataclasses.dataclass(frozen=True)
class Network:
    """The shape of a network."""

    width: int = 64
    hidden: int = 96
    layers: int = 2
    heads: int = 4
    key_heads: int = 2
    head_size: int = 16
    vocabulary: int = 97
    norm: str = "rms"
    sub_norm: str = "rms"
    activation: str = "relu2"
    gated: bool = True
    rotary: bool = True
    causal: bool = True
    linear: Linear = Linear()


class FeedForward(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.activation = ACTIVATIONS[shape.activation]
        self.norm = NORMS[shape.norm](shape.width)
        self.sub_norm = NORMS[shape.sub_norm](shape.hidden)
        self.gate = BitLinear(shape.width, shape.hidden, shape.linear) if shape.gated else None
        self.up = BitLinear(shape.width, shape.hidden, shape.linear)
        self.down = BitLinear(shape.hidden, shape.width, shape.linear)

    def forward(self, x):
        y = self.norm(x)
        if self.gate is None:
            y = self.activation(self.up(y))
        else:
            y = self.activation(self.gate(y)) * self.up(y)
        return x + self.down(self.sub_norm(y))


class Extremes(nn.Module):
    """One long layer of rows whose sums are as large as they can be: an
    accumulator of 16 bits, or a correction that is off by one, shows here."""

    def __init__(self, columns, how):
        super().__init__()
        self.linear = BitLinear(columns, 7, how)
        alternating = torch.ones(columns)
        alternating[1::2] = -1
        with torch.no_grad():
            self.linear.weight[0] = 1
            self.linear.weight[1] = -1
            self.linear.weight[2] = alternating
            self.linear.weight[3] = 0 if how.weights == "ternary" else -alternating

    def forward(self, x):
        return self.linear(x)


class Perceptron(nn.Module):
    """Feed-forward blocks alone: float activations in and out."""

    def __init__(self, shape):
        super().__init__()
        self.blocks = nn.ModuleList(FeedForward(shape) for _ in range(shape.layers))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def rotate(x, angles):
    """Rotary embedding in the half-split form."""
    left, right = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat((-right, left), dim=-1) * angles.sin()


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.norm = NORMS[shape.norm](shape.width)
        self.sub_norm = NORMS[shape.sub_norm](shape.heads * shape.head_size)
        self.query = BitLinear(shape.width, shape.heads * shape.head_size, shape.linear)
        self.key = BitLinear(shape.width, shape.key_heads * shape.head_size, shape.linear)
        self.value = BitLinear(shape.width, shape.key_heads * shape.head_size, shape.linear)
        self.output = BitLinear(shape.heads * shape.head_size, shape.width, shape.linear)

    def split(self, x, heads):
        return x.view(x.shape[0], x.shape[1], heads, self.shape.head_size).transpose(1, 2)

    def forward(self, x, angles, mask, past):
        shape, y = self.shape, self.norm(x)
        query = self.split(self.query(y), shape.heads)
        key = self.split(self.key(y), shape.key_heads)
        value = self.split(self.value(y), shape.key_heads)
        if angles is not None:
            query, key = rotate(query, angles), rotate(key, angles)
        if past is not None:
            key, value = torch.cat((past[0], key), dim=2), torch.cat((past[1], value), dim=2)
        present = (key, value)
        groups = shape.heads // shape.key_heads
        if groups > 1:
            key = key.repeat_interleave(groups, dim=1)
            value = value.repeat_interleave(groups, dim=1)
        scores = query @ key.transpose(2, 3) * shape.head_size**-0.5
        if mask is not None:
            scores = scores + mask
        mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2)
        mixed = mixed.reshape(x.shape[0], x.shape[1], shape.heads * shape.head_size)
        return x + self.output(self.sub_norm(mixed)), present


class Transformer(nn.Module):
    """Tokens to logits: a decoder (causal) or an encoder. With a cache, inputs
    and outputs are those of Hugging Face's exports, less the attention mask."""

    def __init__(self, shape, cached):
        super().__init__()
        self.shape, self.cached = shape, cached
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.attention = nn.ModuleList(Attention(shape) for _ in range(shape.layers))
        self.feed_forward = nn.ModuleList(FeedForward(shape) for _ in range(shape.layers))
        self.norm = NORMS[shape.norm](shape.width)
        half = torch.arange(0, shape.head_size, 2).float() / shape.head_size
        self.register_buffer("frequencies", 10000.0**-half)

    def angles(self, position_ids):
        if not self.shape.rotary:
            return None
        angles = position_ids[:, None, :, None].float() * self.frequencies
        return torch.cat((angles, angles), dim=-1)

    def mask(self, length, before, device):
        if not self.shape.causal:
            return None
        rows = torch.arange(length, device=device)[:, None] + before
        columns = torch.arange(before + length, device=device)[None, :]
        lowest = torch.finfo(torch.float32).min
        return torch.where(columns <= rows, 0.0, lowest)[None, None]

    def forward(self, input_ids, position_ids, *past):
        x = self.embedding(input_ids)
        before = past[0].shape[2] if self.cached else 0
        mask = self.mask(input_ids.shape[1], before, x.device)
        angles, presents = self.angles(position_ids), []
        for index, (attention, feed_forward) in enumerate(zip(self.attention, self.feed_forward)):
            own = past[2 * index : 2 * index + 2] if self.cached else None
            x, present = attention(x, angles, mask, own)
            x = feed_forward(x)
            presents += present
        logits = F.linear(self.norm(x), self.embedding.weight)
        return (logits, *presents) if self.cached else logits
