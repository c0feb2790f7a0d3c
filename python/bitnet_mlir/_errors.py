# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Exceptions. Each is a BitNetError; those with a counterpart in Python are that
too, so that `except ValueError` does what one expects."""

from __future__ import annotations


class BitNetError(Exception):
    """What this package raises; the message is the runtime's or the compiler's."""


class ArtifactError(BitNetError):
    """The file cannot be read, is no artifact, or is not for this machine."""


class ArgumentError(BitNetError, ValueError):
    """A name, dtype, shape, token or length that the model does not take."""


class OutOfMemoryError(BitNetError, MemoryError):
    """There is no memory for a model or a session."""


class CompileError(BitNetError):
    """The compiler refused; the message holds its diagnostics."""


class ExportError(BitNetError, ValueError):
    """A checkpoint that cannot be exported; the message says what is accepted."""


# By bn_code.
_CLASSES = {1: ArtifactError, 2: ArtifactError, 3: ArtifactError, 4: ArgumentError, 5: OutOfMemoryError}


def error_for_code(code: int, message: str) -> BitNetError:
    """The exception for a code of the runtime's."""
    return _CLASSES.get(code, BitNetError)(message)
