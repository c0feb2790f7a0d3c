# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: hostile.py FOLDER

One-node models whose result's size or reads depend on the inputs' values, and
arrays: a.npy is float32 [4, 3]; ints-*.npy hold int64 values, as named, with m
for minus."""

import os
import sys

import numpy as np
from onnx import TensorProto, helper
from small_models import model, value

I64 = TensorProto.INT64
BIG = 2**62


def node(op, inputs):
    return helper.make_node(op, inputs, ["y"], "it")


def main(folder):
    x, pair = value("x", ["n", 3]), value("v", [2], I64)
    any2 = [value("y", ["a", "b"])]
    models = {
        "gather": model([node("Gather", ["x", "v"])], [x, value("v", ["k"], I64)],
                        [value("y", ["k", 3])]),
        "reshape": model([node("Reshape", ["x", "v"])], [x, pair], any2),
        "expand": model([node("Expand", ["x", "v"])], [x, pair], any2),
        "tile": model([node("Tile", ["x", "v"])], [x, pair], any2),
        "fill": model([node("ConstantOfShape", ["v"])], [pair], any2),
        "product": model([node("MatMul", ["x", "x"])], [value("x", ["n", "k"])],
                         [value("y", ["n", "k"])]),
    }  # fmt: skip
    for name, proto in models.items():
        with open(os.path.join(folder, name + ".onnx"), "wb") as file:
            file.write(proto.SerializeToString())
    np.save(os.path.join(folder, "a.npy"), np.arange(12, dtype=np.float32).reshape(4, 3))
    for values in ([6, 2], [4, -5], [1, -1], [-1, -1], [7, 7], [BIG, 4], [-3, 3], [8, 3]):
        name = "_".join(str(v).replace("-", "m") for v in values).replace(str(BIG), "big")
        np.save(os.path.join(folder, f"ints-{name}.npy"), np.array(values, np.int64))


if __name__ == "__main__":
    main(sys.argv[1])
