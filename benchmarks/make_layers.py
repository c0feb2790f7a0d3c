#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes an ONNX model of ternary or binary layers that share one input, with what
they compute: for timing matmuls of one shape. The weights are random, as 2-bit integers;
the outputs' scales are 1, so that results are integers."""

import argparse
import pathlib
import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper
from options import require_at_least


def pack(codes):
    """int8 codes in -2 .. 1 as ONNX packs 2-bit integers: the lowest bits first."""
    quads = (codes.reshape(-1, 4) & 3).astype(np.uint8)
    return (quads[:, 0] | quads[:, 1] << 2 | quads[:, 2] << 4 | quads[:, 3] << 6).tobytes()


def activations(random, tokens, width):
    """Floats that are whole numbers, each token with a largest magnitude of 127: they
    quantise to themselves, with a scale of 1. Of many tokens the rest is small, so that
    files compress."""
    limit = 127 if tokens <= 1024 else 7
    x = random.integers(-limit, limit + 1, (tokens, width)).astype(np.float32)
    x[:, 0] = 127
    return x


def quantiser(width):
    """Absmax quantisation of a token to 8 bits, as Hugging Face's BitNet exports it."""
    constants = {"low": 1e-5, "top": 127.0, "least": -128.0}
    tensors = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in constants.items()]
    tensors.append(helper.make_tensor("last", TensorProto.INT64, [1], [-1]))
    nodes = [
        helper.make_node("Abs", ["x"], ["magnitudes"]),
        helper.make_node("ReduceMax", ["magnitudes", "last"], ["absmax"], keepdims=1),
        helper.make_node("Clip", ["absmax", "low"], ["clamped"]),
        helper.make_node("Div", ["top", "clamped"], ["scale"]),
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("Round", ["scaled"], ["rounded"]),
        helper.make_node("Clip", ["rounded", "least", "top"], ["clipped"]),
        helper.make_node("Div", ["clipped", "scale"], ["quantised"]),
    ]
    return nodes, tensors


def build(weights, tokens):
    outputs, width = weights[0].shape
    nodes, tensors = quantiser(width)
    tensors.append(helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]))
    results = []
    for i, weight in enumerate(weights):
        tensors.append(
            helper.make_tensor(f"w{i}", TensorProto.INT2, weight.shape, pack(weight), raw=True)
        )
        nodes += [
            helper.make_node("DequantizeLinear", [f"w{i}", "one"], [f"d{i}"]),
            helper.make_node("Transpose", [f"d{i}"], [f"t{i}"], perm=[1, 0]),
            helper.make_node("MatMul", ["quantised", f"t{i}"], [f"y{i}"]),
        ]
        results.append(helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, [tokens, outputs]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [tokens, width])]
    graph = helper.make_graph(nodes, "layers", inputs, results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=13)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", help="NxK: outputs by inputs of a layer")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="MODEL.onnx")
    parser.add_argument("--tokens", type=int, default=1)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--binary", action="store_true", help="weights of -1 and 1 only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", type=pathlib.Path, metavar="FILE.npz", help="write in_x and out_0 ...")
    arguments = parser.parse_args()
    shape = re.fullmatch(r"(\d+)x(\d+)", arguments.shape)
    outputs, width = map(int, shape.groups()) if shape else (0, 0)
    if outputs < 1 or width < 1 or outputs * width % 4:
        sys.exit(f"error: {arguments.shape!r} is not NxK, both positive and their product a multiple of 4")
    require_at_least(1, arguments, "tokens", "layers")
    require_at_least(0, arguments, "seed")
    random = np.random.default_rng(arguments.seed)
    values = np.array([-1, 1] if arguments.binary else [-1, 0, 1], np.int8)
    weights = [random.choice(values, (outputs, width)) for _ in range(arguments.layers)]
    try:
        onnx.save(build(weights, arguments.tokens), arguments.output)
    except OSError as problem:
        sys.exit(f"error: {problem}")
    if arguments.check:
        x = activations(random, arguments.tokens, width)
        # Below 2^24, sums of whole numbers are exact in float32.
        results = {f"out_{i}": x @ w.T.astype(np.float32) for i, w in enumerate(weights)}
        np.savez(arguments.check, in_x=x, tol=np.float32(0), **results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
