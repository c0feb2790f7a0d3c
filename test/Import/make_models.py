# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Writes the models of this folder's tests: make_models.py FOLDER

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F32, I64 = TensorProto.FLOAT, TensorProto.INT64


def value(name, shape, dtype=F32):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs, outputs, initializers=(), opset=18, ir_version=10, **kwargs):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(initializers))
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version, **kwargs
    )


def node(op_type, inputs, outputs, **attributes):
    return helper.make_node(op_type, inputs, outputs, name="n_" + outputs[0], **attributes)


def linear(rows=256, columns=128, **kwargs):
    """A weight over 64 KiB, so that it is a resource."""
    weight = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    return model(
        [node("MatMul", ["x", "w"], ["y"])],
        [value("x", ["batch", rows])],
        [value("y", ["batch", columns])],
        [numpy_helper.from_array(weight, "w")],
        **kwargs,
    )


def external(folder, name, cut=None, location=None, rename=False):
    """The linear model with its weight in NAME.bin."""
    proto = linear()
    path = os.path.join(folder, name + ".onnx")
    onnx.save(proto, path, save_as_external_data=True, location=name + ".bin", size_threshold=0)
    data = os.path.join(folder, name + ".bin")
    if cut:
        with open(data, "r+b") as file:
            file.truncate(cut)
    if rename:
        os.rename(data, data + ".moved")
    if location:
        proto = onnx.load(path, load_external_data=False)
        for entry in proto.graph.initializer[0].external_data:
            if entry.key == "location":
                entry.value = location
        with open(path, "wb") as file:
            file.write(proto.SerializeToString())


def decoder():
    """Token ids, an embedding, a cache of one layer: the signature of a decoder."""
    table = np.ones((64, 512), dtype=np.float32)
    shape = np.array([0, 0, 4, 128], dtype=np.int64)
    nodes = [
        node("Gather", ["table", "input_ids"], ["embedding"]),
        node("Reshape", ["embedding", "shape"], ["heads"]),
        node("Transpose", ["heads"], ["key"], perm=[0, 2, 1, 3]),
        node("Concat", ["past.key", "key"], ["present.key"], axis=2),
        node("Identity", ["embedding"], ["logits"]),
    ]
    return model(
        nodes,
        [value("input_ids", ["batch", "seq"], I64), value("past.key", ["batch", 4, "past", 128])],
        [value("logits", ["batch", "seq", 512]),
         value("present.key", ["batch", 4, "past + seq", 128])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(shape, "shape")],
    )


def function_call():
    body = [node("Mul", ["a", "a"], ["b"])]
    square = helper.make_function("local", "Square", ["a"], ["b"], body,
                                  [helper.make_opsetid("", 18)])
    call = helper.make_node("Square", ["x"], ["y"], name="call", domain="local")
    proto = model([call], [value("x", ["n"])], [value("y", ["n"])], functions=[square])
    proto.opset_import.append(helper.make_opsetid("local", 1))
    return proto


def constants():
    """Initializers of narrow types."""
    outputs, nodes, tensors = [], [], []
    for dtype, data in [
        (TensorProto.INT4, [-8, 7, 1]),
        (TensorProto.UINT4, [15, 0, 1]),
        (TensorProto.BFLOAT16, [1.0, -2.0, 0.5]),
        (TensorProto.FLOAT16, [1.0, -2.0, 0.5]),
        (TensorProto.BOOL, [True, False, True]),
        (TensorProto.UINT8, [255, 0, 1]),
    ]:
        name = TensorProto.DataType.Name(dtype).lower()
        tensors.append(helper.make_tensor("c_" + name, dtype, [3], data))
        nodes.append(node("Identity", ["c_" + name], [name]))
        outputs.append(value(name, [3], dtype))
    return model(nodes, [], outputs, tensors, opset=21)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    x, y = [value("x", ["n"])], [value("y", ["n"])]
    models = {
        "linear": linear(),
        "linear_opset13": linear(opset=13, ir_version=7),
        "decoder": decoder(),
        "function": function_call(),
        "expanded": model([node("MeanVarianceNormalization", ["x"], ["y"])],
                          [value("x", [1, 2, 3, 4])], [value("y", [1, 2, 3, 4])]),
        "constants": constants(),
        "optional": model([node("Clip", ["x", "", "high"], ["y"])], x, y,
                          [numpy_helper.from_array(np.float32(6), "high")]),
        "cyclic": model([node("Add", ["x", "b"], ["a"]), node("Neg", ["a"], ["b"]),
                         node("Abs", ["b"], ["y"])], x, y),
        "undefined": model([node("Add", ["x", "ghost"], ["y"])], x, y),
        "twice": model([node("Abs", ["x"], ["y"]), node("Neg", ["x"], ["y"])], x, y),
        "unknown": model([node("Frobnicate", ["x"], ["a"]), node("Abs", ["a"], ["b"]),
                          helper.make_node("Blur", ["b"], ["y"], name="n_y", domain="vendor")],
                         x, y),
        "mismatch": model([node("MatMul", ["x", "w"], ["y"])], [value("x", ["n", 3])],
                          [value("y", ["n", 2])],
                          [numpy_helper.from_array(np.zeros((4, 2), np.float32), "w")]),
        "old_opset": linear(opset=8),
    }
    models["unknown"].opset_import.append(helper.make_opsetid("vendor", 1))
    listed = linear(ir_version=3, opset=13)
    listed.graph.input.append(value("w", [256, 128]))
    models["listed_initializer"] = listed
    for name, proto in models.items():
        with open(os.path.join(folder, name + ".onnx"), "wb") as file:
            file.write(proto.SerializeToString())
    whole = models["linear"].SerializeToString()
    with open(os.path.join(folder, "truncated.onnx"), "wb") as file:
        file.write(whole[: len(whole) // 2])
    with open(os.path.join(folder, "random.onnx"), "wb") as file:
        file.write(np.random.default_rng(0).bytes(4096))
    external(folder, "external")
    external(folder, "missing", rename=True)
    external(folder, "short", cut=1000)
    external(folder, "escaping", location="../external.bin")


main(sys.argv[1])
