# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Evaluates graphs with QONNX's operators in numpy, in float32, node by node.

Where a network rounds, an error of one unit in the last place before it may give
another integer. So an evaluation also says how near to a boundary it came."""

import numpy as np
from onnx import helper, numpy_helper

F32 = np.float32


def rounded(mode, x):
    sign, size = np.sign(x), np.abs(x)
    return {
        "ROUND": lambda: np.rint(x),
        "HALF_EVEN": lambda: np.rint(x),
        "CEIL": lambda: np.ceil(x),
        "FLOOR": lambda: np.floor(x),
        "UP": lambda: sign * np.ceil(size),
        "DOWN": lambda: sign * np.floor(size),
        "HALF_UP": lambda: sign * np.floor(size + F32(0.5)),
        "HALF_DOWN": lambda: sign * np.ceil(size - F32(0.5)),
    }[mode.upper()]()


def limits(signed, narrow, bits):
    if signed:
        return -(2 ** (bits - 1)) + bool(narrow), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - bool(narrow)


class Evaluation:
    def __init__(self, model):
        self.graph = model.graph
        # The least distance of a value from where its integer changes, by the
        # step of its quantiser: one for each index of the first dimension.
        self.margins = None

    def near(self, distance):
        rows = np.abs(distance).reshape(len(distance), -1).min(1)
        if self.margins is None or len(self.margins) != len(rows):
            self.margins = rows
        self.margins = np.minimum(self.margins, rows)

    def quant(self, a, x, scale, zero, bits):
        bits = int(bits.item())
        shifted = x / scale + zero
        if bits == 1 and a.get("signed", 1):
            return (np.where(shifted >= 0, F32(1), F32(-1)) - zero) * scale
        low, high = limits(a.get("signed", 1), a.get("narrow", 0), bits)
        mode = a.get("rounding_mode", "ROUND")
        clipped = np.minimum(np.maximum(shifted, F32(low)), F32(high))
        inside = (shifted > low) & (shifted < high)
        distance = np.abs(np.abs(shifted - np.floor(shifted)) - 0.5)
        self.pending = np.where(inside, distance, 1)
        return (rounded(mode, clipped) - zero) * scale

    def bipolar_quant(self, a, x, scale):
        self.pending = x
        return np.where(x >= 0, F32(1), F32(-1)) * scale

    def trunc(self, a, x, scale, zero, in_bits, fourth, fifth=None):
        y = np.rint(x / scale + zero)
        mode = a.get("rounding_mode", "FLOOR")
        if fifth is None:
            y = rounded(mode, y / F32(2.0 ** (in_bits.item() - fourth.item())))
            return (y - zero) * scale
        factor = F32(2.0 ** np.rint(np.log2(fourth / scale)))
        low, high = limits(a.get("signed", 1), a.get("narrow", 0), int(fifth.item()))
        y = rounded(mode, np.minimum(np.maximum(y / factor, F32(low)), F32(high)))
        return (y - zero / factor) * fourth

    def multi_threshold(self, a, x, thresholds):
        last = a.get("data_layout", "NCHW").endswith("C")
        moved = x if last else np.moveaxis(x, 1, -1)
        distances = moved[..., None] - thresholds
        self.pending = distances
        counts = (distances >= 0).sum(-1).astype(F32)
        counts = counts if last else np.moveaxis(counts, -1, 1)
        return counts * F32(a.get("out_scale", 1.0)) + F32(a.get("out_bias", 0.0))

    def batch_norm(self, a, x, scale, bias, mean, variance):
        shape = (1, -1) + (1,) * (x.ndim - 2)
        inverse = F32(1) / np.sqrt(variance + F32(a.get("epsilon", 1e-5)))
        parts = [v.reshape(shape) for v in (mean, inverse, scale, bias)]
        return (x - parts[0]) * parts[1] * parts[2] + parts[3]

    def gemm(self, a, x, w, bias=F32(0)):
        y = x @ (w.T if a.get("transB") else w)
        return F32(a.get("alpha", 1)) * y + F32(a.get("beta", 1)) * bias

    def quantize_linear(self, a, x, scale, zero):
        shape = [1] * x.ndim
        if scale.size > 1:
            shape[a.get("axis", 1)] = -1
        info = np.iinfo(zero.dtype)
        scaled = x / scale.reshape(shape)
        self.pending = np.abs(np.abs(scaled - np.floor(scaled)) - 0.5)
        codes = np.rint(scaled) + zero.reshape(shape).astype(F32)
        return np.clip(codes, info.min, info.max).astype(zero.dtype)

    def dequantize_linear(self, a, x, scale, zero):
        shape = [1] * x.ndim
        if scale.size > 1:
            shape[a.get("axis", 1)] = -1
        return (x.astype(F32) - zero.reshape(shape).astype(F32)) * scale.reshape(shape)

    def sign(self, a, x):
        self.pending = x
        return np.sign(x)

    def reshape(self, a, x, shape):
        return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape)])

    def unsqueeze(self, a, x, axes=None):
        for axis in a.get("axes", axes):
            x = np.expand_dims(x, axis)
        return x

    def top_k(self, a, x, k):
        order = np.argsort(-x, axis=-1, kind="stable")[..., : k.item()]
        return np.take_along_axis(x, order, -1), order

    OPERATORS = {
        "Quant": quant, "IntQuant": quant, "BipolarQuant": bipolar_quant, "Trunc": trunc,
        "MultiThreshold": multi_threshold, "BatchNormalization": batch_norm, "Gemm": gemm,
        "QuantizeLinear": quantize_linear, "DequantizeLinear": dequantize_linear,
        "Sign": sign, "Reshape": reshape, "Unsqueeze": unsqueeze, "TopK": top_k,
        "Flatten": lambda self, a, x: x.reshape(len(x), -1),
        "Shape": lambda self, a, x: np.array(x.shape),
        "Gather": lambda self, a, x, i: np.take(x, i, a.get("axis", 0)),
        "Concat": lambda self, a, *xs: np.concatenate(xs, a["axis"]),
        "Transpose": lambda self, a, x: x.transpose(a["perm"]),
        "MatMul": lambda self, a, x, y: x @ y,
        "Relu": lambda self, a, x: np.maximum(x, 0),
        "Clip": lambda self, a, x, low, high: np.clip(x, low, high),
        "Add": lambda self, a, x, y: x + y,
        "Sub": lambda self, a, x, y: x - y,
        "Mul": lambda self, a, x, y: x * y,
        "Div": lambda self, a, x, y: x / y,
        "Pow": lambda self, a, x, y: np.power(x, y),
    }  # fmt: skip

    def run(self, inputs):
        """Values of the graph's outputs by name, in their order."""
        self.margins, summed = None, False
        constants = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer}
        self.values = constants | inputs
        for node in self.graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
            self.pending = None
            operands = [self.values[name] for name in node.input]
            results = self.OPERATORS[node.op_type](self, attributes, *operands)
            # Before the first sum, nothing differs by the order of operations.
            summed |= node.op_type in ("MatMul", "Gemm")
            if self.pending is not None and summed and node.input[0] not in constants:
                self.near(self.pending)
            results = results if isinstance(results, tuple) else (results,)
            self.values |= zip(node.output, results)
        return {value.name: self.values[value.name] for value in self.graph.output}
