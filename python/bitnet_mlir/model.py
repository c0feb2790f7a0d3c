# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Artifacts, opened and run."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _native
from ._arrays import as_array, dtype_name, dtype_number, numpy_dtype
from ._errors import ArgumentError, BitNetError
from .sampling import Sampler
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a model.

    Attributes:
        name: as in the ONNX model.
        dtype: numpy's name, `float32` say.
        shape: an int for each dimension, or the dimension's name (or None) where
            it is dynamic.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True)
class Token:
    """A generated token.

    Attributes:
        id: its number.
        text: what it adds to the text; empty without a tokenizer.
    """

    id: int
    text: str


def _spec(info: _native.TensorInfo) -> TensorSpec:
    dims = info.dims[: info.rank]
    shape = tuple(dim.extent if dim.extent >= 0 else (dim.symbol.decode() or None) for dim in dims)
    return TensorSpec(info.name.decode(), dtype_name(info.dtype), shape)


class Model:
    """An artifact that `compile` or bitnet-compile wrote.

    Args:
        path: the artifact.
        inspect_only: read what it is without loading its code; any machine's
            artifact can be looked at.

    Raises:
        ArtifactError: the file cannot be read, is damaged, or is for another
            version of the runtime.
    """

    def __init__(self, path: str | os.PathLike[str], *, inspect_only: bool = False):
        self.path = os.fspath(path)
        """The artifact's file."""
        self._library = _native.runtime()
        options = _native.OpenOptions(ctypes.sizeof(_native.OpenOptions), int(inspect_only))
        handle = ctypes.c_void_p()
        _native.check(
            self._library.bn_model_open, os.fsencode(path), ctypes.byref(options), ctypes.byref(handle)
        )
        self._handle = handle
        weakref.finalize(self, self._library.bn_model_close, handle)
        self._info = self._library.bn_model_get_info(handle).contents
        entries = self._info.entries[: self._info.entry_count]
        main = [entry for entry in entries if entry.kind == _native.ENTRY_MAIN]
        self.is_decoder = any(entry.kind == _native.ENTRY_CACHED for entry in entries)
        """Whether the artifact generates text, with its cache in the session."""
        self.inputs = tuple(_spec(tensor) for tensor in main[0].inputs[: main[0].input_count]) if main else ()
        """The model's own inputs, in its order."""
        self.outputs = tuple(_spec(tensor) for tensor in main[0].outputs[: main[0].output_count]) if main else ()
        """The model's own outputs, in its order."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        inputs = ", ".join(tensor.name for tensor in self.inputs)
        outputs = ", ".join(tensor.name for tensor in self.outputs)
        return f"<bitnet_mlir.Model ({inputs}) -> ({outputs})>"

    @property
    def max_context(self) -> int:
        """Tokens that the cache holds; 0 without a cache."""
        return self._info.max_context

    @property
    def vocabulary(self) -> int:
        """How many tokens a decoder knows; 0 for other models."""
        return self._info.vocabulary

    @property
    def stop_tokens(self) -> tuple[int, ...]:
        """Tokens that end a text."""
        return tuple(self._info.stop_tokens[: self._info.stop_token_count])

    @property
    def weight_bytes(self) -> int:
        """Bytes of the packed weights."""
        return self._info.weight_bytes

    @property
    def variants(self) -> dict[str, bool]:
        """The variants of the code, the best last, and whether this machine runs
        each."""
        variants = self._info.variants[: self._info.variant_count]
        return {variant.name.decode(): bool(variant.runnable) for variant in variants}

    @functools.cached_property
    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer in the artifact, None where there is none."""
        if not self._info.tokenizer:
            return None
        return Tokenizer(ctypes.string_at(self._info.tokenizer, self._info.tokenizer_bytes))

    def session(self, *, threads: int = 0, variant: str | None = None) -> Session:
        """A session of this model, with its own memory and cache; see Session."""
        return Session(self, threads=threads, variant=variant)

    @functools.cached_property
    def _default_session(self) -> Session:
        return self.session()

    def run(self, inputs: Mapping[str, Any] | None = None, /, **named: Any) -> dict[str, np.ndarray]:
        """Runs the model's own signature; see Session.run. Threads take turns: a
        session for each lets them run at once."""
        with self._lock:
            return self._default_session.run(inputs, **named)

    def __call__(self, *values: Any) -> np.ndarray | tuple[np.ndarray, ...]:
        """Runs with the inputs in their order; gives the one output, or all in
        their order."""
        if len(values) > len(self.inputs):
            raise ArgumentError(f"the model has {len(self.inputs)} inputs, got {len(values)}")
        outputs = tuple(self.run({spec.name: value for spec, value in zip(self.inputs, values)}).values())
        return outputs[0] if len(outputs) == 1 else outputs

    def generate(self, prompt: str | Sequence[int], *, threads: int = 0, variant: str | None = None, **options: Any) -> Generation:
        """Continues a prompt in a session of its own; see Session.generate."""
        return self.session(threads=threads, variant=variant).generate(prompt, **options)


class Session:
    """A model's memory, cache and threads. It serves one call at a time.

    Args:
        model: what to run.
        threads: 0 is one for each core that this process may use.
        variant: a name in `model.variants`; None is the best for this machine.

    Raises:
        ArtifactError: no variant, or not that one, runs on this machine.
        OutOfMemoryError: there is no room for its memory.
    """

    def __init__(self, model: Model, *, threads: int = 0, variant: str | None = None):
        self.model = model
        self._library = model._library
        name = variant.encode() if variant is not None else None
        options = _native.SessionOptions(ctypes.sizeof(_native.SessionOptions), threads, name)
        handle = ctypes.c_void_p()
        _native.check(
            self._library.bn_session_create, model._handle, ctypes.byref(options), ctypes.byref(handle)
        )
        self._handle = handle
        weakref.finalize(self, self._library.bn_session_close, handle)

    @property
    def variant(self) -> str:
        """The variant in use."""
        return self._library.bn_session_variant(self._handle).decode()

    @property
    def threads(self) -> int:
        """The threads in use."""
        return self._library.bn_session_threads(self._handle)

    def run(self, inputs: Mapping[str, Any] | None = None, /, **named: Any) -> dict[str, np.ndarray]:
        """Runs the model's own signature, past and present included.

        Args:
            inputs: arrays by name; names that are identifiers may be given as
                keywords too. numpy arrays, whatever has DLPack on the CPU (torch
                tensors, without a copy), or lists. Dtypes must be those of
                `Model.inputs`; lists and Python numbers are converted.

        Returns:
            New arrays by name, in the order of `Model.outputs`. They have DLPack:
            `torch.from_dlpack(array)` shares them.

        Raises:
            ArgumentError: a name, dtype or shape that is not the model's.
        """
        types = {spec.name: spec.dtype for spec in self.model.inputs}
        arrays = {}
        for name, value in {**(inputs or {}), **named}.items():
            if isinstance(value, (list, tuple, int, float, bool)) and name in types:
                value = np.asarray(value, dtype=types[name])
            arrays[name] = as_array(value, name)
        tensors = (_native.Tensor * max(1, len(arrays)))()
        for tensor, (name, array) in zip(tensors, arrays.items()):
            if array.ndim > _native.MAX_RANK:
                raise ArgumentError(f"input '{name}' has more than {_native.MAX_RANK} dimensions")
            tensor.name = name.encode()
            tensor.dtype = dtype_number(array.dtype)
            tensor.rank = array.ndim
            tensor.shape[: array.ndim] = array.shape
            tensor.data = array.ctypes.data
        outputs = (_native.Tensor * max(1, len(self.model.outputs)))()
        _native.check(
            self._library.bn_session_run, self._handle, tensors, len(arrays), outputs, len(self.model.outputs)
        )
        return {output.name.decode(): _copy(output) for output in outputs[: len(self.model.outputs)]}

    def append(self, tokens: Sequence[int], *, all_logits: bool = False, top_k: int = 0) -> np.ndarray:
        """Appends tokens to a decoder's cache.

        Args:
            all_logits: the logits after each token are wanted.
            top_k: only so many of the largest logits are wanted, which may read
                less of the model; 0 is all.

        Returns:
            float32 logits [vocabulary] after the last token, or [tokens,
            vocabulary] after each with `all_logits`. With `top_k`, one that is not
            among the largest is right or -inf.

        Raises:
            ArgumentError: a token out of the vocabulary, or more tokens than the
                cache holds; the cache is then unchanged. Both `all_logits` and
                `top_k`, or a negative one.
            ArtifactError: the model is no decoder with a cache.
        """
        if top_k < 0 or (top_k and all_logits):
            raise ArgumentError(f"top_k is 0 or more, and 0 with all_logits, got {top_k}")
        ids = np.ascontiguousarray(tokens, dtype=np.int64).ravel()
        vocabulary = self.model.vocabulary
        every = np.empty((len(ids), vocabulary), np.float32) if all_logits else None
        logits = ctypes.POINTER(ctypes.c_float)()
        floats = ctypes.POINTER(ctypes.c_float)
        given = (self._handle, ids.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)), len(ids))
        if top_k:
            _native.check(self._library.bn_session_append_top, *given, top_k, ctypes.byref(logits))
        else:
            every_data = every.ctypes.data_as(floats) if all_logits else None
            _native.check(self._library.bn_session_append, *given, ctypes.byref(logits), every_data)
        return every if all_logits else np.ctypeslib.as_array(logits, (vocabulary,)).copy()

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that the last token appended read; 0 where not known."""
        return self._library.bn_session_weight_bytes(self._handle)

    @property
    def position(self) -> int:
        """Tokens in the cache."""
        return self._library.bn_session_position(self._handle)

    def rewind(self, position: int = 0) -> None:
        """Forgets all tokens from `position` on.

        Raises:
            ArgumentError: there are fewer tokens.
        """
        _native.check(self._library.bn_session_rewind, self._handle, position)

    def generate(
        self,
        prompt: str | Sequence[int],
        *,
        max_tokens: int = 256,
        temperature: float = 0.8,
        top_k: int = 40,
        top_p: float = 0.95,
        seed: int | None = None,
        stop_tokens: Sequence[int] | None = None,
    ) -> Generation:
        """Continues a prompt, after what the cache holds already.

        Args:
            prompt: a text, for the artifact's tokenizer, or token ids.
            max_tokens: how many tokens to write at most; the end of the cache
                ends the text too.
            temperature, top_k, top_p, seed: see Sampler.
            stop_tokens: ids that end the text, themselves not written; None is
                those of the artifact.

        Returns:
            An iterator of Token, each computed when it is asked for.

        Raises:
            ArgumentError: an option or a token out of its range, an empty prompt,
                a text without a tokenizer in the artifact.
        """
        return Generation(
            self,
            prompt,
            max_tokens,
            Sampler(temperature, top_k, top_p, seed),
            self.model.stop_tokens if stop_tokens is None else stop_tokens,
        )


class Generation(Iterator[Token]):
    """A text while it is written: iterate over its tokens, or ask for the rest."""

    def __init__(self, session: Session, prompt: str | Sequence[int], max_tokens: int, sampler: Sampler, stop_tokens: Sequence[int]):
        model = session.model
        if not model.is_decoder:
            raise ArgumentError("the model is no decoder with a cache that can write text")
        if isinstance(prompt, str):
            if model.tokenizer is None:
                raise ArgumentError("the artifact has no tokenizer: compile it with one, or give token ids")
            prompt = model.tokenizer.encode(prompt)
        self.prompt = [int(token) for token in prompt]
        """The prompt's ids."""
        if not self.prompt:
            raise ArgumentError("the prompt is empty")
        if max_tokens < 0:
            raise ArgumentError(f"max_tokens is 0 or more, got {max_tokens}")
        self._session, self._sampler, self._stops = session, sampler, frozenset(stop_tokens)
        self._stream = model.tokenizer.stream() if model.tokenizer else None
        self._left = max_tokens
        self._next = self.prompt

    def __next__(self) -> Token:
        full = self._session.position + len(self._next) > self._session.model.max_context
        # A prompt that does not fit is an error, a text that fills the cache ends.
        if self._left == 0 or (full and self._next is not self.prompt):
            raise StopIteration
        token = self._sampler.choose(self._session.append(self._next, top_k=self._sampler.considered))
        if token in self._stops:
            self._left = 0
            raise StopIteration
        self._left -= 1
        self._next = [token]
        return Token(token, self._stream.push(token) if self._stream else "")

    def ids(self) -> list[int]:
        """The ids of all tokens still to come."""
        return [token.id for token in self]

    def text(self) -> str:
        """The text of all tokens still to come, with what an unfinished character
        at the end leaves.

        Raises:
            ArgumentError: the artifact has no tokenizer.
        """
        if self._session.model.tokenizer is None:
            raise ArgumentError("the artifact has no tokenizer: compile it with one, or ask for ids()")
        return "".join([token.text for token in self]) + self._stream.finish()


def _copy(tensor: _native.Tensor) -> np.ndarray:
    """A new array of an output, which the session owns until its next call."""
    dtype = numpy_dtype(tensor.dtype)
    shape = tuple(tensor.shape[: tensor.rank])
    array = np.empty(shape, dtype)
    if array.nbytes:
        if not tensor.data:
            raise BitNetError(f"output '{tensor.name.decode()}' has no data")
        ctypes.memmove(array.ctypes.data, tensor.data, array.nbytes)
    return array
