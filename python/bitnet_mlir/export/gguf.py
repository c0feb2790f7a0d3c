# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""GGUF files with ternary tensors (TQ1_0, TQ2_0, I2_S).

Type numbers collide between forks, so a tensor's size must be that of its type."""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from .._errors import ExportError
from .decoder import DecoderConfig, default_frequencies
from .weights import BFLOAT16, FLOAT, FLOAT16, PIECE, Dense, Ternary, pack_rows

_TQ1_0, _TQ2_0, _I2_S = 34, 35, 36
_NAMES = {0: "F32", 1: "F16", 30: "BF16", _TQ1_0: "TQ1_0", _TQ2_0: "TQ2_0", _I2_S: "I2_S"}
_FLOATS = {0: FLOAT, 1: FLOAT16, 30: BFLOAT16}
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_BLOCK = 256
_I2_S_TAIL = 32

# Hugging Face's names of a layer's parts by GGUF's.
_PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.attn_sub_norm": "attn_sub_norm",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.ffn_sub_norm": "ffn_sub_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_GLOBALS = {"norm": "output_norm", "embed_tokens": "token_embd", "lm_head": "output"}
# The activation function of each architecture, and whether its rotary embedding
# pairs neighbouring channels, for which its converter moved rows.
_ARCHITECTURES = {
    "bitnet": ("silu", False),
    "bitnet-25": ("relu2", False),
    "bitnet-b1.58": ("relu2", False),
    "llama": ("silu", True),
}


@dataclass(frozen=True)
class Entry:
    """A tensor: its shape with the longest stride first, its type, where it lies."""

    shape: tuple[int, ...]
    type: int
    offset: int


class _Reader:
    """Little-endian values of a GGUF header."""

    def __init__(self, file: BinaryIO, size: int):
        self.file, self.size = file, size

    def scalar(self, code: str) -> Any:
        return struct.unpack(code, self.file.read(struct.calcsize(code)))[0]

    def count(self) -> int:
        """A number of things, each a byte at least."""
        value = self.scalar("<Q")
        if value > self.size:
            raise ValueError("a count exceeds the file")
        return value

    def string(self) -> str:
        return self.file.read(self.count()).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            inner = self.scalar("<I")
            return [self.value(inner) for _ in range(self.count())]
        return self.scalar(_SCALARS[kind])


def _unpack_tq1_0(blocks: np.ndarray) -> np.ndarray:
    """Codes [blocks, 256] of bytes [blocks, 54]: base 3, the highest digit first,
    each byte scaled so that digits come out of products with powers of 3."""
    powers = np.array([1, 3, 9, 27, 81], np.uint8)

    def digits(data: np.ndarray, count: int) -> np.ndarray:
        """[blocks, count, bytes]"""
        scaled = data[:, None, :] * powers[:count, None]  # Modulo 256.
        return ((scaled.astype(np.uint16) * 3) >> 8).astype(np.uint8)

    parts = [digits(blocks[:, :32], 5), digits(blocks[:, 32:48], 5), digits(blocks[:, 48:52], 4)]
    return np.concatenate([part.reshape(len(blocks), -1) for part in parts], axis=1)


def _unpack_tq2_0(blocks: np.ndarray) -> np.ndarray:
    """Codes [blocks, 256] of bytes [blocks, 66]."""
    data = blocks[:, :64].reshape(-1, 2, 1, 32)
    shifts = np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1)
    return ((data >> shifts) & np.uint8(3)).reshape(len(blocks), _BLOCK)


def _unpack_i2_s(data: np.ndarray) -> np.ndarray:
    """Codes [bytes * 4]: blocks of 128 in 32 bytes, the first in the high bits."""
    shifts = np.array([6, 4, 2, 0], np.uint8).reshape(1, 4, 1)
    return ((data.reshape(-1, 1, 32) >> shifts) & np.uint8(3)).ravel()


class GGUF:
    """The weights of a GGUF file; see decoder.Weights.

    Args:
        quantize_activations: int8 for each token before ternary matrices; None is
            what the architecture's networks do.

    Raises:
        ExportError: the file is damaged, or of a kind that is not supported.
    """

    def __init__(self, path: pathlib.Path, *, quantize_activations: bool | None = None):
        self.path = path
        try:
            self._size = self.total_bytes = path.stat().st_size
            with open(path, "rb") as file:
                self._read_header(_Reader(file, self._size))
        except (OSError, ValueError, KeyError, struct.error, MemoryError) as error:
            raise ExportError(f"{path}: no GGUF file: {error}") from error
        self.architecture = self.metadata.get("general.architecture", "")
        if self.architecture not in _ARCHITECTURES:
            raise ExportError(f"{path}: the architecture '{self.architecture}' is not supported: {', '.join(_ARCHITECTURES)} are")
        self._activation, self._interleaved = _ARCHITECTURES[self.architecture]
        has_i2_s = any(entry.type == _I2_S for entry in self.tensors.values())
        if quantize_activations is None:
            quantize_activations = self.architecture != "llama" or has_i2_s
        self.config = self._read_config(quantize_activations)

    def _read_header(self, reader: _Reader) -> None:
        if reader.file.read(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        version = reader.scalar("<I")
        if version not in (2, 3):
            raise ValueError(f"version {version} is not supported")
        tensors, values = reader.count(), reader.count()
        self.metadata: dict[str, Any] = {}
        for _ in range(values):
            name = reader.string()
            self.metadata[name] = reader.value(reader.scalar("<I"))
        self.tensors: dict[str, Entry] = {}
        for _ in range(tensors):
            name = reader.string()
            rank = reader.scalar("<I")
            if rank > 4:
                raise ValueError(f"{name} has {rank} dimensions")
            shape = tuple(reader.scalar("<Q") for _ in range(rank))[::-1]
            self.tensors[name] = Entry(shape, reader.scalar("<I"), reader.scalar("<Q"))
        alignment = int(self.metadata.get("general.alignment", 32))
        if alignment < 1:
            raise ValueError("its alignment is not positive")
        self._data = (reader.file.tell() + alignment - 1) // alignment * alignment

    def _read_config(self, quantize_activations: bool) -> DecoderConfig:
        def get(name: str, default: Any = None) -> Any:
            value = self.metadata.get(f"{self.architecture}.{name}", default)
            if value is None:
                raise ExportError(f"{self.path}: the metadata {self.architecture}.{name} is missing")
            return value

        heads, hidden = get("attention.head_count"), get("embedding_length")
        head_dim = get("attention.key_length", hidden // max(1, heads))
        if get("rope.dimension_count", head_dim) != head_dim:
            raise ExportError(f"{self.path}: rotary embedding of a part of the channels is not supported")
        if get("rope.scaling.type", "none") not in ("none", ""):
            raise ExportError(f"{self.path}: scaled rotary embedding is not supported")
        if "rope_freqs.weight" in self.tensors:
            raise ExportError(f"{self.path}: rotary embedding with factors (rope_freqs) is not supported")
        eps = float(get("attention.layer_norm_rms_epsilon"))
        table = self._entry("token_embd.weight")
        return DecoderConfig(
            vocabulary=table.shape[0],
            hidden=hidden,
            intermediate=get("feed_forward_length"),
            layers=get("block_count"),
            heads=heads,
            kv_heads=get("attention.head_count_kv", heads),
            head_dim=head_dim,
            activation=self._activation,
            norm_eps=eps,
            inner_norm_eps=eps,
            rope_frequencies=default_frequencies(head_dim, get("rope.freq_base", 10000.0)),
            quantize_activations=quantize_activations,
        )

    def _name(self, name: str) -> str:
        """GGUF's name of a tensor."""
        owner, _, kind = name.rpartition(".")
        if owner in _GLOBALS:
            return f"{_GLOBALS[owner]}.{kind}"
        layer, _, part = owner.removeprefix("layers.").partition(".")
        return f"blk.{layer}.{_PARTS[part]}.{kind}" if part in _PARTS else name

    def _entry(self, name: str) -> Entry:
        if name not in self.tensors:
            raise ExportError(f"{self.path}: there is no tensor {name}")
        return self.tensors[name]

    def _expected_bytes(self, entry: Entry) -> int | None:
        count = int(np.prod(entry.shape, dtype=object))
        if entry.type in _FLOATS:
            return count * (4 if entry.type == 0 else 2)
        if entry.type in (_TQ1_0, _TQ2_0) and entry.shape[-1] % _BLOCK == 0:
            return count // _BLOCK * (54 if entry.type == _TQ1_0 else 66)
        if entry.type == _I2_S and count % 128 == 0:
            return count // 4 + _I2_S_TAIL
        return None

    def _check_size(self, name: str, entry: Entry) -> int:
        """The tensor's bytes, which must fill the room that it has."""
        expected = self._expected_bytes(entry)
        if expected is None:
            kind = _NAMES.get(entry.type, f"number {entry.type}")
            raise ExportError(
                f"{name}: the type {kind} of shape {list(entry.shape)} is not supported: {', '.join(_NAMES.values())} are "
                f"(TQ with rows of a multiple of {_BLOCK}, I2_S with a multiple of 128 elements)"
            )
        alignment = int(self.metadata.get("general.alignment", 32))
        later = [other.offset for other in self.tensors.values() if other.offset > entry.offset]
        room = (min(later) if later else self._size - self._data) - entry.offset
        if not expected <= room or (later and room - expected >= alignment):
            raise ExportError(
                f"{name}: type {entry.type} would take {expected} bytes where the file has {room}: it is of a fork "
                f"that uses this number for another type than {_NAMES[entry.type]}"
            )
        return expected

    def _read(self, entry: Entry, begin: int, size: int) -> np.ndarray:
        with open(self.path, "rb") as file:
            file.seek(self._data + entry.offset + begin)
            data = file.read(size)
        if len(data) != size:
            raise ExportError(f"{self.path}: the file ends early")
        return np.frombuffer(data, np.uint8)

    def _dense(self, name: str) -> Dense:
        entry = self._entry(name)
        if entry.type not in _FLOATS:
            raise ExportError(f"{name}: a float tensor (F32, F16, BF16) is wanted, got {_NAMES.get(entry.type, entry.type)}")
        size = self._check_size(name, entry)

        def pieces() -> Iterator[bytes]:
            for begin in range(0, size, 2 * PIECE):
                yield self._read(entry, begin, min(2 * PIECE, size - begin)).tobytes()

        return Dense(entry.shape, _FLOATS[entry.type], pieces)

    def _codes(self, entry: Entry) -> Iterator[np.ndarray]:
        """Whole rows of codes {0, 1, 2}, uint8 [rows, inputs]."""
        rows, inputs = entry.shape
        # Whole blocks of 128 for I2_S, whose rows may end within one.
        step = max(4, PIECE // inputs // 128 * 128) if inputs % 128 == 0 else 128
        for begin in range(0, rows, step):
            count = min(step, rows - begin)
            if entry.type == _I2_S:
                codes = _unpack_i2_s(self._read(entry, begin * inputs // 4, count * inputs // 4))
            else:
                width = 54 if entry.type == _TQ1_0 else 66
                blocks = count * inputs // _BLOCK
                data = self._read(entry, begin * inputs // _BLOCK * width, blocks * width).reshape(blocks, width)
                codes = _unpack_tq1_0(data) if entry.type == _TQ1_0 else _unpack_tq2_0(data)
            yield codes.reshape(count, inputs)

    def _scale(self, name: str, entry: Entry) -> tuple[np.ndarray, int]:
        """The scales, and the inputs that share one."""
        rows, inputs = entry.shape
        if entry.type == _I2_S:
            tail = self._read(entry, rows * inputs // 4, 4)
            scale, block = tail.view("<f4").reshape(()), 0
        else:
            width = 54 if entry.type == _TQ1_0 else 66
            data = self._read(entry, 0, rows * inputs // _BLOCK * width).reshape(-1, width)
            scale = data[:, -2:].copy().view("<f2").astype(np.float32).reshape(rows, inputs // _BLOCK)
            # A block of zeros has the scale 0, and any other serves it as well.
            used = np.unique(scale[scale != 0])
            scale, block = (used.reshape(()), 0) if len(used) == 1 else (scale, _BLOCK)
        if not np.isfinite(scale).all():
            raise ExportError(f"{name}: the scales are not finite")
        return scale, block

    def _moves_rows(self, name: str) -> int:
        """The heads whose rows are to be moved back, 0 where none are."""
        if not self._interleaved:
            return 0
        return {"q_proj": self.config.heads, "k_proj": self.config.kv_heads}.get(name.rpartition(".")[2], 0)

    def linear(self, name: str, outputs: int, inputs: int) -> Ternary | Dense:
        tensor = self._name(name + ".weight")
        entry = self._entry(tensor)
        if entry.shape != (outputs, inputs):
            raise ExportError(f"{tensor}: the shape [{outputs}, {inputs}] is wanted, got {list(entry.shape)}")
        heads = self._moves_rows(name)
        if entry.type in _FLOATS:
            if heads:
                raise ExportError(f"{tensor}: float queries and keys of the architecture llama are not supported")
            return self._dense(tensor)
        self._check_size(tensor, entry)
        scale, block = self._scale(tensor, entry)
        if not heads:
            return Ternary(entry.shape, scale, lambda: pack_rows(self._codes(entry), tensor), block)
        order = np.arange(outputs).reshape(heads, -1, 2).swapaxes(1, 2).ravel()
        codes = lambda: [np.concatenate(list(self._codes(entry)))[order]]  # noqa: E731
        if scale.ndim == 2:
            scale = scale[order]
        return Ternary(entry.shape, scale, lambda: pack_rows(codes(), tensor), block)

    def vector(self, name: str, size: int) -> np.ndarray | None:
        tensor = self._name(name)
        if tensor not in self.tensors:
            return None
        values = self._dense(tensor).read()
        if values.shape != (size,):
            raise ExportError(f"{tensor}: the shape [{size}] is wanted, got {list(values.shape)}")
        return values

    def table(self, vocabulary: int, hidden: int) -> Dense:
        table = self._dense("token_embd.weight")
        if table.shape != (vocabulary, hidden):
            raise ExportError(f"token_embd.weight: the shape [{vocabulary}, {hidden}] is wanted, got {list(table.shape)}")
        return table

    def has_head(self) -> bool:
        return "output.weight" in self.tensors
