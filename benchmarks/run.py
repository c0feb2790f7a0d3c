#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs `bitnet-run bench` for models, variants and numbers of threads, and makes
a table of the medians. Needs nothing but Python and a build."""

import argparse
import json
import lzma
import pathlib
import subprocess
import sys
import tempfile

from options import named
from page import processor, write_section

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEMONSTRATION = ROOT / "models/debian-b158/decoder.onnx.xz"
HEADER = (
    "| model | variant | threads | prompt, tokens/s | of the dot limit "
    "| decode, tokens/s | of the read limit | read limit, GB/s | dot limit, GMAC/s |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)


def tool(arguments, name, *words):
    command = [str(arguments.build / "bin" / name), *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"error: {' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


def row(model, result):
    return (
        f"| {model} | {result['variant']} | {result['threads']} "
        f"| {result['prefill_tokens_per_s']:,.0f} | {result['prefill_peak_fraction']:.0%} "
        f"| {result['decode_tokens_per_s']:,.0f} | {result['decode_bandwidth_fraction']:.0%} "
        f"| {result['read_bandwidth_bytes_per_s'] / 1e9:.1f} "
        f"| {result['dot_peak_macs_per_s'] / 1e9:,.0f} |\n"
    )


def measure(arguments, folder):
    """The table's rows."""
    for name, path in arguments.models:
        if path.suffix == ".xz":
            contents = lzma.decompress(path.read_bytes())
            path = folder / f"{name}.onnx"
            path.write_bytes(contents)
        artifact = folder / f"{name}.so"
        tool(arguments, "bitnet-compile", path, "-o", artifact)
        information = json.loads(tool(arguments, "bitnet-run", "info", artifact, "--json"))
        for variant in information["runnable_variants"]:
            for threads in arguments.threads:
                output = tool(
                    arguments, "bitnet-run", "bench", artifact, "--json", "--variant", variant,
                    "--threads", threads, "--repetitions", arguments.repetitions,
                )  # fmt: skip
                yield row(name, json.loads(output))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--model", type=named, action="append", default=[], metavar="NAME=FILE.onnx")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--write", type=pathlib.Path, metavar="PAGE.md",
        help="put the table into this page, between its markers of run.py",
    )  # fmt: skip
    arguments = parser.parse_args()
    arguments.models = [(name, pathlib.Path(path)) for name, path in arguments.model]
    arguments.models = arguments.models or [("debian-b158", DEMONSTRATION)]
    with tempfile.TemporaryDirectory() as folder:
        table = HEADER + "".join(measure(arguments, pathlib.Path(folder)))
    print(table, end="")
    if arguments.write:
        write_section(
            arguments.write,
            "run.py",
            "## Models\n\n"
            f"Written by [benchmarks/run.py](../benchmarks) on one {processor()}: medians of "
            f"{arguments.repetitions}, prompts of 512 tokens, 64 tokens decoded. Limits were measured "
            f"in the same runs.\n\n{table}",
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
