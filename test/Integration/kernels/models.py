# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small networks: quantise, low-bit layer, activation function, several times. No
float sum is in them, so every bit of the result is determined: integer sums by the
reference kernels, the float operations around them by numpy in f32."""

import numpy as np
import reference

F32 = np.float32
# Qb, qmin, qmax: bytes, four bits, and {-1, 0, 1}.
QUANTIZERS = {"i8": (127, -128, 127), "i4": (7, -8, 7), "unit": (1, -1, 1)}


class Network:
    """`layers` are (outputs, binary, quantiser, activation function)."""

    def __init__(self, name, width, layers):
        self.name, self.width, self.layers = name, width, layers
        random = np.random.default_rng(width)
        self.parameters = []
        for outputs, binary, _, _ in layers:
            weights = random.choice([-1, 1] if binary else [-1, 0, 1], (outputs, width)).astype(np.int8)
            scales = random.uniform(0.01, 0.1, outputs).astype(F32)
            bias = random.standard_normal(outputs).astype(F32)
            self.parameters.append((weights, scales, bias))
            width = outputs

    def build(self, module):
        m = module.tokens
        x = module.argument(f"x{self.name}", (m, self.width), "f32")
        width = self.width
        for (outputs, binary, quantizer, function), (weights, scales, bias) in zip(self.layers, self.parameters):
            bound, low, high = QUANTIZERS[quantizer]
            empties = [module.empty((m, width), "i8", x), module.empty((m,), "f32", x), module.empty((m,), "i32", x)]
            values, steps, sums = module.op(
                "quantize", [x], empties,
                f"bound = {bound}.0 : f32, epsilon = 1.0e-5 : f32, qmin = {low} : i64, qmax = {high} : i64",
            )  # fmt: skip
            w, scale, b = module.weights(weights, binary), module.constant(scales), module.constant(bias)
            clauses = f"quantized({steps[0]}, {sums[0]} : {steps[1]}, {sums[1]}) bias({b[0]} : {b[1]})"
            y = module.empty((m, outputs), "f32", x)
            if function == "rescale":
                # Sums that two rescales share: no fused layer.
                c = module.op("matmul", [values, w], [module.empty((m, outputs), "i32", x)])[0]
                first = module.op("rescale", [c, steps, scale], [y])[0]
                module.result(f"z{self.name}", module.op("rescale", [c, steps, module.splat(0.5)], [y])[0])
                x = first
            else:
                attributes = f"activation = #bitnet.activation<{function}>"
                x = module.op("linear", [values, w, scale], [y], attributes, clauses)[0]
            width = outputs
        module.result(f"y{self.name}", x)

    def data(self, random, tokens):
        x = (random.standard_normal((tokens, self.width)) * 3).astype(F32)
        inputs, expected = {f"x{self.name}": x}, {}
        for (_, _, quantizer, function), (weights, scales, bias) in zip(self.layers, self.parameters):
            values, steps, _ = reference.quantize(x, *QUANTIZERS[quantizer])
            sums = reference.matmul(values, weights).astype(F32) * steps[:, None]
            if function == "rescale":
                expected[f"z{self.name}"] = (sums * F32(0.5), 0)
                x = sums * scales
                continue
            x = sums * scales + bias
            if function != "none":
                x = np.maximum(x, F32(0))
            if function == "relu_squared":
                x = x * x
        expected[f"y{self.name}"] = (x, 0)
        return inputs, expected


def cases(full):
    result = [
        Network("ternary", 40, [(96, False, "i8", "relu_squared"), (33, False, "i4", "none")]),
        Network("binary", 50, [(70, True, "unit", "relu"), (64, False, "unit", "rescale"), (7, True, "i8", "none")]),
    ]
    if full:
        result.append(Network("deep", 200, [(130, b, q, "relu") for q in QUANTIZERS for b in (False, True)]))
    return result
