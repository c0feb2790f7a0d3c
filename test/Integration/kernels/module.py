# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""IR of the bitnet phase under construction."""

import numpy as np

NAMES = {np.dtype(np.float32): "f32", np.dtype(np.int8): "i8", np.dtype(np.int16): "i16", np.dtype(np.int32): "i32"}


def tensor(extents, element):
    """The type of a tensor; an extent of None is dynamic."""
    return "tensor<" + "".join("?x" if e is None else f"{e}x" for e in extents) + f"{element}>"


def join(values):
    """`%a, %b : type, type` of (name, type) pairs."""
    return f"{', '.join(v for v, _ in values)} : {', '.join(k for _, k in values)}"


class Module:
    """A function @main whose arguments and results are added one by one. `tokens`
    is the extent M of its cases, None where it is dynamic."""

    def __init__(self, tokens=None):
        self.tokens = tokens
        self.arguments, self.body, self.results, self.resources = [], [], [], []
        self.names = set()

    def emit(self, *lines):
        self.body += lines

    def argument(self, name, extents, element):
        """An input; gives its (name, type)."""
        kind = tensor(extents, element)
        self.arguments.append(f'%{name}: {kind} {{onnx.name = "{name}"}}')
        return f"%{name}", kind

    def result(self, name, value):
        """`value` is a (name, type)."""
        self.results.append((name, *value))

    def splat(self, value):
        """A tensor<1xf32> constant."""
        name = f"%c{len(self.body)}"
        self.emit(f"{name} = arith.constant dense<{value:.8e}> : tensor<1xf32>")
        return name, "tensor<1xf32>"

    def constant(self, values):
        name = f"%c{len(self.body)}"
        kind = tensor(values.shape, "f32")
        rows = np.atleast_2d(values)
        text = ", ".join("[" + ", ".join(f"{v:.8e}" for v in row) + "]" for row in rows)
        self.emit(f"{name} = arith.constant dense<{'[' + text + ']' if values.ndim == 2 else text}> : {kind}")
        return name, kind

    def weights(self, values, binary):
        """A constant of low-bit weights."""
        name = f"w{len(self.resources)}"
        codes, bits = ((values + 1) // 2, 1) if binary else (values + 1, 2)
        flat = codes.astype(np.uint8).ravel()
        flat = np.unpackbits(flat[:, None], axis=1, bitorder="little")[:, :bits].ravel()
        data = np.packbits(flat, bitorder="little").tobytes()
        self.resources.append(f'{name}: "0x{(64).to_bytes(4, "little").hex()}{data.hex()}"')
        kind = tensor(values.shape, "!bitnet." + ("binary" if binary else "ternary"))
        self.emit(f"%{name} = bitnet.constant dense_resource<{name}> : {kind}")
        return f"%{name}", kind

    def empty(self, extents, element, like):
        """An empty tensor whose dynamic extents are those of `like`, in place."""
        name, kind, sizes = f"%e{len(self.body)}", tensor(extents, element), []
        for dim, extent in enumerate(extents):
            if extent is None:
                index, size = f"%i{len(self.body)}", f"%d{len(self.body)}"
                self.emit(
                    f"{index} = arith.constant {dim} : index", f"{size} = tensor.dim {like[0]}, {index} : {like[1]}"
                )
                sizes.append(size)
        self.emit(f"{name} = tensor.empty({', '.join(sizes)}) : {kind}")
        return name, kind

    def op(self, name, inputs, outputs, attributes="", clauses=""):
        """A bitnet op; gives its results."""
        result = f"%r{len(self.body)}"
        kinds = ", ".join(kind for _, kind in outputs)
        self.emit(
            f"{result}:{len(outputs)} = bitnet.{name} ins({join(inputs)}) {clauses} outs({join(outputs)}) "
            f"{{{attributes}}} -> {kinds}"
        )
        return [(f"{result}#{i}", kind) for i, (_, kind) in enumerate(outputs)]

    def text(self):
        results = ", ".join(f'{kind} {{onnx.name = "{name}"}}' for name, _, kind in self.results)
        values, kinds = ", ".join(v for _, v, _ in self.results), ", ".join(k for _, _, k in self.results)
        body = "\n    ".join(self.body)
        text = (
            f"module {{\n  func.func @main({', '.join(self.arguments)}) -> ({results}) "
            f'attributes {{bitnet.entry = "main"}} {{\n    {body}\n    return {values} : {kinds}\n  }}\n}}\n'
        )
        if self.resources:
            resources = ",\n    ".join(self.resources)
            text += f"{{-# dialect_resources: {{ builtin: {{\n    {resources}\n}} }} #-}}\n"
        return text
