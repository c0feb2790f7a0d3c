# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The reference kernels of runtime/reference on numpy arrays. BITNET_REFERENCE names
the shared library (lit sets it)."""

import ctypes
import functools
import os

import numpy as np

TYPES = {np.dtype(np.int8): 0, np.dtype(np.int16): 1}
SCALINGS = ("reciprocal_multiply", "divide_multiply", "multiply_divide", "divide_step")


class Quantizer(ctypes.Structure):
    _fields_ = [
        ("granularity", ctypes.c_int),
        ("scaling", ctypes.c_int),
        ("bound", ctypes.c_float),
        ("epsilon", ctypes.c_float),
        ("minimum", ctypes.c_int32),
        ("maximum", ctypes.c_int32),
    ]


@functools.lru_cache
def library():
    return ctypes.CDLL(os.environ["BITNET_REFERENCE"])


def pointer(array):
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def extents(*values):
    return [ctypes.c_int64(value) for value in values]


def matmul(activations, weights):
    """i32 sums of i8 or i16 activations [M, K] times weights [N, K]; f32 of f32."""
    activations = np.ascontiguousarray(activations)
    weights = np.ascontiguousarray(weights, dtype=np.int8)
    (m, k), n = activations.shape, weights.shape[0]
    is_float = activations.dtype == np.float32
    out = np.empty((m, n), np.float32 if is_float else np.int32)
    arguments = [pointer(activations), pointer(weights), *extents(m, n, k), pointer(out)]
    if is_float:
        library().bn_reference_matmul_float(*arguments)
    else:
        library().bn_reference_matmul_integer(TYPES[activations.dtype], *arguments)
    return out


def quantize(x, bound, low, high, scaling="reciprocal_multiply"):
    """i8 values, steps and sums, per token."""
    quantizer = Quantizer(0, SCALINGS.index(scaling), bound, 1e-5, low, high)
    rows, columns = x.shape
    x = np.ascontiguousarray(x, dtype=np.float32)
    values, steps, sums = np.empty(x.shape, np.int8), np.empty(rows, np.float32), np.empty(rows, np.int32)
    library().bn_reference_quantize(
        ctypes.byref(quantizer), pointer(x), *extents(rows, columns), 0, pointer(values), pointer(steps), pointer(sums)
    )
    return values, steps, sums
