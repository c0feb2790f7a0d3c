# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls the built tools, which the caller has put on PATH (lit does). Where an
artifact runs elsewhere than on this machine, BITNET_RUN is the command that takes
the place of bitnet-run: an emulator and its program, say."""

import itertools
import json
import os
import re
import shlex
import subprocess

import numpy as np


RUN = shlex.split(os.environ.get("BITNET_RUN", "")) or ["bitnet-run"]


class ToolError(RuntimeError):
    """A tool failed; the message holds its own."""


def call(*command, timeout=600):
    """Standard output of a command that must succeed."""
    result = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=timeout
    )
    if result.returncode:
        raise ToolError(
            f"{command[0]} {command[1]}: exit status {result.returncode}: {result.stderr.strip()[:2000]}"
        )
    return result.stdout


def compile_model(model, artifact, *options, target=None):
    if target:
        options = [f"--target={target}", *options]
    call("bitnet-compile", model, "-o", artifact, *options)


def add_machine_options(parser):
    """Where a test runs an artifact."""
    parser.add_argument("--cpus", nargs="+", default=[None], help="of the emulator QEMU in BITNET_RUN (default: its own)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])


def settings(artifact, arguments, every_variant=True):
    """A description and the options of bitnet-run for every CPU, variant that it
    runs (or the best) and number of threads. At least one variant runs on each
    CPU."""
    for cpu in arguments.cpus:
        if cpu:
            os.environ["QEMU_CPU"] = cpu
        variants = runnable_variants(artifact)
        if not variants:
            raise ToolError(f"{artifact}: no variant runs on {cpu or 'this machine'}")
        for variant, threads in itertools.product(variants if every_variant else variants[-1:], arguments.threads):
            where = f"{cpu}, " if cpu else ""
            yield f"{where}{variant}, {threads} threads", ["--variant", variant, "--threads", threads]


def information(artifact):
    return json.loads(call(*RUN, "info", artifact, "--json"))


def runnable_variants(artifact):
    """Names of the artifact's variants that this machine runs."""
    return information(artifact)["runnable_variants"]


def file_name(tensor):
    """The file in which `bitnet-run run` leaves an output."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", tensor) + ".npy"


def run(artifact, inputs, folder, *options):
    """Runs the model's own signature. Takes and gives {name: array}; the result
    is in the model's order of outputs."""
    os.makedirs(folder, exist_ok=True)
    arguments = []
    for index, (name, array) in enumerate(inputs.items()):
        path = os.path.join(folder, f"input-{index}.npy")
        np.save(path, array)
        arguments += ["--input", f"{name}={path}"]
    outputs = [output["name"] for output in information(artifact)["outputs"]]
    paths = {name: os.path.join(folder, file_name(name)) for name in outputs}
    for path in paths.values():  # Of an earlier run.
        if os.path.exists(path):
            os.remove(path)
    call(*RUN, "run", artifact, *arguments, "--output-dir", folder, *options)
    return {name: np.load(path) for name, path in paths.items()}


def generate_ids(artifact, prompt, count, *options):
    """Greedy continuation of a prompt of token ids."""
    output = call(
        *RUN, "generate", artifact, "--prompt-ids", ",".join(map(str, prompt)),
        "--max-tokens", count, "--temperature", 0, "--ids", *options,
    )  # fmt: skip
    lines = output.split("\n")
    ids = [line for line in lines if re.fullmatch(r"\d+(,\d+)*", line)]
    if len(ids) != 1:
        raise ToolError(f"generate --ids printed {len(ids)} lines of ids: {output[:500]}")
    return [int(word) for word in ids[0].split(",")]


def perplexity(artifact, tokens, *options):
    output = call(*RUN, "perplexity", artifact, "--tokens", tokens, *options)
    match = re.search(r"^perplexity: ([0-9.]+)$", output, re.MULTILINE)
    if not match:
        raise ToolError(f"perplexity printed: {output[:500]}")
    return float(match[1])
