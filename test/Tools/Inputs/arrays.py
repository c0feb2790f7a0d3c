# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: arrays.py FOLDER

Arrays for an input of float32 [n, 8]: a good one and wrong ones."""

import os
import sys

import numpy as np


def main(folder):
    arrays = {
        "good": np.ones((2, 8), np.float32),
        "double": np.ones((2, 8), np.float64),
        "rank": np.ones((2, 8, 1), np.float32),
        "extent": np.ones((2, 9), np.float32),
    }
    for name, array in arrays.items():
        np.save(os.path.join(folder, name + ".npy"), array)
    with open(os.path.join(folder, "good.npy"), "rb") as file:
        contents = file.read()
    with open(os.path.join(folder, "short.npy"), "wb") as file:
        file.write(contents[:-4])


if __name__ == "__main__":
    main(sys.argv[1])
