# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers of which the graph says that they compute with integers, or with floats of
16 bits, against onnxruntime: dynamic, static and per-token quantisers, zero points,
ONNX Runtime's fused operators, and weights that the graph unpacks from bytes."""

import argparse
import os
import re
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import bitnet_tools as tools

MICROSOFT = "com.microsoft"


class Builder:
    def __init__(self, random):
        self.random, self.nodes, self.constants = random, [], []

    def constant(self, value, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(self, kind, *inputs, outputs=1, **attributes):
        inputs = list(inputs)
        while inputs[-1] == "":
            inputs.pop()
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, f"{kind}_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def weight(self, rows, columns):
        return self.random.integers(-1, 2, (rows, columns))

    def bias(self, columns):
        return self.constant(self.random.standard_normal(columns) * 0.3)

    def model(self, x, y, x_type, y_type, opset):
        inputs = [helper.make_tensor_value_info("x", x_type, x)]
        outputs = [helper.make_tensor_value_info(y, y_type, [None] * len(x))]
        graph = helper.make_graph(self.nodes, "integers", inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def zero_points(b, kind, columns):
    """A type, values and the constant of zero points of a weight."""
    if kind == "none":
        return np.int8, 0, ""
    if kind == "tensor":
        return np.uint8, 128, b.constant(128, np.uint8)
    values = b.random.integers(-9, 9, columns)
    return np.int8, values, b.constant(values, np.int8)


def dynamic(b, x, rows, columns, kind, fused):
    """As ONNX Runtime's dynamic quantiser writes a layer, and its optimiser."""
    element, zero, zero_name = zero_points(b, kind, columns)
    # With a zero point for each output, weights of more than 1 and a scale for each.
    step, scale = (1, 0.1) if kind != "row" else (11, b.random.uniform(0.005, 0.01, columns))
    weight = b.constant(b.weight(rows, columns) * step + zero, element)
    if fused:
        return b.node("DynamicQuantizeMatMul", x, weight, b.constant(scale), zero_name, b.bias(columns), domain=MICROSOFT)
    q, step, point = b.node("DynamicQuantizeLinear", x, outputs=3)
    y = b.node("Cast", b.node("MatMulInteger", q, weight, point, zero_name), to=TensorProto.FLOAT)
    y = b.node("Mul", y, b.node("Mul", step, b.constant(scale)))
    return b.node("Add", y, b.bias(columns))


def static(b, x, rows, columns, kind, fused):
    element, zero = (np.int8, 0) if kind == "int8" else (np.uint8, 131)
    scale, point = b.constant(0.03), b.constant(zero, element)
    q = b.node("QuantizeLinear", x, scale, point)
    weight, zero_weight = b.constant(b.weight(rows, columns), np.int8), b.constant(0, np.int8)
    if fused:
        step, middle = b.constant(0.05), b.constant(100, element)
        y = b.node("QLinearMatMul", q, scale, point, weight, b.constant(0.2), zero_weight, step, middle)
        return b.node("DequantizeLinear", y, step, middle)
    return b.node("MatMulIntegerToFloat", q, weight, scale, b.constant(0.2), point, zero_weight, b.bias(columns), domain=MICROSOFT)


def absmax(b, x, kind):
    """Integers as floats, and what divides them."""
    largest = b.node("ReduceMax", b.node("Abs", x), axes=[-1], keepdims=1)
    largest = b.node("Clip", largest, b.constant(1e-3, kind))
    scale = b.node("Div", b.constant(127, kind), largest)
    rounded = b.node("Round", b.node("Mul", x, scale))
    return b.node("Clip", rounded, b.constant(-128, kind), b.constant(127, kind)), scale


def per_token(b, x, rows, columns, form, kind):
    q, scale = absmax(b, x, kind)
    if form == "integer":
        weight = b.constant(b.weight(rows, columns), np.int8)
        y = b.node("MatMulInteger", b.node("Cast", q, to=TensorProto.INT8), weight)
        y = b.node("Cast", y, to=TensorProto.FLOAT)
        return b.node("Mul", b.node("Div", y, scale), b.constant(0.1))
    weight = b.constant(b.weight(rows, columns) * 0.125, kind)
    y = b.node("MatMul", b.node("Div", q, scale), weight)
    return b.node("Add", y, b.constant(b.random.standard_normal(columns) * 0.3, kind))


def unpacked(b, x, rows, columns, order, kind):
    """Four weights a byte, outputs apart by a quarter of all or neighbours of a row."""
    codes = (b.weight(rows, columns).T + 1).astype(np.uint8)
    three = b.constant([3], np.uint8)
    if order == "apart":
        quarters = codes.reshape(4, columns // 4, rows)
        packed = b.constant(sum(quarters[i] << (2 * i) for i in range(4)), np.uint8)
        parts = [
            b.node("BitwiseAnd", b.node("BitShift", packed, b.constant([2 * i], np.uint8), direction="RIGHT"), three)
            for i in range(4)
        ]
        whole = b.node("Concat", *parts, axis=0)
    else:
        bytes_ = (codes.reshape(columns, rows // 4, 4) << (2 * np.arange(4))).sum(-1)
        packed = b.node("Unsqueeze", b.constant(bytes_, np.uint8), b.constant([2], np.int64))
        parts = b.node("BitShift", packed, b.constant([0, 2, 4, 6], np.uint8), direction="RIGHT")
        whole = b.node("Reshape", b.node("BitwiseAnd", parts, three), b.constant([columns, rows], np.int64))
    weight = b.node("Sub", b.node("Cast", whole, to=TensorProto.FLOAT), b.constant(1))
    return b.node("Mul", b.node("MatMul", x, b.node("Transpose", weight, perm=[1, 0])), b.constant(0.1))


# A layer, its arguments, the opset, and how many of two layers are of integers.
FORMS = [
    *[(dynamic, (kind, fused), 13, 2) for kind in ("none", "tensor", "row") for fused in (False, True)],
    *[(static, (kind, fused), 13, 2) for kind in ("int8", "uint8") for fused in (False, True)],
    (per_token, ("integer", np.float32), 17, 2),
    (per_token, ("float", np.float32), 17, 2),
    (per_token, ("float", np.float16), 17, 2),
    (unpacked, ("apart", np.float32), 18, 0),
    (unpacked, ("neighbours", np.float32), 18, 0),
]
# Rows, rank and widths.
SHAPES = [((5,), (64, 96, 40)), ((2, 3), (200, 72, 20)), ((1, 1), (40, 128, 24))]


def build(random, form, arguments, opset, leading, widths):
    b, y = Builder(random), "x"
    for rows, columns in zip(widths, widths[1:]):
        y = b.node("Relu", form(b, y, rows, columns, *arguments))
    kind = TensorProto.FLOAT16 if np.float16 in arguments else TensorProto.FLOAT
    names = [f"d{i}" for i in range(len(leading))]
    return b.model([*names, widths[0]], y, kind, kind, opset)


def reference(source, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(source, options).run(None, inputs)[0]


def try_form(folder, case, form, arguments, opset, integers):
    """What is wrong, or nothing."""
    random = np.random.default_rng(case)
    leading, widths = SHAPES[case % len(SHAPES)]
    source, phase, artifact = (os.path.join(folder, f"model.{end}") for end in ("onnx", "mlir", "so"))
    onnx.save(build(random, form, arguments, opset, leading, widths), source)
    tools.compile_model(source, phase, "--compile-to=bitnet")
    with open(phase, encoding="utf-8") as file:
        linears = re.findall(r" bitnet\.linear ins\(.*", file.read())
    whole = [line for line in linears if "quantized(" in line]
    if len(linears) != 2 or len(whole) != integers:
        return f"{len(linears)} low-bit layers, {len(whole)} of integers"
    tools.compile_model(source, artifact, target="native")
    half = np.float16 in arguments
    # Of unlike magnitude from row to row.
    x = random.standard_normal((*leading, widths[0])) * np.linspace(0.5, 2, leading[-1])[:, None]
    inputs = {"x": x.astype(np.float16 if half else np.float32)}
    want = reference(source, inputs)
    got = list(tools.run(artifact, inputs, os.path.join(folder, "run")).values())[0]
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{got.shape} instead of {want.dtype}{want.shape}"
    # Of a sum in another order, some activations round otherwise.
    error = np.abs(got.astype(np.float64) - want).mean() / np.abs(want).max()
    return None if error < (1e-3 if half else 1e-4) else f"error {error:.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    os.makedirs(folder, exist_ok=True)
    failures = 0
    for case, (form, arguments, opset, integers) in enumerate(FORMS):
        problem = try_form(folder, case, form, arguments, opset, integers)
        failures += problem is not None
        words = [word.__name__ if isinstance(word, type) else str(word) for word in arguments]
        print(f"{form.__name__} {' '.join(words)}: {problem or 'ok'}", flush=True)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
