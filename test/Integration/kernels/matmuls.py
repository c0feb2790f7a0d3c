# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Low-bit linear layers and matmuls of awkward shapes and extreme values. Integer
sums are those of the reference kernels, bit by bit: steps are 1 and scales powers of
two, and no sum reaches 2^24, so that their float form is exact too."""

import itertools

import numpy as np
import reference
from module import NAMES

# (N, K): one, odd, under a tile, one block, one over, whole tiles.
SHAPES = ((1, 1), (3, 5), (64, 16), (65, 17), (40, 72), (129, 333), (128, 384))
FEW_SHAPES = ((1, 1), (65, 17), (70, 333))
RANGES = {"unit": (-1, 1), "sign": (-1, 1), "i8": (-128, 127), "i16": (-128, 128), "f32": (-8, 8)}
TYPES = {"unit": np.int8, "sign": np.int8, "i8": np.int8, "i16": np.int16, "f32": np.float32}


class Matmul:
    """One layer. `activations` is an element type, or what is known of an i8:
    `unit` in {-1, 0, 1}, `sign` in {-1, 1}. `extreme` is +1 or -1 for weights and
    activations of the largest magnitude that give the largest or least sums. A `gated`
    one is multiplied by a tensor, and another is added."""

    def __init__(self, name, rows, columns, binary=False, activations="i8", groups=1, extreme=0, op="linear", gated=False):
        self.name, self.activations, self.extreme, self.op, self.gated = name, activations, extreme, op, gated
        self.shape, self.binary = (rows, columns), binary
        random = np.random.default_rng(rows * columns + groups)
        self.weights = random.choice([-1, 1] if binary else [-1, 0, 1], self.shape).astype(np.int8)
        if extreme:
            self.weights[:] = -extreme
            self.weights[1::3] = extreme
        self.scales = 2.0 ** random.integers(-2, 3, (rows, groups)) if groups > 1 else np.ones((rows, 1))

    def build(self, module):
        (rows, columns), m = self.shape, module.tokens
        element = np.dtype(TYPES[self.activations])
        x = module.argument(f"x{self.name}", (m, columns), NAMES[element])
        w = module.weights(self.weights, self.binary)
        attributes = "magnitude = 1 : i64" if self.activations in ("unit", "sign") else ""
        if self.op == "matmul":
            kind = "f32" if self.activations == "f32" else "i32"
            y = module.op("matmul", [x, w], [module.empty((m, rows), kind, x)], attributes)[0]
        else:
            scale = module.splat(1) if self.scales.shape[1] == 1 else module.constant(self.scales)
            clauses = ""
            if self.activations != "f32":
                step, sums = module.splat(1), module.argument(f"m{self.name}", (m,), "i32")
                clauses = f"quantized({step[0]}, {sums[0]} : {step[1]}, {sums[1]})"
            if self.gated:
                factor, addend = (module.argument(f"{kind}{self.name}", (m, rows), "f32") for kind in "fa")
                clauses += f" times({factor[0]} : {factor[1]}) plus({addend[0]} : {addend[1]})"
            y = module.op("linear", [x, w, scale], [module.empty((m, rows), "f32", x)], attributes, clauses)[0]
        module.result(f"y{self.name}", y)

    def data(self, random, tokens):
        """Inputs and expected outputs, each (array, tolerance)."""
        columns = self.shape[1]
        low, high = RANGES[self.activations]
        x = random.integers(low, high, (tokens, columns), endpoint=True)
        if self.activations == "sign":
            x = random.choice([-1, 1], (tokens, columns))
        if self.extreme:
            x[:] = low
            x[1::2] = high
        x = x.astype(TYPES[self.activations])
        inputs = {f"x{self.name}": x}
        if self.op == "linear" and self.activations != "f32":
            inputs[f"m{self.name}"] = x.sum(1, dtype=np.int32)
        groups = self.scales.shape[1]
        parts = zip(np.split(x, groups, 1), np.split(self.weights, groups, 1), self.scales.T)
        y = sum(reference.matmul(a, w) * scale for a, w, scale in parts)
        if self.gated:
            inputs |= {f"{kind}{self.name}": random.integers(-3, 4, y.shape).astype(np.float32) for kind in "fa"}
            y = y * inputs[f"f{self.name}"] + inputs[f"a{self.name}"]
        is_sum = self.op == "matmul" and self.activations != "f32"
        return inputs, {f"y{self.name}": (y.astype(np.int32 if is_sum else np.float32), 0)}


def cases(full):
    count = itertools.count()
    result = []

    def add(*arguments, **options):
        result.append(Matmul(next(count), *arguments, **options))

    for (rows, columns), binary in itertools.product(SHAPES if full else FEW_SHAPES, (False, True)):
        add(rows, columns, binary)
        add(rows, columns, binary, "unit")
    for binary in (False, True):
        # As deep as sums stay below 2^24; matmuls beyond.
        for extreme in (-1, 1) if full else (1,):
            add(5, 65536, binary, extreme=extreme)
            add(65, 333, binary, extreme=extreme, op="matmul")
        add(3, 65536, binary, "sign", extreme=1)
        add(72, 256, binary, "i8", groups=4)
        add(65, 48, binary, gated=True)
        add(72, 128, binary, "unit", groups=8)
        add(65, 100, binary, "sign", op="matmul")
        if full:
            add(2, 140000, binary, extreme=-1, op="matmul")
            add(65, 100, binary, "i16")
            add(65, 100, binary, "i16", op="matmul")
            add(65, 100, binary, "f32")
        add(72, 128, binary, "f32", groups=8)
        add(33, 50, binary, "f32", op="matmul")
    add(33, 50, False, "i16")
    add(64, 32, False, "i16", gated=True)
    add(40, 64, False, "f32", groups=2, gated=True)
    # Groups of scales that blocks of every packing divide.
    add(72, 320, groups=4)
    add(72, 320, False, "f32", groups=4)
    return result
