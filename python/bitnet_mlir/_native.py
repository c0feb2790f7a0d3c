# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C interfaces of runtime.h and bitnet_tokenizer.h, through ctypes."""

from __future__ import annotations

import ctypes
import functools
import os
import pathlib
from ctypes import POINTER, Structure, c_char, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

from ._errors import BitNetError, error_for_code

MAX_RANK = 8
ENTRY_MAIN, ENTRY_CACHED = 0, 1


class Status(Structure):
    _fields_ = [("code", c_int32), ("message", c_char * 508)]


class Dim(Structure):
    _fields_ = [("extent", c_int64), ("symbol", c_char_p)]


class TensorInfo(Structure):
    _fields_ = [("name", c_char_p), ("dtype", c_uint32), ("rank", c_uint32), ("dims", POINTER(Dim))]


class EntryInfo(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("kind", c_uint32),
        ("tokens", c_int64),
        ("workspace_bytes", c_uint64),
        ("macs", c_uint64),
        ("weight_bytes", c_uint64),
        ("input_count", c_uint32),
        ("output_count", c_uint32),
        ("inputs", POINTER(TensorInfo)),
        ("outputs", POINTER(TensorInfo)),
    ]


class VariantInfo(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("feature_count", c_uint32),
        ("features", POINTER(c_char_p)),
        ("runnable", c_int32),
        ("device", c_uint32),
        ("kernel_count", c_uint32),
        ("obstacle", c_char_p),
    ]


class ModelInfo(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("producer", c_char_p),
        ("triple", c_char_p),
        ("archive_bytes", c_uint64),
        ("weight_bytes", c_uint64),
        ("state_bytes", c_uint64),
        ("max_context", c_int64),
        ("vocabulary", c_int64),
        ("stop_token_count", c_uint32),
        ("stop_tokens", POINTER(c_int64)),
        ("variant_count", c_uint32),
        ("entry_count", c_uint32),
        ("state_count", c_uint32),
        ("variants", POINTER(VariantInfo)),
        ("entries", POINTER(EntryInfo)),
        # Not NUL-terminated, hence no c_char_p.
        ("tokenizer", c_void_p),
        ("tokenizer_bytes", c_uint64),
    ]


class OpenOptions(Structure):
    _fields_ = [("struct_size", c_uint32), ("inspect_only", c_int32)]


class SessionOptions(Structure):
    _fields_ = [("struct_size", c_uint32), ("threads", c_int32), ("variant", c_char_p), ("timed", c_int32)]


class Tensor(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("dtype", c_uint32),
        ("rank", c_uint32),
        ("shape", c_int64 * MAX_RANK),
        ("data", c_void_p),
    ]


_STATUS = POINTER(Status)
# name: (result, arguments); a result of None is void.
_RUNTIME = {
    "bn_model_open": (c_int32, [c_char_p, POINTER(OpenOptions), POINTER(c_void_p), _STATUS]),
    "bn_model_get_info": (POINTER(ModelInfo), [c_void_p]),
    "bn_model_close": (None, [c_void_p]),
    "bn_session_create": (c_int32, [c_void_p, POINTER(SessionOptions), POINTER(c_void_p), _STATUS]),
    "bn_session_close": (None, [c_void_p]),
    "bn_session_variant": (c_char_p, [c_void_p]),
    "bn_session_threads": (c_int32, [c_void_p]),
    "bn_session_device_seconds": (c_double, [c_void_p]),
    "bn_session_run": (c_int32, [c_void_p, POINTER(Tensor), c_uint32, POINTER(Tensor), c_uint32, _STATUS]),
    "bn_session_append": (
        c_int32,
        [c_void_p, POINTER(c_int64), c_int64, POINTER(POINTER(c_float)), POINTER(c_float), _STATUS],
    ),
    "bn_session_append_top": (
        c_int32,
        [c_void_p, POINTER(c_int64), c_int64, c_int64, POINTER(POINTER(c_float)), _STATUS],
    ),
    "bn_session_weight_bytes": (c_uint64, [c_void_p]),
    "bn_session_position": (c_int64, [c_void_p]),
    "bn_session_rewind": (c_int32, [c_void_p, c_int64, _STATUS]),
}
_TEXT = [c_void_p, POINTER(c_void_p), POINTER(c_size_t), _STATUS]
_TOKENIZER = {
    "bn_tokenizer_create": (c_int32, [c_char_p, c_size_t, POINTER(c_void_p), _STATUS]),
    "bn_tokenizer_destroy": (None, [c_void_p]),
    "bn_tokenizer_encode": (
        c_int32,
        [c_void_p, c_char_p, c_size_t, c_int32, POINTER(c_int64), c_int64, POINTER(c_int64), _STATUS],
    ),
    "bn_text_stream_create": (c_int32, [c_void_p, POINTER(c_void_p), _STATUS]),
    "bn_text_stream_destroy": (None, [c_void_p]),
    "bn_text_stream_push": (c_int32, [c_void_p, c_int64, *_TEXT[1:]]),
    "bn_text_stream_finish": (c_int32, _TEXT),
}


def find(folder: str, file: str) -> pathlib.Path | None:
    """A file of the build folder in BITNET_BUILD_DIR, where that is set, else of
    this package; None where there is none."""
    build = os.environ.get("BITNET_BUILD_DIR")
    root = pathlib.Path(build) if build else pathlib.Path(__file__).parent / "_native_files"
    path = root / folder / file
    return path if path.exists() else None


def _load(file: str, functions: dict) -> ctypes.CDLL:
    path = find("lib", file)
    if path is None:
        where = os.environ.get("BITNET_BUILD_DIR")
        raise BitNetError(
            f"{file} is not in the build folder {where} (BITNET_BUILD_DIR)"
            if where
            else f"the package lacks {file}: install it with `pip install ./python`, or set BITNET_BUILD_DIR to a build folder"
        )
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in functions.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


@functools.cache
def runtime() -> ctypes.CDLL:
    """The runtime's library."""
    return _load("libbitnet-rt.so", _RUNTIME)


@functools.cache
def tokenizer() -> ctypes.CDLL:
    """The tokenizer's library."""
    return _load("libbitnet-tokenizer.so", _TOKENIZER)


def check(function, *arguments) -> None:
    """Calls a function whose last parameter is a status; raises what it reports."""
    status = Status()
    code = function(*arguments, ctypes.byref(status))
    if code:
        message = status.message.decode("utf-8", "replace")
        raise error_for_code(code, message or f"the runtime reported error {code}")
