# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: from_phases.py FOLDER

Compiles linear.onnx, and its onnx.mlir and bitnet.mlir, and compares what the
three artifacts compute with the product itself."""

import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

import bitnet_tools as tools


def main(folder):
    source = os.path.join(folder, "linear.onnx")
    weight = numpy_helper.to_array(onnx.load(source).graph.initializer[0])
    x = np.random.default_rng(3).standard_normal((5, 8)).astype(np.float32)
    for name in ("linear.onnx", "onnx.mlir", "bitnet.mlir"):
        artifact = os.path.join(folder, name + ".so")
        tools.compile_model(os.path.join(folder, name), artifact)
        outputs = tools.run(artifact, {"x": x}, os.path.join(folder, name + ".run"))
        np.testing.assert_allclose(outputs["y"], x @ weight, rtol=1e-5, atol=1e-5)


if __name__ == "__main__":
    main(sys.argv[1])
