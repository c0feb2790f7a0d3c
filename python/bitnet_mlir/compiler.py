# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""bitnet-compile from Python."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from collections.abc import Sequence

from . import _native
from ._errors import CompileError


def find_compiler() -> pathlib.Path:
    """The program bitnet-compile: what BITNET_COMPILE names, that of the build
    folder in BITNET_BUILD_DIR or of this package, the one on PATH.

    Raises:
        CompileError: there is none.
    """
    named = os.environ.get("BITNET_COMPILE")
    if named:
        if not os.access(named, os.X_OK):
            raise CompileError(f"BITNET_COMPILE names no program: {named}")
        return pathlib.Path(named)
    bundled = _native.find("bin", "bitnet-compile")
    if bundled:
        return bundled
    on_path = shutil.which("bitnet-compile")
    if on_path:
        return pathlib.Path(on_path)
    raise CompileError(
        "bitnet-compile is not here: build it (scripts/build.sh) before `pip install ./python`, put it on PATH, "
        "or name it in BITNET_COMPILE"
    )


def compile(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    lowering: str | None = None,
    ternary_packing: str | None = None,
    max_context: int | None = None,
    cache_type: str | None = None,
    prefill_chunk: int | Sequence[int] | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    stop_tokens: Sequence[int | str] = (),
    report: str | os.PathLike[str] | None = None,
) -> pathlib.Path:
    """Compiles an ONNX model, external data beside it, to an artifact.

    Args:
        model: the .onnx file.
        output: the artifact to write.
        target: what to make code for, one or several: `native`, levels such as
            `x86-64-v3`, and whatever else bitnet-compile --help names; None is every
            level of this machine's architecture.
        lowering: the inner loop of low-bit matmuls (`dot`, `lut`, `addsub`,
            `popcount`); None lets a cost model choose.
        ternary_packing: how ternary weights share bytes: `planes2` (2 bits each, the
            default) or `base3` (1.6 bits, for CPUs).
        max_context: the tokens that a decoder's cache holds.
        cache_type: what the cache holds: `f32` (None), or `f16` or `bf16`, to which
            keys and values are rounded, in half of the memory.
        prefill_chunk: the tokens of a prompt taken at a time; of several numbers the
            larger while so many are left.
        tokenizer: a `tokenizer.json` to embed.
        stop_tokens: tokens, by id or text, that end a text; by default those
            that the tokenizer names.
        report: a JSON file to write, about what was recognised and what it cost.

    Returns:
        The path of the artifact.

    Raises:
        CompileError: there is no compiler, or it refused; the message holds its
            diagnostics and no file is written.
    """
    command = [os.fspath(find_compiler()), os.fspath(model), "-o", os.fspath(output)]
    options = {
        "target": target if target is None or isinstance(target, str) else ",".join(target),
        "lowering": lowering,
        "ternary-packing": ternary_packing,
        "max-context": max_context,
        "cache-type": cache_type,
        "prefill-chunk": ",".join(map(str, prefill_chunk)) if isinstance(prefill_chunk, Sequence) else prefill_chunk,
        "tokenizer": None if tokenizer is None else os.fspath(tokenizer),
        "report": None if report is None else os.fspath(report),
    }
    command += [f"--{name}={value}" for name, value in options.items() if value is not None]
    command += [f"--stop-token={token}" for token in stop_tokens]
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise CompileError(f"cannot run {command[0]}: {error}") from error
    if result.returncode:
        lines = [line for line in result.stderr.strip().splitlines() if line.strip()]
        raise CompileError("\n".join(lines) or f"bitnet-compile ended with status {result.returncode}")
    return pathlib.Path(output)
