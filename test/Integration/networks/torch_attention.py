# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torch.nn.MultiheadAttention around a ternary layer, of fixed and of free shapes,
gives what eager PyTorch gives."""

import os
import sys
import warnings

import numpy as np
import torch

import bitnet_tools as tools

WIDTH, HEADS = 30, 5


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(WIDTH, WIDTH, bias=False)
        self.linear.weight.data = torch.randint(-1, 2, (WIDTH, WIDTH)) * 0.25
        self.attention = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, x):
        y = self.linear(x)
        return self.attention(y, y, y, need_weights=False)[0]


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for opset in (17, 18):
        for axes in ({}, {"x": {0: "batch", 1: "tokens"}}):
            torch.manual_seed(0)
            model, x = Layer().eval(), torch.randn(2, 7, WIDTH)
            path, artifact = (os.path.join(folder, f"{opset}-{len(axes)}.{kind}") for kind in ("onnx", "so"))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    model, (x,), path, dynamo=False, opset_version=opset, input_names=["x"], output_names=["y"],
                    dynamic_axes=axes,
                )  # fmt: skip
            tools.compile_model(path, artifact)
            got = tools.run(artifact, {"x": x.numpy()}, folder)["y"]
            with torch.no_grad():
                error = np.abs(got - model(x).numpy()).max()
            if not error < 1e-5:
                sys.exit(f"{path}: differs by {error}")


if __name__ == "__main__":
    main()
