# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command bitnet-export."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Exports a checkpoint; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="bitnet-export",
        description="Writes the decoder of a checkpoint as compact ONNX, which bitnet-compile takes.",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a Hugging Face folder (config.json, safetensors) or a .gguf file")
    parser.add_argument("-o", "--output", metavar="FILE.onnx", required=True, help="the model to write")
    parser.add_argument(
        "--activations",
        choices=("int8", "float"),
        help="how ternary layers take their inputs: int8 for each token, or as they are (default: as the checkpoint's kind does)",
    )
    parser.add_argument(
        "--external-data",
        action=argparse.BooleanOptionalAction,
        help="weights in FILE.onnx.data (default: where the checkpoint exceeds 128 MiB)",
    )
    options = parser.parse_args(arguments)
    started = time.monotonic()
    on_terminal = sys.stderr.isatty()

    def progress(step: str) -> None:
        if on_terminal:
            print(f"\r\033[Kbitnet-export: {step}", end="", file=sys.stderr, flush=True)

    try:
        from . import export_checkpoint

        quantize = None if options.activations is None else options.activations == "int8"
        export_checkpoint(
            options.checkpoint,
            options.output,
            quantize_activations=quantize,
            external_data=options.external_data,
            progress=progress,
        )
    except (ImportError, OSError, ValueError) as error:
        print(f"{chr(13) if on_terminal else ''}bitnet-export: error: {error}", file=sys.stderr)
        return 1
    progress(f"{options.output} in {time.monotonic() - started:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
