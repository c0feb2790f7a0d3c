# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The declarations of _native.py are those of the headers."""

import re

import pytest

from bitnet_mlir import _native
from conftest import ROOT

RUNTIME = (ROOT / "runtime/include/bitnet/runtime.h").read_text(encoding="utf-8")
TOKENIZER = (ROOT / "tools/tokenizer/bitnet_tokenizer.h").read_text(encoding="utf-8")


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def fields(text, name):
    """(name, C type) of a structure's fields."""
    body = re.search(rf"typedef struct {name} \{{(.*?)\}} {name};", without_comments(text), re.DOTALL)[1]
    for declaration in body.split(";"):
        declaration = declaration.strip()
        if not declaration:
            continue
        base, first = re.match(r"((?:const )?\w+)\s*(.*)", declaration, re.DOTALL).groups()
        for part in first.split(","):
            part = re.sub(r"\[\w+\]", "", part.strip())
            pointers = part.count("*")
            yield part.replace("*", "").replace("const", "").strip(), base.replace("const ", "") + "*" * pointers


SIZES = {"int32_t": 4, "uint32_t": 4, "int64_t": 8, "uint64_t": 8}


@pytest.mark.parametrize(
    "name, structure",
    [
        ("bn_status", _native.Status),
        ("bn_dim", _native.Dim),
        ("bn_tensor_info", _native.TensorInfo),
        ("bn_entry_info", _native.EntryInfo),
        ("bn_variant_info", _native.VariantInfo),
        ("bn_model_info", _native.ModelInfo),
        ("bn_open_options", _native.OpenOptions),
        ("bn_session_options", _native.SessionOptions),
        ("bn_tensor", _native.Tensor),
    ],
)
def test_structures(name, structure):
    declared = list(fields(RUNTIME, name))
    assert [field for field, _ in declared] == [field[0] for field in structure._fields_]
    for (field, kind), (_, ctype, *_) in zip(declared, structure._fields_):
        if kind in SIZES and "Array" not in ctype.__name__:
            assert _native.ctypes.sizeof(ctype) == SIZES[kind], field


@pytest.mark.parametrize("text, functions", [(RUNTIME, _native._RUNTIME), (TOKENIZER, _native._TOKENIZER)])
def test_functions(text, functions):
    declared = dict(re.findall(r"\b(bn_\w+)\(([^)]*)\)", without_comments(text)))
    assert set(declared) == set(functions)
    for name, parameters in declared.items():
        assert len(parameters.split(",")) == len(functions[name][1]), name
