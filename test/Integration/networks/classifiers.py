# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks that classify or embed: texts with padding, images in patches, images by
convolutions."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from quantizers import BitLinear


class TextEncoder(nn.Module):
    """As BERT is: norms after each residual sum, a mask of the padding, and the
    first token or the mean of all as the result."""

    def __init__(self, how, width=48, heads=4, hidden=96, layers=2, pooling="first", fused=False):
        super().__init__()
        self.heads, self.pooling, self.fused = heads, pooling, fused
        self.tokens, self.places, self.kinds = nn.Embedding(101, width), nn.Embedding(40, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        linear = lambda columns, rows: BitLinear(columns, rows, how)
        self.layers = nn.ModuleList(
            nn.ModuleDict({
                "query": linear(width, width), "key": linear(width, width), "value": linear(width, width),
                "output": linear(width, width), "up": linear(width, hidden), "down": linear(hidden, width),
                "attention_norm": nn.LayerNorm(width), "norm": nn.LayerNorm(width),
            })
            for _ in range(layers)
        )  # fmt: skip
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, 7)

    def attend(self, layer, x, mask):
        batch, length, _ = x.shape
        split = lambda name: layer[name](x).view(batch, length, self.heads, -1).transpose(1, 2)
        query, key, value = split("query"), split("key"), split("value")
        if self.fused:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        else:
            scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + mask
            mixed = scores.softmax(-1) @ value
        return layer["output"](mixed.transpose(1, 2).reshape(batch, length, -1))

    def forward(self, input_ids, attention_mask, token_type_ids):
        places = self.places(torch.arange(input_ids.shape[1], device=input_ids.device)[None])
        x = self.norm(self.tokens(input_ids) + self.kinds(token_type_ids) + places)
        kept = attention_mask.to(x.dtype)
        mask = (1 - kept[:, None, None, :]) * torch.finfo(x.dtype).min
        for layer in self.layers:
            x = layer["attention_norm"](x + self.attend(layer, x, mask))
            x = layer["norm"](x + layer["down"](F.gelu(layer["up"](x))))
        if self.pooling == "first":
            return self.head(self.pooler(x[:, 0]).tanh())
        total = (x * kept[:, :, None]).sum(1)
        return F.normalize(total / kept.sum(1, keepdim=True).clamp(min=1e-9), dim=1)


class ImageEncoder(nn.Module):
    """As ViT is: patches by a convolution, a token for the class, one projection for
    queries, keys and values, norms first."""

    def __init__(self, how, width=40, heads=5, hidden=80, layers=2, size=16, patch=4):
        super().__init__()
        self.heads = heads
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(0.1 * torch.randn(1, (size // patch) ** 2 + 1, width))
        self.layers = nn.ModuleList(
            nn.ModuleDict({
                "attention_norm": nn.LayerNorm(width), "mix": BitLinear(width, 3 * width, how),
                "output": BitLinear(width, width, how), "norm": nn.LayerNorm(width),
                "up": BitLinear(width, hidden, how), "down": BitLinear(hidden, width, how),
            })
            for _ in range(layers)
        )  # fmt: skip
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.first.expand(x.shape[0], -1, -1), x), 1) + self.places
        batch, length, width = x.shape
        for layer in self.layers:
            mixed = layer["mix"](layer["attention_norm"](x)).reshape(batch, length, 3, self.heads, -1)
            query, key, value = mixed.permute(2, 0, 3, 1, 4).unbind(0)
            scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
            x = x + layer["output"]((scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, width))
            x = x + layer["down"](F.gelu(layer["up"](layer["norm"](x)), approximate="tanh"))
        return self.head(self.norm(x)[:, 0])


class LowBitConv(nn.Conv2d):
    """Quantises its weights in the graph: ternary beyond a threshold, or signs, with
    a scale for each output."""

    def __init__(self, inputs, outputs, weights, **options):
        super().__init__(inputs, outputs, 3, padding=1, bias=False, **options)
        self.weights = weights

    def forward(self, x):
        magnitude = self.weight.abs()
        if self.weights == "ternary":
            kept = (magnitude > 0.7 * magnitude.mean((1, 2, 3), keepdim=True)).to(x.dtype)
            scale = (magnitude * kept).sum((1, 2, 3), keepdim=True) / kept.sum((1, 2, 3), keepdim=True)
            weight = self.weight.sign() * kept * scale
        else:
            weight = torch.where(self.weight >= 0, 1.0, -1.0) * magnitude.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, None, self.stride, self.padding, self.dilation, self.groups)


class ConvolutionNet(nn.Module):
    """Convolution, batch norm, activation and pooling, thrice, with a low-bit head."""

    ACTIVATIONS = {
        "relu": F.relu,
        "hardtanh": F.hardtanh,
        "sign": lambda x: torch.where(x >= 0, 1.0, -1.0),
        "levels": lambda x: (x.clamp(0, 4) * (255 / 4)).round() * (4 / 255),
    }

    def __init__(self, how, weights, activation, channels=(3, 16, 24, 32)):
        super().__init__()
        self.activation = self.ACTIVATIONS[activation]
        pairs = list(zip(channels, channels[1:]))
        self.convolutions = nn.ModuleList(LowBitConv(*pair, weights) for pair in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _, outputs in pairs)
        for norm in self.norms:
            nn.init.normal_(norm.running_mean, 0, 0.3)
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.2)
        self.head = BitLinear(channels[-1], 10, how)

    def forward(self, x):
        for convolution, norm in zip(self.convolutions, self.norms):
            x = F.max_pool2d(self.activation(norm(convolution(x))), 2)
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))
