# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays and the element types of ONNX."""

from __future__ import annotations

import numpy as np

from ._errors import ArgumentError

# ONNX's TensorProto.DataType and numpy's names. bfloat16 needs ml_dtypes.
_NAMES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
}  # fmt: skip
_TYPES = {name: number for number, name in _NAMES.items()}


def dtype_name(number: int) -> str:
    """numpy's name of an ONNX data type."""
    return _NAMES.get(number, f"type {number}")


def dtype_number(dtype: np.dtype) -> int:
    """The ONNX data type of a numpy one."""
    if dtype.name not in _TYPES:
        raise ArgumentError(f"arrays of {dtype} are not supported")
    return _TYPES[dtype.name]


def numpy_dtype(number: int) -> np.dtype:
    """The numpy dtype of an ONNX data type."""
    name = dtype_name(number)
    if name == "bfloat16":
        try:
            import ml_dtypes
        except ImportError:
            raise ArgumentError("arrays of bfloat16 need the package ml_dtypes") from None
        return np.dtype(ml_dtypes.bfloat16)
    if number not in _NAMES:
        raise ArgumentError(f"arrays of {name} are not supported")
    return np.dtype(name)


def as_array(value, name: str) -> np.ndarray:
    """A dense array of a numpy array, of anything with DLPack on the CPU (shared,
    not copied) or of nested lists."""
    if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
        try:
            value = np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            raise ArgumentError(f"input '{name}' cannot be shared by DLPack: {error}") from error
    array = np.asarray(value)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    # Not np.ascontiguousarray, which turns scalars into vectors.
    return array if array.flags.c_contiguous else array.copy(order="C")
