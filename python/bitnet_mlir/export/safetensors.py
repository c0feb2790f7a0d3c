# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Safetensors files, read in pieces."""

from __future__ import annotations

import json
import os
import pathlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._errors import ExportError
from .weights import BFLOAT16, FLOAT, FLOAT16, PIECE, Dense

_FLOATS = {"F32": FLOAT, "F16": FLOAT16, "BF16": BFLOAT16}
_ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "U8": 1, "I8": 1}
_LONGEST_HEADER = 100 << 20


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies."""

    file: pathlib.Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


class SafeTensors:
    """The tensors of a checkpoint folder: one file, or those of an index.

    Raises:
        ExportError: a file is missing or damaged.
    """

    def __init__(self, folder: pathlib.Path):
        index = folder / "model.safetensors.index.json"
        if index.exists():
            files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
            if any(pathlib.PurePath(file).name != file for file in files):
                raise ExportError(f"{index}: names files of other folders")
        else:
            files = ["model.safetensors"]
        self.entries: dict[str, Entry] = {}
        for file in files:
            self._read_header(folder / file)

    def _read_header(self, path: pathlib.Path) -> None:
        try:
            size = path.stat().st_size
            with open(path, "rb") as file:
                length = struct.unpack("<Q", file.read(8))[0]
                if length > min(size, _LONGEST_HEADER):
                    raise ValueError("its header is longer than the file")
                header = json.loads(file.read(length))
            for name, value in header.items():
                if name == "__metadata__":
                    continue
                begin, end = value["data_offsets"]
                shape = tuple(value["shape"])
                item = _ITEM_BYTES.get(value["dtype"])
                if item is not None and int(np.prod(shape, dtype=object)) * item != end - begin:
                    raise ValueError(f"the size of {name} is not that of its shape")
                if not 0 <= begin <= end <= size - 8 - length:
                    raise ValueError(f"{name} is not within the file")
                self.entries[name] = Entry(path, value["dtype"], shape, 8 + length + begin, end - begin)
        except FileNotFoundError:
            raise ExportError(f"{path}: no such file") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            raise ExportError(f"{path}: no safetensors file: {error}") from error

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of a tensor. Read, not mapped: mapped pages would count as
        memory that the process uses."""
        with open(entry.file, "rb") as file:
            file.seek(entry.offset)
            left = entry.size
            while left:
                data = file.read(min(left, 2 * PIECE))
                if not data:
                    raise ExportError(f"{entry.file}: the file ends early")
                left -= len(data)
                yield data

    def dense(self, name: str) -> Dense:
        """A float tensor."""
        entry = self.entries[name]
        if entry.dtype not in _FLOATS:
            raise ExportError(f"{name}: a float tensor (F32, F16, BF16) is wanted, got {entry.dtype}")
        return Dense(entry.shape, _FLOATS[entry.dtype], lambda: self.pieces(entry))

    def bytes(self, name: str) -> np.ndarray:
        """A whole tensor of U8."""
        entry = self.entries[name]
        return np.frombuffer(b"".join(self.pieces(entry)), np.uint8).reshape(entry.shape)

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(os.path.getsize(file) for file in {entry.file for entry in self.entries.values()})
