# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmuls whose weights are integers that DequantizeLinear scales: every width,
layout, zero point and granularity of scales, against numpy. The matrices are large
enough for their codes to be read without becoming floats; one shape has rows
that begin within a byte."""

import argparse
import itertools
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper

import bitnet_tools as tools

# The type, its bits, and the zero point that ternary weights take in it.
TYPES = {
    "int2": (TensorProto.INT2, 2, 0),
    "uint2": (TensorProto.UINT2, 2, 1),
    "int4": (TensorProto.INT4, 4, 0),
    "uint4": (TensorProto.UINT4, 4, 8),
    "int8": (TensorProto.INT8, 8, 0),
    "uint8": (TensorProto.UINT8, 8, 128),
}
SCALES = ("tensor", "row", "block")
# Of a width that leaves a last block of 16.
UNEVEN = (520, 560)


def pack(values, bits):
    flat = values.reshape(-1).astype(np.int64) & ((1 << bits) - 1)
    per_byte = 8 // bits
    flat = np.concatenate([flat, np.zeros(-len(flat) % per_byte, np.int64)]).reshape(-1, per_byte)
    return (flat << (bits * np.arange(per_byte))).sum(1).astype(np.uint8).tobytes()


def build(random, kind, outputs_first, granularity, outputs, width, binary):
    """A model, and its weights as floats [outputs, width]."""
    element, bits, zero = TYPES[kind]
    weights = random.choice([-1, 1] if binary else [-1, 0, 1], (outputs, width))
    block = 32
    run = block if granularity == "block" else width
    extents = {"tensor": (1, 1), "row": (outputs, 1), "block": (outputs, -(-width // block))}[granularity]
    scales = random.uniform(0.5, 2, extents).astype(np.float32)
    floats = weights * np.repeat(scales, run, 1)[:, :width].astype(np.float64)
    # Zero points that differ, where the type has room for them.
    spread = random.integers(-2, 3, extents) if bits > 2 and granularity != "tensor" else np.zeros(extents, int)
    if granularity == "tensor":
        stored_scales = scales[0, 0]
    elif granularity == "row":
        stored_scales = scales[:, 0]
    else:
        stored_scales = scales if outputs_first else scales.T
    stored = weights + zero + np.repeat(spread, run, 1)[:, :width]
    stored = stored if outputs_first else stored.T
    shape = stored.shape
    tensors = [
        helper.make_tensor("w", element, shape, pack(stored, bits), raw=True),
        onnx.numpy_helper.from_array(np.ascontiguousarray(stored_scales), "s"),
    ]
    inputs = ["w", "s"]
    if zero or spread.any():
        points = (spread if outputs_first else spread.T).reshape(np.shape(stored_scales)) + zero
        tensors.append(helper.make_tensor("z", element, points.shape, pack(points, bits), raw=True))
        inputs.append("z")
    axis = 0 if (granularity == "row") == outputs_first else 1
    attributes = {"axis": axis, "block_size": block} if granularity == "block" else {"axis": axis}
    nodes = [helper.make_node("DequantizeLinear", inputs, ["d"], **attributes)]
    if outputs_first:
        nodes.append(helper.make_node("Transpose", ["d"], ["t"], perm=[1, 0]))
    nodes.append(helper.make_node("MatMul", ["x", "t" if outputs_first else "d"], ["y"]))
    values = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, width]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, outputs]),
    ]
    graph = helper.make_graph(nodes, kind, values[:1], values[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=13), floats


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    os.makedirs(folder, exist_ok=True)
    random = np.random.default_rng(3)
    failures = 0
    shapes = itertools.cycle(((520, 544), (544, 1056), (1031, 515)))
    for case, (kind, outputs_first, granularity) in enumerate(itertools.product(TYPES, (True, False), SCALES)):
        outputs, width = next(shapes) if granularity != "block" else UNEVEN if case % 2 else (544, 544)
        binary = case % 4 == 3
        model, weights = build(random, kind, outputs_first, granularity, outputs, width, binary)
        source, artifact = os.path.join(folder, "model.onnx"), os.path.join(folder, "model.so")
        onnx.save(model, source)
        phase = os.path.join(folder, "model.mlir")
        tools.compile_model(source, phase, "--compile-to=bitnet")
        with open(phase, encoding="utf-8") as file:
            text = file.read()
        tools.compile_model(source, artifact, target="native")
        # Whole numbers: only the scales round.
        x = random.integers(-9, 10, (2, width)).astype(np.float32)
        got = tools.run(artifact, {"x": x}, os.path.join(folder, "run"))["y"]
        expected = x @ weights.T
        element = "binary" if binary else "ternary"
        recognised = f"{outputs}x{width}x!bitnet.{element}" in text
        error = np.abs(got - expected).max() / np.abs(expected).max()
        if not recognised or error > 1e-6:
            failures += 1
            print(f"{kind}, outputs first: {outputs_first}, scale a {granularity}, {outputs}x{width}, {element}: "
                  f"recognised: {recognised}, error {error:.1e}")  # fmt: skip
    print(f"{failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
