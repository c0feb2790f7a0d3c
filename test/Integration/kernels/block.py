# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The bitnet ops beside linear layers, on every variant, against numpy: quantised
integers and row sums exactly, floats to rounding. Every op runs with a static and
with a dynamic number of tokens."""

import argparse
import os
import sys

import numpy as np

import bitnet_tools as tools

NAMES = {np.dtype(np.float32): "f32", np.dtype(np.int8): "i8", np.dtype(np.int16): "i16", np.dtype(np.int32): "i32"}


SCALINGS = (
    "reciprocal_multiply", "divide_multiply", "multiply_divide", "divide_step", "reciprocal_step", "normalize_multiply",
)  # fmt: skip


class Module:
    """A bitnet-phase module under construction. Each case gives an op's name, its
    inputs, its outputs with their expected values, and its attributes; `dynamic`
    names the dimensions (as extents) that become `?`."""

    def __init__(self):
        self.arguments, self.body, self.results = [], [], []
        self.inputs, self.expected, self.count = {}, {}, 0

    def kind(self, array, dynamic):
        # Only leading extents are ever dynamic.
        dims = ["?" if dynamic and i in dynamic else str(d) for i, d in enumerate(array.shape)]
        return f"tensor<{'x'.join(dims)}x{NAMES[array.dtype]}>"

    def argument(self, array, dynamic):
        name = f"a{len(self.arguments)}"
        self.arguments.append(f'%{name}: {self.kind(array, dynamic)} {{onnx.name = "{name}"}}')
        self.inputs[name] = array
        return f"%{name}", self.kind(array, dynamic)

    def case(self, op, inputs, outputs, attributes, clauses="", dynamic=()):
        number = self.count
        self.count += 1
        values = [self.argument(array, dynamic) for array in inputs]
        empties = []
        for i, (array, _) in enumerate(outputs):
            kind = self.kind(array, dynamic)
            sizes = []
            for dim in range(array.ndim):
                if dim in dynamic:
                    self.body.append(f"%i{number}_{i}_{dim} = arith.constant {dim} : index")
                    self.body.append(
                        f"%d{number}_{i}_{dim} = tensor.dim {values[0][0]}, %i{number}_{i}_{dim} : {values[0][1]}"
                    )
                    sizes.append(f"%d{number}_{i}_{dim}")
            self.body.append(f"%e{number}_{i} = tensor.empty({', '.join(sizes)}) : {kind}")
            empties.append((f"%e{number}_{i}", kind))
        for i, (value, kind) in enumerate(values):
            clauses = clauses.replace(f"@{i}", value).replace(f"#{i}", kind)
        main = [v for i, v in enumerate(values) if i < self.plain(op)]
        kinds = ", ".join(kind for _, kind in empties)
        self.body.append(
            f"%r{number}:{len(outputs)} = bitnet.{op} ins({join(main)}) {clauses} outs({join(empties)}) "
            f"{{{attributes}}} -> {kinds}"
        )
        for i, (array, check) in enumerate(outputs):
            name = f"r{number}_{i}"
            self.results.append((name, f"%r{number}#{i}", empties[i][1]))
            self.expected[name] = (array, check)

    @staticmethod
    def plain(op):
        return {"quantize": 1, "norm": 1, "rotary": 3, "attention": 3}[op]

    def text(self):
        results = ", ".join(f'{kind} {{onnx.name = "{name}"}}' for name, _, kind in self.results)
        values = ", ".join(value for _, value, _ in self.results)
        kinds = ", ".join(kind for _, _, kind in self.results)
        body = "\n    ".join(self.body)
        return (
            f"func.func @main({', '.join(self.arguments)}) -> ({results}) "
            f'attributes {{bitnet.entry = "main"}} {{\n    {body}\n    return {values} : {kinds}\n}}\n'
        )


def join(values):
    return f"{', '.join(v for v, _ in values)} : {', '.join(k for _, k in values)}"


def scale(x, absmax, bound, scaling):
    one, bound = np.float32(1), np.float32(bound)
    return {
        "reciprocal_multiply": lambda: x * ((one / absmax) * bound),
        "divide_multiply": lambda: x * (bound / absmax),
        "multiply_divide": lambda: (x * bound) / absmax,
        "divide_step": lambda: x / (absmax / bound),
        "reciprocal_step": lambda: x * (one / (absmax / bound)),
        "normalize_multiply": lambda: (x / absmax) * bound,
    }[scaling]()


def quantize_cases(module, random, tokens, width, dynamic):
    x = (random.standard_normal((tokens, width)) * 3).astype(np.float32)
    x[0] = 0
    forms = ((127, -128, 127, np.int8), (128, -128, 128, np.int16), (7, -8, 7, np.int8))
    for i, scaling in enumerate(SCALINGS):
        for j, granularity in enumerate(("token", "tensor")):
            # Every scaling meets every form over the shapes of this test.
            for bound, low, high, kind in (forms[(i + j + tokens + len(dynamic)) % len(forms)],):
                absmax = np.abs(x).max(1, keepdims=True) if granularity == "token" else np.abs(x).max()
                absmax = np.maximum(absmax, np.float32(1e-5))
                q = np.clip(np.rint(scale(x, absmax, bound, scaling)), low, high)
                step = np.atleast_1d(np.squeeze(absmax / np.float32(bound))).astype(np.float32)
                module.case(
                    "quantize",
                    [x],
                    [(q.astype(kind), 0), (step, 1e-6), (q.sum(1).astype(np.int32), 0)],
                    f"bound = {bound}.0 : f32, epsilon = 1.0e-5 : f32, qmin = {low} : i64, qmax = {high} : i64, "
                    f"scaling = #bitnet.scaling<{scaling}>, granularity = #bitnet.granularity<{granularity}>",
                    dynamic=dynamic if granularity == "token" else (),
                )


def norm_cases(module, random, tokens, width, dynamic):
    x, w, b = (random.standard_normal(s).astype(np.float32) for s in ((tokens, width), width, width))
    wide = x.astype(np.float64)
    rms = wide / np.sqrt((wide**2).mean(1, keepdims=True) + 1e-5)
    centred = wide - wide.mean(1, keepdims=True)
    layer = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
    for kind, y in (("rms", rms), ("layer", layer)):
        attributes = f"kind = #bitnet.norm_kind<{kind}>, epsilon = 1.0e-5 : f32"
        module.case("norm", [x], [(y.astype(np.float32), 2e-6)], attributes, dynamic=dynamic)
        if not dynamic:
            module.case(
                "norm", [x, w, b], [((y * w + b).astype(np.float32), 2e-6)], attributes, "weight(@1 : #1) bias(@2 : #2)"
            )


def rotary_cases(module, random, tokens, depth):
    for batch, tables in ((1, 1), (2, 1), (2, 2)):
        x = random.standard_normal((batch, 3, tokens, depth)).astype(np.float32)
        cos, sin = (random.standard_normal((tables, tokens, depth)).astype(np.float32) for _ in range(2))
        turned = np.concatenate([-x[..., depth // 2 :], x[..., : depth // 2]], -1)
        y = x * cos[:, None] + turned * sin[:, None]
        module.case("rotary", [x, cos, sin], [(y, 1e-6)], "")


def softmax(scores):
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def attention_cases(module, random, tokens, depth, keys):
    for heads, groups in ((4, 4), (6, 2), (5, 1)):
        q = random.standard_normal((2, heads, tokens, depth)).astype(np.float32)
        k, v = (random.standard_normal((2, groups, keys, depth)).astype(np.float32) for _ in range(2))
        scores = np.einsum("bhid,bhjd->bhij", q.astype(np.float64), np.repeat(k, heads // groups, 1)) * 0.125
        values = np.repeat(v, heads // groups, 1)
        mask = np.where(random.random((2, 1, tokens, keys)) < 0.3, -np.inf, 0).astype(np.float32)
        mask[..., 0] = 0
        for extra, visible, clauses, attributes in (
            ([], np.zeros(()), "", ""),
            ([mask], mask, "mask(@3 : #3)", ""),
            ([], np.where(np.arange(keys) <= np.arange(tokens)[:, None], 0, -np.inf), "", "causal, "),
        ):
            y = softmax(scores + visible) @ values
            module.case(
                "attention", [q, k, v, *extra], [(y.astype(np.float32), 2e-6)], f"{attributes}scale = 0.125 : f32", clauses
            )


def differs(got, expected, tolerance):
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return True
    return not np.all(np.abs(got.astype(np.float64) - expected) <= tolerance * np.maximum(1, np.abs(expected)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--target", help="of the compiler (default: its own)")
    tools.add_machine_options(parser)
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    random = np.random.default_rng(7)
    module = Module()
    for tokens, width in ((1, 1), (1, 384), (5, 40), (3, 333)):
        for dynamic in ((), (0,)):
            quantize_cases(module, random, tokens, width, dynamic)
            norm_cases(module, random, tokens, width, dynamic)
    for tokens, depth in ((1, 64), (5, 6)):
        rotary_cases(module, random, tokens, depth)
    for tokens, depth, keys in ((1, 64, 200), (5, 40, 7), (3, 33, 65), (2, 128, 64)):
        attention_cases(module, random, tokens, depth, keys)
    source, artifact = (os.path.join(arguments.folder, name) for name in ("block.mlir", "block.so"))
    with open(source, "w", encoding="utf-8") as file:
        file.write(module.text())
    tools.compile_model(source, artifact, target=arguments.target)
    failures = 0
    for setting, options in tools.settings(artifact, arguments):
        outputs = tools.run(artifact, module.inputs, os.path.join(arguments.folder, "run"), *options)
        for name, (expected, tolerance) in module.expected.items():
            if differs(outputs[name], expected, tolerance):
                failures += 1
                print(f"{setting}: {name} {expected.shape} differs by "
                      f"{np.abs(outputs[name].astype(np.float64) - expected).max()}")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
