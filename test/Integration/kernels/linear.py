# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Low-bit linear layers on every variant and lowering, exactly.

Each module (IR of the bitnet phase) holds many layers of awkward shapes. Integer
sums are compared bit by bit with those of numpy: steps and scales are 1, and no sum
reaches 2^24, so that their float form is exact too."""

import argparse
import itertools
import os
import sys

import numpy as np

import bitnet_tools as tools

TOKENS = (1, 2, 3, 7, 17, 64)
# (N, K): under a tile, odd, one, one over, whole tiles; deep.
SHAPES = ((1, 1), (3, 5), (64, 16), (65, 17), (40, 72), (129, 333), (128, 384), (16, 4096), (7, 40000))


class Module:
    """A bitnet-phase module under construction, with the inputs that it takes and
    the outputs that it must give."""

    def __init__(self, random):
        self.random = random
        self.arguments, self.body, self.results, self.resources = [], [], [], []
        self.inputs, self.expected = {}, {}

    def argument(self, name, array, element):
        self.arguments.append(f'%{name}: tensor<{shape(array)}x{element}> {{onnx.name = "{name}"}}')
        self.inputs[name] = array

    def weights(self, name, values, binary):
        kind = "binary" if binary else "ternary"
        codes, bits = ((values + 1) // 2, 1) if binary else (values + 1, 2)
        flat = codes.astype(np.uint8).ravel()
        flat = np.unpackbits(flat[:, None], axis=1, bitorder="little")[:, :bits].ravel()
        data = np.packbits(flat, bitorder="little").tobytes()
        self.resources.append(f'{name}: "0x{(64).to_bytes(4, "little").hex()}{data.hex()}"')
        self.body.append(
            f"%{name} = bitnet.constant dense_resource<{name}> : tensor<{shape(values)}x!bitnet.{kind}>"
        )

    def layer(self, name, tokens, rows, columns, binary, activations, groups, extremes):
        choices = [-1, 1] if binary else [-1, 0, 1]
        w = self.random.choice(choices, (rows, columns)).astype(np.int64)
        low, high = {"i8": (-128, 127), "i16": (-128, 128), "f32": (-8, 8)}[activations]
        x = self.random.integers(low, high, (tokens, columns), endpoint=True)
        if extremes:
            w[:] = choices[-1]
            w[::2] = -1
            x[:] = high
            x[::2] = low
        dtype = {"i8": np.int8, "i16": np.int16, "f32": np.float32}[activations]
        self.argument(f"x{name}", x.astype(dtype), activations)
        self.weights(f"w{name}", w, binary)
        scale, scale_type = "%one", "tensor<1xf32>"
        per_group = np.ones((rows, 1))
        if groups > 1:
            # Powers of two keep the sums exact.
            per_group = 2.0 ** self.random.integers(-2, 3, (rows, groups))
            scale, scale_type = f"%s{name}", f"tensor<{rows}x{groups}xf32>"
            text = ", ".join("[" + ", ".join(f"{v:.4e}" for v in row) + "]" for row in per_group)
            self.body.append(f"{scale} = arith.constant dense<[{text}]> : {scale_type}")
        quantized = ""
        if activations != "f32":
            self.argument(f"m{name}", x.sum(1).astype(np.int32), "i32")
            quantized = f"quantized(%one, %m{name} : tensor<1xf32>, tensor<{tokens}xi32>)"
        result = f"tensor<{tokens}x{rows}xf32>"
        self.body += [
            f"%e{name} = tensor.empty() : {result}",
            f"%y{name} = bitnet.linear ins(%x{name}, %w{name}, {scale} : "
            f"tensor<{tokens}x{columns}x{activations}>, tensor<{rows}x{columns}x!bitnet."
            f"{'binary' if binary else 'ternary'}>, {scale_type}) {quantized} "
            f"outs(%e{name} : {result}) -> {result}",
        ]
        self.results.append((f"y{name}", result))
        weights = w * np.repeat(per_group, columns // per_group.shape[1], 1)
        self.expected[f"y{name}"] = x.astype(np.float64) @ weights.T

    def text(self):
        results = ", ".join(f'{kind} {{onnx.name = "{name}"}}' for name, kind in self.results)
        names = ", ".join(f"%{name}" for name, _ in self.results)
        kinds = ", ".join(kind for _, kind in self.results)
        body = "\n    ".join(["%one = arith.constant dense<1.0> : tensor<1xf32>"] + self.body)
        resources = ",\n    ".join(self.resources)
        return (
            f"module {{\n  func.func @main({', '.join(self.arguments)}) -> ({results}) "
            f'attributes {{bitnet.entry = "main"}} {{\n    {body}\n    return {names} : {kinds}\n  }}\n}}\n'
            f"{{-# dialect_resources: {{ builtin: {{\n    {resources}\n}} }} #-}}\n"
        )


def shape(array):
    return "x".join(map(str, array.shape))


def layers(module, tokens):
    count = itertools.count()
    for (rows, columns), binary in itertools.product(SHAPES, (False, True)):
        module.layer(next(count), tokens, rows, columns, binary, "i8", 1, extremes=False)
    module.layer(next(count), tokens, 33, 65536 if tokens < 4 else 4096, False, "i8", 1, extremes=True)
    module.layer(next(count), tokens, 65, 333, True, "i8", 1, extremes=True)
    for binary in (False, True):
        module.layer(next(count), tokens, 40, 256, binary, "i8", 4, extremes=False)
        module.layer(next(count), tokens, 65, 100, binary, "i16", 1, extremes=False)
        module.layer(next(count), tokens, 65, 100, binary, "f32", 1, extremes=False)
    module.layer(next(count), tokens, 72, 384, False, "f32", 3, extremes=False)
    module.layer(next(count), tokens, 72, 128, True, "i8", 8, extremes=False)


def check(arguments, tokens, lowering):
    folder = arguments.folder
    module = Module(np.random.default_rng(tokens))
    layers(module, tokens)
    source = os.path.join(folder, f"linear-{tokens}.mlir")
    artifact = os.path.join(folder, f"linear-{tokens}-{lowering}.so")
    with open(source, "w", encoding="utf-8") as file:
        file.write(module.text())
    tools.compile_model(source, artifact, f"--lowering={lowering}", target=arguments.target)
    failures = 0
    for setting, options in tools.settings(artifact, arguments):
        outputs = tools.run(artifact, module.inputs, os.path.join(folder, "run"), *options)
        for name, expected in module.expected.items():
            if not np.array_equal(outputs[name].astype(np.float64), expected):
                failures += 1
                print(f"M = {tokens}, {lowering}, {setting}: {name} differs: "
                      f"shape {expected.shape}, {np.abs(outputs[name] - expected).max()}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--target", help="of the compiler (default: its own)")
    tools.add_machine_options(parser)
    parser.add_argument("--tokens", type=int, nargs="*", default=TOKENS)
    parser.add_argument("--lowering", nargs="+", default=("dot", "addsub"))
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    return sum(
        check(arguments, tokens, lowering)
        for tokens in arguments.tokens
        for lowering in arguments.lowering
    )


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
