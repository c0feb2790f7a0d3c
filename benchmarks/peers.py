#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures artifacts beside GGUF models in the llama-bench of llama.cpp or one of its
relatives, all in turn, and prints a table of medians. A prompt and the tokens are measured
apart, each from an empty cache. Needs nothing but Python and the programs."""

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from options import named, require_at_least
from page import format_table

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMPT, TOKENS = "prefill", "decode"


@dataclass
class Engine:
    name: str
    # Gives the words of a command for a part and a number of threads.
    command: Callable
    # Gives tokens per second and, where this tells, bytes a token from what that prints.
    read: Callable
    size: float | None = None
    # (part, threads) -> a figure a round.
    speeds: dict = field(default_factory=dict)


def artifact(bitnet_run, name, path, lengths):
    """One of ours: `bitnet-run bench` warms up with a run that does not count."""

    def command(part, threads):
        prompt, tokens = (lengths[PROMPT], 1) if part == PROMPT else (1, lengths[TOKENS])
        return [bitnet_run, "bench", path, "--json", "--repetitions", 1, "--threads", threads,
                "--prompt-tokens", prompt, "--gen-tokens", tokens]  # fmt: skip

    def read(part, result):
        # A shorter prompt, as the context holds no more, would make the rows unequal.
        if part == PROMPT and result["prompt_tokens"] != lengths[PROMPT]:
            sys.exit(f"error: {path} has no room for {lengths[PROMPT]} tokens and another one: "
                     "compile it with --max-context")  # fmt: skip
        return result[part + "_tokens_per_s"], result["decode_bytes_per_token"] if part == TOKENS else None

    return Engine(name, command, read)


def peer(name, bench, path, options, lengths):
    """A llama-bench, which warms up with a prompt or a token. Tied embeddings are the
    head, so a token reads the whole file."""

    def command(part, threads):
        prompt, tokens = (lengths[PROMPT], 0) if part == PROMPT else (0, lengths[TOKENS])
        return [bench, "-m", path, "-o", "json", "-r", 1, "-t", threads, "-p", prompt, "-n", tokens,
                *shlex.split(options)]  # fmt: skip

    def read(_, result):
        return result[0]["avg_ts"], None

    return Engine(name, command, read, os.stat(path).st_size)


def run(words):
    words = [*map(str, words)]
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"error: {shlex.join(words)}: {result.stderr.strip()}")
    try:
        return json.loads(result.stdout)
    except ValueError:
        sys.exit(f"error: {shlex.join(words)} printed no JSON")


def measure(engines, threads, rounds, prefix):
    for number in range(rounds):
        for engine in engines:
            for count in threads:
                for part in (PROMPT, TOKENS):
                    result = run([*prefix, *engine.command(part, count)])
                    try:
                        speed, size = engine.read(part, result)
                    except (KeyError, IndexError, TypeError):
                        sys.exit(f"error: {engine.name} gave no {part} speed: is it a decoder?")
                    engine.size = size or engine.size
                    engine.speeds.setdefault((part, count), []).append(speed)
                    print(f"round {number + 1}: {engine.name}, {part}, {count}: {speed:.2f}", file=sys.stderr)


def table(engines, threads):
    columns = [(part, count) for part in (PROMPT, TOKENS) for count in threads]
    titles = [f"{part}, {count} thread{'s' * (count > 1)}" for part, count in columns]
    lines = [["engine", "MB a token", *titles], ["---"] * (len(titles) + 2)]
    for engine in engines:
        cells = [engine.name, f"{engine.size / 1e6:,.0f}"]
        for column in columns:
            speeds, ours = engine.speeds[column], engines[0].speeds[column]
            # Of a round's pair, since machines drift.
            ratio = statistics.median(speed / our for speed, our in zip(speeds, ours, strict=True))
            cells.append(f"{statistics.median(speeds):.1f} ({ratio:.2f})")
        lines.append(cells)
    return format_table(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bitnet-run", type=pathlib.Path, default=ROOT / "build/bin/bitnet-run")
    parser.add_argument(
        "--ours", type=named, action="append", required=True, metavar="NAME=ARTIFACT.so",
        help="ratios are to the first",
    )  # fmt: skip
    parser.add_argument(
        "--peer", type=named, action="append", default=[], metavar="NAME=LLAMA-BENCH:MODEL.gguf[:OPTIONS]"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--gen-tokens", type=int, default=64)
    parser.add_argument(
        "--prefix", type=shlex.split, default=[], help='before each command, such as "chrt -f 20"'
    )
    arguments = parser.parse_args()
    require_at_least(1, arguments, "rounds", "prompt_tokens", "gen_tokens")
    lengths = {PROMPT: arguments.prompt_tokens, TOKENS: arguments.gen_tokens}
    engines = [artifact(arguments.bitnet_run, name, path, lengths) for name, path in arguments.ours]
    try:
        for name, parts in arguments.peer:
            bench, path, options = [*parts.split(":", 2), "", ""][:3]
            if not path:
                sys.exit(f"error: --peer {name}={parts} names no model: LLAMA-BENCH:MODEL.gguf is expected")
            engines.append(peer(name, bench, path, options, lengths))
        measure(engines, arguments.threads, arguments.rounds, arguments.prefix)
    except OSError as error:
        sys.exit(f"error: {error}")
    print("Tokens a second, and in parentheses the ratio to the first row:\n")
    print(table(engines, arguments.threads), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
