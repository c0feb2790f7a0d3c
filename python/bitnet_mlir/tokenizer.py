# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tokenizer that artifacts carry."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterable

from . import _native


class Tokenizer:
    """A byte-pair tokenizer in the format of Hugging Face's `tokenizer.json`.

    Args:
        json: the file's text, str or UTF-8 bytes.

    Raises:
        ArgumentError: the text is ill formed or asks for what is not supported.
    """

    def __init__(self, json: str | bytes):
        data = json.encode() if isinstance(json, str) else bytes(json)
        self._library = _native.tokenizer()
        handle = ctypes.c_void_p()
        _native.check(self._library.bn_tokenizer_create, data, len(data), ctypes.byref(handle))
        self._handle = handle
        weakref.finalize(self, self._library.bn_tokenizer_destroy, handle)

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The ids of a text, those of the `tokenizers` package."""
        data = text.encode()
        count = ctypes.c_int64()
        # A token is a byte at least, except for those around the text.
        capacity = len(data) + 16
        while True:
            ids = (ctypes.c_int64 * capacity)()
            _native.check(
                self._library.bn_tokenizer_encode,
                self._handle,
                data,
                len(data),
                int(add_special_tokens),
                ids,
                capacity,
                ctypes.byref(count),
            )
            if count.value <= capacity:
                return list(ids[: count.value])
            capacity = count.value

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; special tokens and unknown ids have none."""
        stream = self.stream()
        return "".join([stream.push(token) for token in ids]) + stream.finish()

    def stream(self) -> TextStream:
        """A decoder for ids that come one by one."""
        return TextStream(self)


class TextStream:
    """Turns ids into text, one at a time; see Tokenizer.stream."""

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer  # Must outlive the stream.
        self._library = tokenizer._library
        handle = ctypes.c_void_p()
        _native.check(self._library.bn_text_stream_create, tokenizer._handle, ctypes.byref(handle))
        self._handle = handle
        weakref.finalize(self, self._library.bn_text_stream_destroy, handle)

    def _call(self, function, *arguments) -> str:
        text, size = ctypes.c_void_p(), ctypes.c_size_t()
        _native.check(function, self._handle, *arguments, ctypes.byref(text), ctypes.byref(size))
        return ctypes.string_at(text, size.value).decode("utf-8", "replace") if size.value else ""

    def push(self, token: int) -> str:
        """The text that is complete with this token. A character whose bytes are
        spread over tokens comes with the last of them."""
        return self._call(self._library.bn_text_stream_push, int(token))

    def finish(self) -> str:
        """What was held back; the end of the text."""
        return self._call(self._library.bn_text_stream_finish)
