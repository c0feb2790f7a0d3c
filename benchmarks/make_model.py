#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes an ONNX decoder of some BitNet's shape with random ternary weights, for
measuring: 2-bit weights behind DequantizeLinear (opset 25), bfloat16 embeddings,
external data. The graph is bitnet-export's. Needs Python with numpy and onnx."""

import argparse
import itertools
import pathlib
import sys
import zlib

import numpy as np
from options import require_at_least

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from bitnet_mlir.export import DecoderConfig  # noqa: E402
from bitnet_mlir.export.decoder import DecoderGraph, default_frequencies  # noqa: E402
from bitnet_mlir.export.weights import BFLOAT16, PIECE, Dense, Ternary, pack_codes  # noqa: E402
from bitnet_mlir.export.writer import GraphWriter  # noqa: E402


# The numbers of a DecoderConfig; `sub_norms`: norms before the last projection of
# attention and of the feed-forward network; `tied`: the embeddings are the head too.
PRESETS = {
    "tiny": dict(
        hidden=128, intermediate=352, layers=2, heads=4, kv_heads=2, head_dim=32, vocabulary=512,
        activation="relu2", sub_norms=True, tied=True, theta=1e4,
    ),  # fmt: skip
    "700m": dict(
        hidden=1536, intermediate=4096, layers=24, heads=16, kv_heads=16, head_dim=96, vocabulary=32002,
        activation="silu", sub_norms=True, tied=True, theta=1e4,
    ),  # fmt: skip
    "2b4t": dict(
        hidden=2560, intermediate=6912, layers=30, heads=20, kv_heads=5, head_dim=128, vocabulary=128256,
        activation="relu2", sub_norms=True, tied=True, theta=5e5,
    ),  # fmt: skip
    "3b": dict(
        hidden=3200, intermediate=8640, layers=26, heads=32, kv_heads=32, head_dim=100, vocabulary=32002,
        activation="silu", sub_norms=True, tied=True, theta=1e4,
    ),  # fmt: skip
    "8b": dict(
        hidden=4096, intermediate=14336, layers=32, heads=32, kv_heads=8, head_dim=128, vocabulary=128256,
        activation="silu", sub_norms=False, tied=False, theta=5e5,
    ),  # fmt: skip
}
SIZES = ("hidden", "intermediate", "layers", "heads", "kv_heads", "head_dim", "vocabulary")

# The INT2 bytes of any four weights in {-1, 0, 1}.
TERNARY_BYTES = np.frombuffer(
    pack_codes(np.array(list(itertools.product(range(3), repeat=4))), "weights"), np.uint8
)


# What ends a layer's two branches.
BRANCHES = ("o_proj", "down_proj")


def embedding_deviation(hidden):
    """Of an embedding's elements: logits of a tied head spread by about 2."""
    return 2 * hidden**-0.5


def branch_size(top, hidden, layers):
    """How small the sum of 2 * layers branches must be for a token's own embedding to
    give it a logit of `top` standard deviations: with an angle of cosine top / sqrt(hidden)
    between what enters the head and that embedding. 1 where `top` is None."""
    if top is None:
        return 1.0
    if not 0.01 <= top < hidden**0.5:
        raise ValueError(f"--top-logit must lie between 0.01 and {hidden**0.5:.1f}, the square root of hidden")
    ratio = (hidden / top**2 - 1) ** 0.5
    return ratio * embedding_deviation(hidden) / (2 * layers) ** 0.5


class RandomWeights:
    """Weights (see bitnet_mlir.export.decoder.Weights) that depend on the seed and
    their names alone. Activations keep magnitudes near 1; what layers add to the
    embeddings, near `branch`."""

    def __init__(self, sub_norms, tied, seed, branch):
        self.sub_norms, self.tied, self.seed, self.branch = sub_norms, tied, seed, branch

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
        scale = (inputs * 2 / 3) ** -0.5 * (self.branch if name.endswith(BRANCHES) else 1)
        return Ternary((outputs, inputs), np.float32(scale), pieces)

    def vector(self, name, size):
        if not name.endswith("norm.weight"):
            return None
        is_sub_norm = "sub_norm" in name
        wanted = self.sub_norms if is_sub_norm else name.count("layernorm") or name == "norm.weight"
        if not wanted:
            return None
        return 1 + self._random(name).standard_normal(size, np.float32) * np.float32(0.1)

    def table(self, vocabulary, hidden):
        return self._floats("embed_tokens", vocabulary, hidden, embedding_deviation(hidden))

    def has_head(self):
        return not self.tied


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", choices=PRESETS, metavar="PRESET", help=", ".join(PRESETS))
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="OUT.onnx")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--top-logit", type=float, metavar="S",
        help="let the first logit lie about S standard deviations above the mean, as training makes it, by branches"
        " that are small beside the embeddings (default: as many random logits give, about 4.5)",
    )  # fmt: skip
    for name in SIZES:
        parser.add_argument("--" + name.replace("_", "-"), type=int, help="instead of the preset's")
    arguments = parser.parse_args()
    numbers = dict(PRESETS[arguments.preset])
    numbers.update((name, value) for name in SIZES if (value := getattr(arguments, name)) is not None)
    require_at_least(0, arguments, "seed")
    for name in ("hidden", "intermediate"):
        if numbers[name] % 4:
            sys.exit(f"error: {name} must be a multiple of 4: rows of 2-bit weights are whole bytes here")
    if arguments.top_logit is not None and not numbers["tied"]:
        sys.exit("error: --top-logit needs a preset with tied embeddings")
    try:
        sub_norms, tied = numbers.pop("sub_norms"), numbers.pop("tied")
        frequencies = default_frequencies(numbers["head_dim"], numbers.pop("theta"))
        config = DecoderConfig(**numbers, norm_eps=1e-5, inner_norm_eps=1e-5, rope_frequencies=frequencies)
        branch = branch_size(arguments.top_logit, config.hidden, config.layers)
        weights = RandomWeights(sub_norms, tied, arguments.seed, branch)
        with GraphWriter(arguments.output, external=True) as writer:
            DecoderGraph(writer, config, weights, lambda step: None).write()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
