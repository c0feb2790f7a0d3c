# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights of a checkpoint, read in pieces: no matrix is ever whole in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .._errors import ExportError

# Elements that are in memory at a time.
PIECE = 1 << 22

# ONNX's TensorProto.DataType.
FLOAT, FLOAT16, BFLOAT16, INT2 = 1, 10, 16, 26


@dataclass
class Dense:
    """A float tensor.

    Attributes:
        shape: its shape.
        dtype: FLOAT, FLOAT16 or BFLOAT16.
        pieces: gives its little-endian bytes, in order.
    """

    shape: tuple[int, ...]
    dtype: int
    pieces: Callable[[], Iterator[bytes]]

    @property
    def item_bytes(self) -> int:
        return 4 if self.dtype == FLOAT else 2

    def floats(self) -> Iterator[np.ndarray]:
        """The elements as float32, in pieces."""
        for piece in self.pieces():
            yield decode_floats(piece, self.dtype)

    def read(self) -> np.ndarray:
        """The whole tensor in float32; for vectors."""
        return np.concatenate([np.zeros(0, np.float32), *self.floats()]).reshape(self.shape)


@dataclass
class Ternary:
    """A matrix of {-1, 0, 1} and its scales: weight = code * scale.

    Attributes:
        shape: (outputs, inputs).
        scale: float32 of shape (), (outputs,) or (outputs, inputs / block).
        pieces: gives the codes in ONNX's INT2, four to a byte, in row-major order.
        block: inputs that share a scale; 0 where `scale` has no such dimension.
    """

    shape: tuple[int, int]
    scale: np.ndarray
    pieces: Callable[[], Iterator[bytes]]
    block: int = 0


def decode_floats(data: bytes, dtype: int) -> np.ndarray:
    """float32 of little-endian bytes."""
    if dtype == BFLOAT16:
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, "<f4" if dtype == FLOAT else "<f2").astype(np.float32)


def _int2_table() -> tuple[np.ndarray, np.ndarray]:
    """For a byte of four codes in {0, 1, 2}: the same with one less in two's
    complement, and whether there is a 3 among them."""
    codes = (np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3
    packed = (((codes + 3) & 3) << np.array([0, 2, 4, 6])).sum(1)
    return packed.astype(np.uint8), (codes == 3).any(1)


_TO_INT2, _IS_BAD = _int2_table()


def pack_words(words: np.ndarray, name: str) -> bytes:
    """INT2 of uint32 words that hold four codes {0, 1, 2} each, one in the low bits
    of each byte.

    Raises:
        ExportError: a code is 3.
    """
    # Moves the four pairs of bits, which the product keeps apart, to the top.
    quads = ((words * np.uint32(0x01041040)) >> np.uint32(24)).astype(np.uint8)
    if _IS_BAD[quads].any():
        raise ExportError(f"{name}: a 2-bit code is 3, the weights are not ternary")
    return _TO_INT2[quads].tobytes()


def pack_codes(codes: np.ndarray, name: str) -> bytes:
    """INT2 of codes {0, 1, 2}, uint8 of any shape; the last byte is filled with 0."""
    flat = np.ascontiguousarray(codes, np.uint8).ravel()
    if len(flat) % 4:
        flat = np.concatenate([flat, np.ones(-len(flat) % 4, np.uint8)])
    return pack_words(flat.view("<u4"), name)


def pack_rows(rows: Iterable[np.ndarray], name: str) -> Iterator[bytes]:
    """INT2 of pieces of codes that together make a matrix, whatever their sizes."""
    rest = np.zeros(0, np.uint8)
    for piece in rows:
        flat = np.concatenate([rest, piece.ravel()]) if len(rest) else piece.ravel()
        whole = len(flat) // 4 * 4
        rest = flat[whole:]
        if whole:
            yield pack_codes(flat[:whole], name)
    if len(rest):
        yield pack_codes(rest, name)


def from_packed_planes(read: Callable[[], np.ndarray], rows: int, name: str) -> Callable[[], Iterator[bytes]]:
    """INT2 of Hugging Face's packing: uint8 [R, inputs], whose bits 2i, 2i + 1 hold
    row i * R + r."""

    def pieces() -> Iterator[bytes]:
        packed = read()
        planes, inputs = packed.shape
        if inputs % 4:
            yield from pack_rows(
                ((packed[: max(0, min(planes, rows - i * planes))] >> np.uint8(2 * i)) & np.uint8(3) for i in range(4)),
                name,
            )
            return
        words = packed.view("<u4")
        step = max(1, PIECE // inputs)
        for i in range(4):
            end = max(0, min(planes, rows - i * planes))
            for begin in range(0, end, step):
                part = words[begin : min(begin + step, end)]
                yield pack_words((part >> np.uint32(2 * i)) & np.uint32(0x03030303), name)

    return pieces


def quantize(weight: Dense, name: str) -> Ternary:
    """The ternary matrix that the online quantiser makes of float weights: absmean,
    in float32, rounding half to even."""
    total = sum(float(np.abs(piece).sum(dtype=np.float64)) for piece in weight.floats())
    mean = np.float32(total / max(1, weight.shape[0] * weight.shape[1]))
    if not np.isfinite(mean):
        raise ExportError(f"{name}: the weights are not finite")
    scale = np.float32(1) / max(mean, np.float32(1e-5))

    def codes() -> Iterator[np.ndarray]:
        for piece in weight.floats():
            yield (np.clip(np.rint(piece * scale), -1, 1) + 1).astype(np.uint8)

    return Ternary(weight.shape, np.float32(1) / scale, lambda: pack_rows(codes(), name))


# Runs of inputs that may share a scale, besides whole rows.
_BLOCKS = (256, 128, 64, 32, 16)


def _rows(weight: Dense) -> Iterator[np.ndarray]:
    """Whole rows of a matrix in float32, some at a time."""
    inputs = weight.shape[1]
    rest = np.zeros(0, np.float32)
    for piece in weight.floats():
        flat = np.concatenate([rest, piece]) if len(rest) else piece
        whole = len(flat) // inputs * inputs
        rest = flat[whole:]
        yield flat[:whole].reshape(-1, inputs)


def _largest(rows: np.ndarray, block: int) -> tuple[np.ndarray, bool]:
    """The largest magnitude of each run of `block` inputs, and whether no run has
    another but 0."""
    magnitudes = np.abs(rows).reshape(len(rows), -1, block)
    largest = magnitudes.max(-1)
    return largest, bool(((magnitudes == 0) | (magnitudes == largest[..., None])).all())


def read_ternary(weight: Dense, name: str) -> Ternary:
    """The ternary matrix that floats are, each -s, 0 or s, with the fewest scales
    that do: one, one for each row, or one for each run of inputs.

    Raises:
        ExportError: they are no such matrix.
    """
    outputs, inputs = weight.shape
    blocks = [inputs, *(block for block in _BLOCKS if block < inputs and inputs % block == 0)]
    for rows in _rows(weight):
        if not np.isfinite(rows).all():
            raise ExportError(f"{name}: the weights are not finite")
        blocks = [block for block in blocks if _largest(rows, block)[1]]
        if not blocks:
            raise ExportError(
                f"{name}: the weights are not ternary (-s, 0 or s for the matrix, a row or a group of 16 to 256 inputs); "
                "for float master weights, config.json has a quantization_config with quantization_mode online"
            )
    block = blocks[0]
    scale = np.concatenate([_largest(rows, block)[0] for rows in _rows(weight)])
    # Where all weights are 0, any scale does.
    scale[scale == 0] = scale.max() or np.float32(1)

    def codes() -> Iterator[np.ndarray]:
        for piece in weight.floats():
            yield (np.sign(piece) + 1).astype(np.uint8)

    result = Ternary((outputs, inputs), scale, lambda: pack_rows(codes(), name))
    if (scale == scale.flat[0]).all():
        result.scale = scale[0, 0]
    elif block == inputs:
        result.scale = scale[:, 0]
    else:
        result.block = block
    return result
