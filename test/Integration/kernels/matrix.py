# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The matrix of kernel tests: random matmuls, other ops and small models, over
targets, their variants, lowerings and packings, and numbers of tokens. Integers are
those of runtime/reference, bit by bit.

BITNET_RUN is the command that runs artifacts: bitnet-run, or an emulator with
bitnet-run for another machine."""

import argparse
import itertools
import os
import sys

import matmuls
import models
import numpy as np
import ops
from module import Module

import bitnet_tools as tools

LOWERINGS = ("auto", "dot", "lut", "addsub", "popcount")
TOKENS = (1, 2, 3, 7, 17, 64, 200)
# Static numbers of tokens have tilings of their own; the rest share a dynamic one.
# From 32 on, every length of vector makes blocks of tokens; 161 are two panels or more of every length.
STATIC_TOKENS = (1, 9, 17, 56, 161)


def differs(got, expected, tolerance):
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return f"{got.dtype} {got.shape} for {expected.dtype} {expected.shape}"
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0, np.abs(got.astype(np.float64) - expected))
    if np.all(same | np.isfinite(expected) & (error <= tolerance * np.maximum(1, np.abs(expected)))):
        return None
    return f"by {np.nanmax(error)} in {np.count_nonzero(error)} of {error.size} elements"


class Matrix:
    def __init__(self, arguments):
        self.arguments = arguments
        self.failures = self.comparisons = 0

    def compile(self, name, module, lowering, packing, unit):
        """`packing` is that of ternary weights; of `unit` None is the compiler's choice."""
        source = os.path.join(self.arguments.folder, f"{name}.mlir")
        artifact = os.path.join(self.arguments.folder, f"{name}-{lowering}-{packing}-{unit}.so")
        with open(source, "w", encoding="utf-8") as file:
            file.write(module.text())
        options = [f"--lowering={lowering}"]
        if unit:
            packed = os.path.join(self.arguments.folder, f"{name}-packed.mlir")
            layout = f"--bitnet-layout=unit={unit} lowering={lowering} ternary-packing={packing}"
            tools.call("bitnet-opt", source, layout, "-o", packed)
            source = packed
        else:
            options.append(f"--ternary-packing={packing}")
        tools.compile_model(source, artifact, *options, target=self.arguments.target)
        return artifact

    def check(self, artifact, label, inputs, expected):
        for setting, options in tools.settings(artifact, self.arguments):
            outputs = tools.run(artifact, inputs, os.path.join(self.arguments.folder, "run"), *options)
            for name, (value, tolerance) in expected.items():
                self.comparisons += 1
                if problem := differs(outputs[name], value, tolerance):
                    self.failures += 1
                    print(f"{label}, {setting}: {name} differs: {problem}")

    def run_cases(self, name, cases, tokens, extent):
        module = Module(extent)
        for case in cases:
            case.build(module)
        options = self.arguments
        for packing, unit, lowering in itertools.product(options.packings, options.units, options.lowerings):
            artifact = self.compile(f"{name}-{extent or 'any'}", module, lowering, packing, unit)
            label = f"{lowering}, {packing}" + (f", unit {unit}" if unit else "")
            for count in tokens:
                random = np.random.default_rng(count)
                inputs, expected = {}, {}
                for case in cases:
                    more_inputs, more_expected = case.data(random, count)
                    inputs |= more_inputs
                    expected |= more_expected
                self.check(artifact, f"{name}, M = {count}, {label}", inputs, expected)

    def run(self):
        full, tokens = self.arguments.full, self.arguments.tokens
        for name, part in (("matmuls", matmuls), ("models", models)):
            if name in self.arguments.parts:
                cases = part.cases(full)
                self.run_cases(name, cases, tokens, None)
                for count in self.arguments.static_tokens:
                    self.run_cases(name, cases, [count], count)
        if "ops" in self.arguments.parts:
            module, inputs, expected = ops.cases(full)
            self.check(self.compile("ops", module, "auto", "planes2", None), "ops", inputs, expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="for what the test writes")
    parser.add_argument("--full", action="store_true", help="every shape, and all numbers of tokens")
    parser.add_argument("--target", help="of the compiler (default: its own)")
    tools.add_machine_options(parser)
    parser.add_argument("--lowerings", nargs="*", default=LOWERINGS)
    parser.add_argument("--packings", nargs="*", default=("planes2",), help="of ternary weights")
    parser.add_argument("--units", type=int, nargs="*", default=(None,), help="bytes of a row in a block of packed weights")
    parser.add_argument("--parts", nargs="*", default=("matmuls", "models", "ops"))
    parser.add_argument("--tokens", type=int, nargs="*")
    parser.add_argument("--static-tokens", type=int, nargs="*", help="numbers of them that the compiler knows")
    arguments = parser.parse_args()
    arguments.tokens = arguments.tokens or (TOKENS if arguments.full else (1, 3, 51))
    arguments.static_tokens = arguments.static_tokens or (STATIC_TOKENS if arguments.full else STATIC_TOKENS[:2])
    os.makedirs(arguments.folder, exist_ok=True)
    matrix = Matrix(arguments)
    matrix.run()
    print(f"{matrix.comparisons} comparisons, {matrix.failures} failures")
    return matrix.failures or not matrix.comparisons


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
