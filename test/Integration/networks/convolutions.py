# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutions with ternary and binary weights, against ONNX's reference evaluator.

    convolutions.py WORK [--seeds N] [--lowerings NAME...]

All convolutions of a seed are one model. Their inputs are floats, signs, a choice of two constants, or
integers that are rounded on a constant scale or on the largest magnitude of the
tensor. Results of signs are sums of small integers times a power of two and must be
equal; others may differ by the order of sums.
"""

import argparse
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import bitnet_tools as tools

# Batch, channels, outputs, extents, kernel, attributes.
SHAPES = [
    (1, 8, 5, (7, 7), (3, 3), dict(pads=[1, 1, 1, 1])),
    (2, 16, 24, (9, 6), (3, 2), dict(strides=[2, 1], pads=[0, 1, 1, 0])),
    (3, 33, 17, (8, 8), (1, 1), dict(strides=[2, 2])),
    (1, 32, 64, (10, 11), (3, 3), dict(dilations=[2, 3], strides=[1, 2], pads=[2, 3, 2, 3])),
    (2, 65, 70, (5, 5), (5, 5), {}),
    (2, 12, 9, (13,), (4,), dict(strides=[3], pads=[2, 1])),
    (1, 10, 6, (4, 5, 6), (2, 3, 2), dict(strides=[1, 2, 2], pads=[0, 1, 0, 1, 1, 1])),
    (1, 20, 11, (9, 8), (4, 3), dict(auto_pad="SAME_UPPER", strides=[2, 3])),
    (2, 20, 11, (9, 8), (4, 2), dict(auto_pad="SAME_LOWER")),
    (1, 9, 8, (6, 7), (3, 3), dict(auto_pad="VALID")),
]
INPUTS = ["floats", "sign", "choice", "steps", "absmax"]
EXACT = {"sign", "choice"}


def activation_text(kind):
    """Nodes that make `a` of `x`, with their constants."""
    scalar = lambda name, value: numpy_helper.from_array(np.array(value, np.float32), name)
    if kind == "sign":
        return [("Sign", ["x"], "a")], []
    if kind == "choice":
        constants = [scalar("zero", 0), scalar("half", 0.5), scalar("minus_half", -0.5)]
        return [("GreaterOrEqual", ["x", "zero"], "c"), ("Where", ["c", "half", "minus_half"], "a")], constants
    if kind == "steps":
        constants = [scalar("step", 0.3), scalar("low", -2), scalar("high", 1)]
        nodes = [("Div", ["x", "step"], "d"), ("Clip", ["d", "low", "high"], "l"), ("Round", ["l"], "r"),
                 ("Mul", ["r", "step"], "a")]
        return nodes, constants
    constants = [scalar("eps", 1e-5), scalar("bound", 127), scalar("low", -128), scalar("high", 127)]
    nodes = [("Abs", ["x"], "m"), ("ReduceMax", ["m"], "t"), ("Max", ["t", "eps"], "n"), ("Div", ["bound", "n"], "s"),
             ("Mul", ["x", "s"], "p"), ("Round", ["p"], "r"), ("Clip", ["r", "low", "high"], "q"),
             ("Div", ["q", "s"], "a")]
    return nodes, constants


def build(random, dynamic):
    nodes, constants, inputs, outputs, feeds = [], [], [], [], {}
    for i, (batch, channels, count, extents, kernel, attributes) in enumerate(SHAPES):
        kind = INPUTS[random.integers(len(INPUTS))] if i >= len(INPUTS) else INPUTS[i]
        binary, per_channel, bias = random.integers(2), random.integers(2), random.integers(2)
        name = lambda part: f"{part}_{i}_{kind}"
        made, own = activation_text(kind) if kind != "floats" else ([("Identity", ["x"], "a")], [])
        weight = random.choice([-1, 1] if binary else [-1, 0, 1], (count, channels, *kernel)).astype(np.float32)
        weight *= random.choice([0.25, 0.5, 2], (count, 1) + (1,) * len(kernel)) if per_channel else 0.5
        own += [numpy_helper.from_array(weight.astype(np.float32), "w")]
        if bias:
            own += [numpy_helper.from_array(random.integers(-8, 8, count).astype(np.float32), "b")]
        for tensor in own:
            tensor.name = name(tensor.name)
            constants.append(tensor)
        made.append(("Conv", ["a", "w"] + (["b"] if bias else []), "y"))
        for op, operands, result in made:
            extra = attributes if op == "Conv" else dict(keepdims=0) if op == "ReduceMax" else {}
            nodes.append(helper.make_node(op, [name(part) for part in operands], [name(result)], name=name(op), **extra))
        shape = ("batch" if dynamic else batch, channels, *extents)
        inputs.append(helper.make_tensor_value_info(name("x"), TensorProto.FLOAT, shape))
        outputs.append(helper.make_tensor_value_info(name("y"), TensorProto.FLOAT, [None] * len(shape)))
        feeds[name("x")] = random.standard_normal((3 if dynamic else batch, channels, *extents)).astype(np.float32)
    graph = helper.make_graph(nodes, "convolutions", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), feeds


def compare(got, expected, kind):
    if got.shape != expected.shape:
        return f"shape {got.shape}, expected {expected.shape}"
    worst = np.abs(got - expected).max()
    limit = 0 if kind in EXACT else 2e-5 * np.abs(expected).max()
    return None if worst <= limit else f"off by {worst:g}, allowed {limit:g}"


def check(arguments, seed, lowering):
    dynamic = seed % 2 == 1
    model, feeds = build(np.random.default_rng(seed), dynamic)
    path = os.path.join(arguments.work, f"{seed}.onnx")
    artifact = os.path.join(arguments.work, f"{seed}-{lowering}.so")
    onnx.save(model, path)
    tools.compile_model(path, artifact, f"--lowering={lowering}", target=arguments.target)
    expected = ReferenceEvaluator(model).run(None, feeds)
    got = tools.run(artifact, feeds, os.path.join(arguments.work, f"{seed}-{lowering}"))
    wrong = []
    for output, array in zip(model.graph.output, expected):
        problem = compare(got[output.name], array, output.name.split("_")[-1])
        if problem:
            wrong.append(f"seed {seed}, {lowering}: {output.name}: {problem}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--lowerings", nargs="+", default=["auto", "popcount"])
    parser.add_argument("--target")
    arguments = parser.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    wrong = []
    for seed in range(arguments.seeds):
        for lowering in arguments.lowerings:
            wrong += check(arguments, seed, lowering)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
