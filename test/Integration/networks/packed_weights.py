# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX Runtime's MatMulNBits and GatherBlockQuantized: every width, with zero
points absent, packed or floats, and rows that are no multiple of the block, against
onnxruntime. All cases are nodes of one model."""

import argparse
import itertools
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import bitnet_tools as tools

TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}
# N and K; the first is large enough for its bytes to stay outside the IR.
SHAPES = [(520, 544), (33, 80), (1, 100), (70, 16), (65, 257)]


def pack(codes, bits):
    """Integers along the last dimension as bytes, each row padded to whole ones."""
    per_byte = 8 // bits
    padding = [(0, 0)] * (codes.ndim - 1) + [(0, -codes.shape[-1] % per_byte)]
    codes = np.pad(codes, padding).reshape(*codes.shape[:-1], -1, per_byte)
    return (codes << (bits * np.arange(per_byte))).sum(-1).astype(np.uint8)


class Cases:
    def __init__(self):
        self.nodes, self.inputs, self.outputs, self.tensors, self.feeds = [], [], [], [], {}
        self.expected = {}  # what onnxruntime does not compute

    def add(self, op, name, rank, feeds, constants, **attributes):
        """A node; `constants` and `feeds` are by the place of the input."""
        names = []
        for place in range(max([*feeds, *constants]) + 1):
            value = f"{name}_{place}"
            if place in feeds:
                array = feeds[place]
                shape = [f"{value}_{i}" for i in range(array.ndim - 1)] + [array.shape[-1]]
                self.inputs.append(helper.make_tensor_value_info(value, TYPES[array.dtype], shape))
                self.feeds[value] = array
            elif place in constants:
                tensor = constants[place]
                if isinstance(tensor, np.ndarray):
                    tensor = numpy_helper.from_array(tensor)
                tensor.name = value
                self.tensors.append(tensor)
            else:
                value = ""
            names.append(value)
        self.nodes.append(helper.make_node(op, names, [name], name, domain="com.microsoft", **attributes))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank))

    def model(self, with_indices=True):
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self.nodes]
        for node in nodes:
            if not with_indices and node.op_type == "MatMulNBits" and len(node.input) > 4:
                node.input[4] = ""
        graph = helper.make_graph(nodes, "packed", self.inputs, self.outputs, self.tensors)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def add_matmul(cases, random, bits, points, ternary, shape, block):
    (n, k), blocks = shape, -(-shape[1] // block)
    middle = 1 << (bits - 1)
    zero = np.full((n, blocks), middle)
    if points != "absent":
        zero = random.integers(1, (1 << bits) - 1, (n, blocks))
    low, high = (-1, 2) if ternary else (-middle, middle)
    weights = random.integers(low, high, (n, blocks, block))
    codes = np.clip(weights + zero[..., None], 0, (1 << bits) - 1)
    # Of both signs, as quantisers of symmetric ranges make them.
    scales = (random.uniform(0.5, 2, (n, blocks)) * random.choice([-1, 1], (n, blocks))).astype(np.float32)
    constants = {1: pack(codes, bits), 2: scales}
    if points == "packed":
        constants[3] = pack(zero, bits)
    elif points == "whole":
        constants[3] = zero.astype(np.float32)
    elif points == "floats":
        constants[3] = (zero + 0.25).astype(np.float32)
    if n % 2:
        constants[5] = random.standard_normal(n).astype(np.float32)
    if (bits, points) == (4, "packed"):
        constants[4] = (np.arange(k) // block).astype(np.int32)
        constants[2] = scales.reshape(-1)
    rows = (3, k) if k % 3 else (2, 2, k)
    x = random.standard_normal(rows).astype(np.float32)
    name = f"matmul_{bits}_{points}_{'ternary' if ternary else 'other'}_{n}x{k}_{block}"
    cases.add("MatMulNBits", name, len(rows), {0: x}, constants, K=k, N=n, bits=bits, block_size=block)
    # Groups of fewer than 16 weights are none of a low-bit layer's.
    return ternary and points != "floats" and (k <= block or np.gcd(k, block) >= 16)


def add_permuted_matmul(cases, random, bits, points, shape, block):
    """Groups of columns anywhere, as GPTQ's order of activations makes them;
    onnxruntime takes 4 bits for granted then."""
    (n, k), middle = shape, 1 << (bits - 1)
    blocks = -(-k // block)
    groups = random.permutation(np.arange(k) // block)
    zero = random.integers(1, (1 << bits) - 1, (n, blocks)) if points else np.full((n, blocks), middle)
    codes = random.integers(-1, 2, (n, k)) + zero[:, groups]
    scales = random.uniform(0.5, 2, (n, blocks)).astype(np.float32)
    stored = np.zeros((n, blocks * block), np.int64)
    stored[:, :k] = codes
    constants = {1: pack(stored.reshape(n, blocks, block), bits), 2: scales, 4: groups.astype(np.int32)}
    if points:
        constants[3] = pack(zero, bits)
    x = random.standard_normal((3, k)).astype(np.float32)
    name = f"permuted_{bits}_{points}_{n}x{k}_{block}"
    cases.add("MatMulNBits", name, 2, {0: x}, constants, K=k, N=n, bits=bits, block_size=block)
    cases.expected[name] = x @ ((codes - zero[:, groups]) * scales[:, groups]).astype(np.float32).T
    return k <= block or np.gcd(k, block) >= 16


def matmuls(cases, random):
    """Adds matmuls and gives the number of those to be low-bit layers."""
    forms = [
        (bits, points, ternary)
        for ternary in (True, False)
        for points in ("absent", "packed", "whole", "floats")
        for bits in (2, 4, 8)
        if (bits, points) not in ((8, "whole"), (8, "floats"))  # onnxruntime has none
    ]
    shapes, blocks = itertools.cycle(SHAPES), itertools.cycle((32, 16, 128, 64))
    permuted = [(2, False, (520, 544), 32), (2, True, (33, 80), 16), (4, True, (40, 256), 64), (2, True, (24, 100), 32)]
    count = sum(add_permuted_matmul(cases, random, *form) for form in permuted)
    return count + sum(add_matmul(cases, random, *form, next(shapes), next(blocks)) for form in forms)


def gathers(cases, random):
    for index, (kind, given) in enumerate(itertools.product((2, 4, 8, "INT4", "UINT4"), (True, False))):
        rows, columns, block = ((40, 96, 16), (300, 260, 32), (7, 128, 128))[index % 3]
        bits = kind if isinstance(kind, int) else 4
        low = -8 if kind == "INT4" else 0
        blocks = -(-columns // block)
        codes = random.integers(low, low + (1 << bits), (rows, columns))
        zero = random.integers(low, low + (1 << bits), (rows, blocks))

        def stored(values):
            if isinstance(kind, int):
                return pack(values, bits)
            return helper.make_tensor("", TensorProto.DataType.Value(kind), values.shape, values.reshape(-1))

        constants = {0: stored(codes), 2: random.uniform(0.5, 2, (rows, blocks)).astype(np.float32)}
        if given:
            constants[3] = stored(zero)
        ids = random.integers(-rows, rows, (2, 5) if index % 2 else (4,))
        attributes = {"bits": bits} if isinstance(kind, int) else {}
        cases.add("GatherBlockQuantized", f"gather_{kind}_{given}_{rows}x{columns}", ids.ndim + 1, {1: ids}, constants,
                  block_size=block, quantize_axis=1, gather_axis=0, **attributes)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    source, phase, artifact = (os.path.join(arguments.folder, f"model.{end}") for end in ("onnx", "mlir", "so"))
    failures = 0
    for seed in range(arguments.seeds):
        random, cases = np.random.default_rng(seed), Cases()
        linears = matmuls(cases, random)
        gathers(cases, random)
        onnx.save(cases.model(), source)
        tools.compile_model(source, phase, "--compile-to=bitnet")
        with open(phase, encoding="utf-8") as file:
            found = file.read().count(" bitnet.linear ")
        if found != linears:
            failures += 1
            print(f"seed {seed}: {found} low-bit layers, expected {linears}")
        tools.compile_model(source, artifact, target="native")
        got = tools.run(artifact, cases.feeds, os.path.join(arguments.folder, "run"))
        # onnxruntime 1.32 takes no notice of packed zero points beside g_idx.
        plain = cases.model(with_indices=False).SerializeToString()
        expected = onnxruntime.InferenceSession(plain).run(None, cases.feeds)
        for output, want in zip(cases.outputs, expected):
            result, want = got[output.name], cases.expected.get(output.name, want)
            error = np.abs(result - want).max() / np.abs(want).max() if result.shape == want.shape else np.inf
            if not error < 2e-6:
                failures += 1
                print(f"seed {seed}, {output.name}: shape {result.shape}, expected {want.shape}, error {error:.1e}")
    print(f"{failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
