#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes an ONNX decoder of some BitNet's shape with random ternary weights, for
measuring: 2-bit weights behind DequantizeLinear (opset 25), bfloat16 embeddings,
external data. The graph is bitnet-export's. Needs Python with numpy and onnx."""

import argparse
import dataclasses
import itertools
import pathlib
import sys
import zlib

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from bitnet_mlir.export import DecoderConfig  # noqa: E402
from bitnet_mlir.export.decoder import DecoderGraph, default_frequencies  # noqa: E402
from bitnet_mlir.export.weights import BFLOAT16, PIECE, Dense, Ternary  # noqa: E402
from bitnet_mlir.export.writer import GraphWriter  # noqa: E402


@dataclasses.dataclass
class Shape:
    """A decoder's numbers. `sub_norms`: norms before the last projection of attention
    and of the feed-forward network. `tied`: the embeddings are the head too."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    activation: str
    sub_norms: bool
    tied: bool
    theta: float


PRESETS = {
    "tiny": Shape(128, 352, 2, 4, 2, 32, 512, "relu2", True, True, 1e4),
    "700m": Shape(1536, 4096, 24, 16, 16, 96, 32002, "silu", True, True, 1e4),
    "2b4t": Shape(2560, 6912, 30, 20, 5, 128, 128256, "relu2", True, True, 5e5),
    "3b": Shape(3200, 8640, 26, 32, 32, 100, 32002, "silu", True, True, 1e4),
    "8b": Shape(4096, 14336, 32, 32, 8, 128, 128256, "silu", False, False, 5e5),
}

# The bytes of four 2-bit integers in {-1, 0, 1}.
TERNARY_BYTES = np.array(
    [
        sum((code & 3) << 2 * i for i, code in enumerate(codes))
        for codes in itertools.product((-1, 0, 1), repeat=4)
    ],
    np.uint8,
)


class RandomWeights:
    """Weights (see bitnet_mlir.export.decoder.Weights) that depend on the seed and
    their names alone. Activations keep magnitudes near 1."""

    def __init__(self, shape, seed):
        self.shape, self.seed = shape, seed

    def _random(self, name):
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def _floats(self, name, rows, columns, deviation):
        def pieces():
            random = self._random(name)
            for begin in range(0, rows * columns, PIECE):
                count = min(PIECE, rows * columns - begin)
                values = random.standard_normal(count, np.float32) * np.float32(deviation)
                yield (values.view(np.uint32) >> 16).astype("<u2").tobytes()

        return Dense((rows, columns), BFLOAT16, pieces)

    def linear(self, name, outputs, inputs):
        if name == "lm_head":
            return self._floats(name, outputs, inputs, inputs**-0.5)

        def pieces():
            random = self._random(name)
            total = outputs * inputs // 4
            for begin in range(0, total, PIECE):
                choices = random.integers(0, 81, min(PIECE, total - begin), np.uint8)
                yield TERNARY_BYTES[choices].tobytes()

        # A third of the weights is 0.
        return Ternary((outputs, inputs), np.float32((inputs * 2 / 3) ** -0.5), pieces)

    def vector(self, name, size):
        if not name.endswith("norm.weight"):
            return None
        is_sub_norm = "sub_norm" in name
        wanted = self.shape.sub_norms if is_sub_norm else name.count("layernorm") or name == "norm.weight"
        if not wanted:
            return None
        return 1 + self._random(name).standard_normal(size, np.float32) * np.float32(0.1)

    def table(self, vocabulary, hidden):
        # Logits of a tied head spread by about 2, so that a first choice exists.
        return self._floats("embed_tokens", vocabulary, hidden, 2 * hidden**-0.5)

    def has_head(self):
        return not self.shape.tied


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", choices=PRESETS, metavar="PRESET", help=", ".join(PRESETS))
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="OUT.onnx")
    parser.add_argument("--seed", type=int, default=0)
    for field in dataclasses.fields(Shape):
        if field.type is int:
            parser.add_argument("--" + field.name.replace("_", "-"), type=int, help="instead of the preset's")
    arguments = parser.parse_args()
    changes = {
        field.name: value
        for field in dataclasses.fields(Shape)
        if (value := getattr(arguments, field.name, None)) is not None
    }
    shape = dataclasses.replace(PRESETS[arguments.preset], **changes)
    odd = [name for name in ("hidden", "intermediate") if getattr(shape, name) % 4]
    if odd:
        sys.exit(f"error: {odd[0]} must be a multiple of 4: rows of 2-bit weights are whole bytes here")
    try:
        config = DecoderConfig(
            vocabulary=shape.vocabulary,
            hidden=shape.hidden,
            intermediate=shape.intermediate,
            layers=shape.layers,
            heads=shape.heads,
            kv_heads=shape.kv_heads,
            head_dim=shape.head_dim,
            activation=shape.activation,
            norm_eps=1e-5,
            inner_norm_eps=1e-5,
            rope_frequencies=default_frequencies(shape.head_dim, shape.theta),
        )
        with GraphWriter(arguments.output, external=True) as writer:
            DecoderGraph(writer, config, RandomWeights(shape, arguments.seed), lambda step: None).write()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
