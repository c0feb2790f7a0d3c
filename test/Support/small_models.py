# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: small_models.py NAME FILE.onnx

Writes a small ONNX model, good or bad in one way, for the tools' tests.
"""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def ternary(rows, columns):
    bits = np.random.default_rng(1).integers(-1, 2, (rows, columns))
    return bits.astype(np.float32) * np.float32(0.25)


def model(nodes, inputs, outputs, initializers=(), domains=()):
    graph = helper.make_graph(
        nodes, "g", inputs, outputs,
        [numpy_helper.from_array(array, name) for name, array in initializers],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 18), *(helper.make_opsetid(name, 1) for name in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def linear():
    """y = x W with ternary weights, for any number of rows."""
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        [value("x", ["n", 8])], [value("y", ["n", 12])], [("w", ternary(8, 12))],
    )  # fmt: skip


def output_twice():
    """The linear model, whose output the graph lists twice."""
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        [value("x", ["n", 8])], [value("y", ["n", 12])] * 2, [("w", ternary(8, 12))],
    )  # fmt: skip


def unknown_ops():
    return model(
        [
            helper.make_node("Frobnicate", ["x"], ["a"], "first", domain="example"),
            helper.make_node("Relu", ["a"], ["b"], "middle"),
            helper.make_node("Defenestrate", ["b"], ["y"], "second", domain="example"),
        ],
        [value("x", [2, 8])], [value("y", [2, 8])], domains=["example"],
    )  # fmt: skip


def unknown_standard_op():
    return model(
        [helper.make_node("Frobnicate", ["x"], ["y"], "first")],
        [value("x", [2, 8])], [value("y", [2, 8])],
    )  # fmt: skip


def rank_9():
    return model(
        [helper.make_node("Relu", ["x"], ["y"], "it")],
        [value("x", [1] * 9)], [value("y", [1] * 9)],
    )  # fmt: skip


def huge_shape():
    return model(
        [helper.make_node("Relu", ["x"], ["y"], "it")],
        [value("x", [2**62, 16])], [value("y", [2**62, 16])],
    )  # fmt: skip


def no_shape():
    return model(
        [helper.make_node("Relu", ["x"], ["y"], "it")],
        [value("x", [2, 8])], [value("y", None)],
    )  # fmt: skip


def string_input():
    return model(
        [helper.make_node("Identity", ["x"], ["y"], "it")],
        [value("x", [2], TensorProto.STRING)], [value("y", [2], TensorProto.STRING)],
    )  # fmt: skip


def no_columns():
    """y = x W with a weight of no columns: nothing to compute, but no error."""
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        [value("x", ["n", 8])], [value("y", ["n", 0])], [("w", ternary(8, 0))],
    )  # fmt: skip


def large_constant():
    """The length of a constant that is too large to be made while compiling."""
    return model(
        [
            helper.make_node("ConstantOfShape", ["s"], ["zeros"], "zeros"),
            helper.make_node("Shape", ["zeros"], ["y"], "shape"),
        ],
        [], [value("y", [1], TensorProto.INT64)], [("s", np.array([2**40], np.int64))],
    )  # fmt: skip


def cyclic():
    return model(
        [
            helper.make_node("Add", ["x", "b"], ["a"], "forth"),
            helper.make_node("Relu", ["a"], ["b"], "back"),
        ],
        [value("x", [2, 8])], [value("a", [2, 8])],
    )  # fmt: skip


def mismatched():
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        [value("x", ["n", 7])], [value("y", ["n", 12])], [("w", ternary(8, 12))],
    )  # fmt: skip


def external(path):
    """`linear` with its weight in a file beside it. Gives that file's path."""
    result = linear()
    data = os.path.basename(path) + ".data"
    tensor = result.graph.initializer[0]
    with open(path + ".data", "wb") as file:
        file.write(tensor.raw_data)
    onnx.external_data_helper.set_external_data(tensor, data, offset=0, length=len(tensor.raw_data))
    tensor.ClearField("raw_data")
    onnx.save(result, path)
    return path + ".data"


def main(name, path):
    good = linear().SerializeToString()
    if name == "truncated":
        contents = good[: len(good) // 2]
    elif name == "random":
        contents = np.random.default_rng(2).bytes(4096)
    elif name == "empty":
        contents = b""
    elif name in ("external", "missing-data", "short-data"):
        data = external(path)
        if name == "missing-data":
            os.remove(data)
        elif name == "short-data":
            os.truncate(data, 100)
        return
    else:
        models = {
            "linear": linear, "output-twice": output_twice,
            "unknown-ops": unknown_ops, "cyclic": cyclic,
            "unknown-standard-op": unknown_standard_op, "mismatched": mismatched,
            "rank-9": rank_9, "huge-shape": huge_shape, "no-shape": no_shape,
            "string-input": string_input, "no-columns": no_columns,
            "large-constant": large_constant,
        }  # fmt: skip
        contents = models[name]().SerializeToString()
    with open(path, "wb") as file:
        file.write(contents)


if __name__ == "__main__":
    main(*sys.argv[1:])
