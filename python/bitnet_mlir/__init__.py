# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles and runs 1-bit and 1.58-bit (ternary) neural networks.

    import bitnet_mlir
    bitnet_mlir.compile("decoder.onnx", "decoder.so", tokenizer="tokenizer.json")
    model = bitnet_mlir.Model("decoder.so")
    for token in model.generate("Package: lib", temperature=0):
        print(token.text, end="", flush=True)

`bitnet_mlir.nn` has the layers for training (needs torch), `bitnet_mlir.export`
what turns checkpoints and modules into ONNX (needs onnx).
"""

from __future__ import annotations

import importlib

from ._errors import ArgumentError, ArtifactError, BitNetError, CompileError, ExportError, OutOfMemoryError
from .compiler import compile, find_compiler
from .model import Generation, Model, Session, TensorSpec, Token
from .sampling import Sampler
from .tokenizer import TextStream, Tokenizer

__version__ = "0.1.0"
__all__ = [
    "ArgumentError", "ArtifactError", "BitNetError", "CompileError", "ExportError", "Generation", "Model",
    "OutOfMemoryError", "Sampler", "Session", "TensorSpec", "TextStream", "Token", "Tokenizer", "compile",
    "export", "find_compiler", "nn",
]  # fmt: skip


def __getattr__(name: str):
    # These need packages that running a model does not.
    if name in ("export", "nn"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
