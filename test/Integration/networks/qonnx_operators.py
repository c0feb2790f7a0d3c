# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""QONNX's operators, each in many forms: one model, every form an output, bit for bit
what numpy gives. Inputs have whole numbers, halves and both zeros among them."""

import argparse
import itertools
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import bitnet_tools as tools
from qonnx_evaluator import Evaluation

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "half_even")
CHANNELS = 7


class Builder:
    def __init__(self):
        self.nodes, self.constants, self.outputs = [], [], []
        self.domain = itertools.cycle(DOMAINS)

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def add(self, kind, x, shape, *constants, **attributes):
        name = f"y{len(self.outputs)}"
        inputs = [x, *map(self.constant, constants)]
        self.nodes.append(helper.make_node(kind, inputs, [name], name, domain=next(self.domain), **attributes))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))


def quantisers(b, x, shape):
    scales = itertools.cycle((np.float32(0.5), np.float32(1), np.linspace(0.3, 2, CHANNELS)[None]))
    zeros = itertools.cycle((np.float32(0), np.float32(0), np.float32(2), np.arange(CHANNELS)[None]))
    modes = itertools.cycle(MODES)
    for kind, bits, signed, narrow in itertools.product(("Quant", "IntQuant"), (1, 2, 3, 8, 16), (0, 1), (0, 1)):
        b.add(kind, x, shape, next(scales), next(zeros), bits, signed=signed, narrow=narrow, rounding_mode=next(modes))
    for scale in (1, 0.25, np.linspace(0.5, 1.5, CHANNELS)[None]):
        b.add("BipolarQuant", x, shape, scale)


def truncations(b, x, shape):
    for mode, zero in itertools.product(("FLOOR", "CEIL", "ROUND"), (0, 3)):
        b.add("Trunc", x, shape, 0.25, zero, 10, 8, rounding_mode=mode)
        b.add("Trunc", x, shape, 0.25, zero, 10, 1.0, 4, rounding_mode=mode, signed=1, narrow=0)


def thresholds(b, random, x, shape):
    rank = len(shape)
    layouts = (("NCHW", 1), ("NHWC", rank - 1)) if rank == 4 else (("NC", 1),)
    for (layout, axis), steps in itertools.product(layouts, (1, 3, 15)):
        for channels in (shape[axis], 1):
            table = np.sort(random.integers(-8, 9, (channels, steps)) / 2, -1)
            b.add(
                "MultiThreshold", x, shape, table, out_dtype="UINT4", data_layout=layout,
                out_scale=(1.0, 0.5)[steps % 2], out_bias=(0.0, -1.0)[channels % 2],
            )  # fmt: skip


def build(random):
    b = Builder()
    quantisers(b, "x", [5, CHANNELS])
    truncations(b, "x", [5, CHANNELS])
    thresholds(b, random, "x", [5, CHANNELS])
    thresholds(b, random, "image", [2, 3, 4, 5])
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CHANNELS]),
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [2, 3, 4, 5]),
    ]
    for value in b.outputs:
        if len(value.type.tensor_type.shape.dim) == 2:
            value.type.tensor_type.shape.dim[0].dim_param = "n"
    graph = helper.make_graph(b.nodes, "operators", inputs, b.outputs, b.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    os.makedirs(folder, exist_ok=True)
    random = np.random.default_rng(5)
    model = build(random)
    source, artifact = os.path.join(folder, "model.onnx"), os.path.join(folder, "model.so")
    onnx.save(model, source)
    tools.compile_model(source, artifact, target="native")
    wrong = set()
    for seed, rows in enumerate((5, 1, 37)):
        random = np.random.default_rng(seed)
        x = (random.standard_normal((rows, CHANNELS)) * 6).astype(np.float32)
        x[::2] = np.round(x[::2] * 4) / 4
        x[0, :3] = (0.0, -0.0, 1e30)
        image = (random.integers(-10, 11, (2, 3, 4, 5)) / 2).astype(np.float32)
        inputs = {"x": x, "image": image}
        expected = Evaluation(model).run(inputs)
        got = tools.run(artifact, inputs, os.path.join(folder, "run"))
        for node in model.graph.node:
            name = node.output[0]
            if not np.array_equal(got[name], expected[name]):
                wrong.add(name)
                where = np.argwhere(got[name] != expected[name])[0]
                print(f"{helper.printable_node(node)}, {rows} rows: at {where} {got[name][tuple(where)]}, "
                      f"not {expected[name][tuple(where)]}")  # fmt: skip
    print(f"{len(model.graph.node) - len(wrong)} of {len(model.graph.node)} operators match")
    return len(wrong) > 0


if __name__ == "__main__":
    sys.exit(main())
