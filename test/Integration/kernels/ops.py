# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The bitnet ops beside linear layers, against numpy: quantised
integers and row sums exactly, floats to rounding. Every op runs with a static and
with a dynamic number of tokens."""

import numpy as np
from module import NAMES, Module

# Operands in the first list of an op; the rest are in clauses.
PLAIN = {"quantize": 1, "norm": 1, "rotary": 3, "attention": 3}
SCALINGS = (
    "reciprocal_multiply", "divide_multiply", "multiply_divide", "divide_step", "reciprocal_step", "normalize_multiply",
)  # fmt: skip


class Cases:
    """Ops on inputs of their own, in one module. Each case gives an op's name, its
    inputs, its outputs with their expected values and tolerances, and its
    attributes; the dimensions in `dynamic` become `?`."""

    def __init__(self):
        self.module = Module()
        self.inputs, self.expected = {}, {}

    def case(self, op, inputs, outputs, attributes, clauses="", dynamic=(), more=()):
        """`more` are operands of the IR that follow the inputs."""

        def extents(array):
            return [None if dim in dynamic else extent for dim, extent in enumerate(array.shape)]

        values = []
        for array in inputs:
            name = f"a{len(self.inputs)}"
            self.inputs[name] = array
            values.append(self.module.argument(name, extents(array), NAMES[array.dtype]))
        empties = [self.module.empty(extents(array), NAMES[array.dtype], values[0]) for array, _ in outputs]
        for i, (value, kind) in enumerate(values):
            clauses = clauses.replace(f"@{i}", value).replace(f"#{i}", kind)
        results = self.module.op(op, [*values[: PLAIN[op] - len(more)], *more], empties, attributes, clauses)
        for result, expected in zip(results, outputs):
            name = f"r{len(self.expected)}"
            self.module.result(name, result)
            self.expected[name] = expected


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


def normed_quantize_cases(module, random, tokens, width, dynamic):
    """Of rows whose statistics are exact, so that the integers are."""
    if width % 2:
        return
    x = random.permuted(np.tile(np.float32([-1, 1]), (tokens, width // 2)), axis=1)
    w, b = (random.integers(-8, 9, width).astype(np.float32) for _ in range(2))
    for kind, clauses, more, y in (
        ("rms", "", [], x), ("layer", "weight(@1 : #1)", [w], x * w), ("rms", "weight(@1 : #1) bias(@2 : #2)", [w, b], x * w + b),
    ):  # fmt: skip
        absmax = np.maximum(np.abs(y).max(1, keepdims=True), np.float32(1e-5))
        q = np.clip(np.rint(scale(y, absmax, 127, "reciprocal_multiply")), -128, 127)
        step = (absmax[:, 0] / np.float32(127)).astype(np.float32)
        inputs = [x] if dynamic else [x, *more]
        if dynamic and more:
            continue
        module.case(
            "quantize", inputs, [(q.astype(np.int8), 0), (step, 1e-6), (q.sum(1).astype(np.int32), 0)],
            f"bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64, "
            f"norm = #bitnet.norm_kind<{kind}>, norm_epsilon = 0.0 : f32", clauses, dynamic,
        )  # fmt: skip


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


def later_values_cases(module, random, tokens, depth):
    """The last token's values are infinite or no numbers, which no earlier token may notice."""
    for heads, groups in ((4, 4), (4, 2), (6, 2)):
        q = random.standard_normal((1, heads, tokens, depth)).astype(np.float32)
        k, v = (random.standard_normal((1, groups, tokens, depth)).astype(np.float32) for _ in range(2))
        scores = np.einsum("bhid,bhjd->bhij", q.astype(np.float64), np.repeat(k, heads // groups, 1)) * 0.125
        hidden = np.arange(tokens) > np.arange(tokens)[:, None]
        y = softmax(scores + np.where(hidden, -np.inf, 0)) @ np.repeat(v, heads // groups, 1)
        v[:, :, -1] = np.resize(np.float32([np.inf, -np.inf, np.nan]), depth)
        y[:, :, -1] = np.repeat(v, heads // groups, 1)[:, :, -1]
        module.case("attention", [q, k, v], [(y.astype(np.float32), 2e-6)], "causal, scale = 0.125 : f32")


def to_bfloat16(x):
    """The nearest bf16, ties to even, as f32."""
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32)


# What a cache holds of f32 values, as the arrays that bitnet-run reads and writes.
CACHES = {"f32": lambda x: x, "f16": lambda x: x.astype(np.float16), "bf16": to_bfloat16}


def hard_to_round(shape):
    """Ties of f16 and bf16, their neighbours, and what f16 has as subnormals or not at all."""
    ties = np.concatenate([1 + np.arange(16) / 2**11, 1 + np.arange(16) / 2**8])
    ties = np.concatenate([ties * scale for scale in (1, -(2.0**-14), 2.0**15 - 2.0**4, 2.0**-20, 2.0**-24, 2.0**-130)])
    ties = np.concatenate([ties, [-0.0, 65504, 65519.99, 2.0**-25, 3 * 2.0**-25]]).astype(np.float32)
    ties = np.concatenate([ties, np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(7e4))])
    return np.resize(ties[np.abs(ties) < 65520], shape)


class Cache:
    """A cache of any type as an argument, and rows that are written into it."""

    def __init__(self, cases, random, kind, shape, new, position):
        module = cases.module
        old = CACHES[kind](random.standard_normal(shape).astype(np.float32))
        self.after = old.copy()
        self.after[:, :, position : position + new.shape[2]] = CACHES[kind](new)
        arguments = []
        for array, element in ((new, "f32"), (old, kind)):
            name = f"a{len(cases.inputs)}"
            cases.inputs[name] = array
            arguments.append(module.argument(name, array.shape, element))
        self.index = (f"%p{len(module.body)}", "index")
        module.emit(f"{self.index[0]} = arith.constant {position} : index")
        self.value = module.op("cache_update", [arguments[0], self.index], [arguments[1]])[0]
        name = f"r{len(cases.expected)}"
        module.result(name, self.value)
        cases.expected[name] = (self.after, 0)


def cache_cases(cases, random, tokens, depth, capacity, position, kinds):
    """Rows written into caches of every type, to the bit, and an attention that reads the caches. Sums of floats differ
    by much less than a rounding that is missing or done twice."""
    batch, heads, groups, keys = 2, 6, 2, position + tokens
    shape = (batch, groups, capacity, depth)
    q = random.standard_normal((batch, heads, tokens, depth)).astype(np.float32)
    for kind in kinds:
        Cache(cases, random, kind, shape, hard_to_round((batch, groups, tokens, depth)), position)
        k, v = (
            Cache(cases, random, kind, shape, random.standard_normal((batch, groups, tokens, depth)).astype(np.float32), position)
            for _ in range(2)
        )
        wide = [np.repeat(c.after.astype(np.float64)[:, :, :keys], heads // groups, 1) for c in (k, v)]
        hidden = np.arange(keys) > position + np.arange(tokens)[:, None]
        for attribute, mask in (("causal, ", np.where(hidden, -np.inf, 0)), ("", 0)):
            y = softmax(np.einsum("bhid,bhjd->bhij", q, wide[0]) * 0.125 + mask) @ wide[1]
            cases.case(
                "attention", [q], [(y.astype(np.float32), 4e-6)], f"{attribute}scale = 0.125 : f32",
                f"position({k.index[0]})", more=[k.value, v.value],
            )  # fmt: skip


def cases(full):
    """The module, its inputs and its outputs. Attention takes long to compile: but for `full`, one type of cache a shape."""
    random = np.random.default_rng(7)
    result = Cases()
    for tokens, width in ((1, 1), (1, 384), (5, 40), (3, 333)):
        for dynamic in ((), (0,)):
            quantize_cases(result, random, tokens, width, dynamic)
            norm_cases(result, random, tokens, width, dynamic)
            normed_quantize_cases(result, random, tokens, width, dynamic)
    for tokens, depth in ((1, 64), (5, 6)):
        rotary_cases(result, random, tokens, depth)
    for tokens, depth, keys in ((1, 64, 200), (5, 40, 7), (3, 33, 65), (2, 128, 64)):
        attention_cases(result, random, tokens, depth, keys)
    for tokens, depth in ((3, 33), (66, 32)):
        later_values_cases(result, random, tokens, depth)
    for kind, tokens, depth, capacity, position in (
        ("f16", 1, 64, 300, 211), ("bf16", 1, 40, 9, 8), ("f16", 3, 33, 70, 64), ("bf16", 70, 128, 128, 5),
    ):  # fmt: skip
        cache_cases(result, random, tokens, depth, capacity, position, CACHES if full else [kind])
    return result.module, result.inputs, result.expected
