#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles what gpu.sh checks and times on another machine, into a folder with all
that it needs there: bitnet-run, its libraries, artifacts, and what they must give.
Needs a build, and Python with numpy and onnx."""

import argparse
import gzip
import hashlib
import io
import json
import lzma
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from options import named

HERE = pathlib.Path(__file__).resolve().parent
DEMONSTRATION = HERE.parent / "models/debian-b158"
COMPRESSED_FROM = 1 << 20  # bytes of an array
DIGEST_FROM = 4 << 20


def call(*words):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"error: {' '.join(map(str, words))}: {result.stderr.strip()}")
    return result.stdout


def copy_command(arguments):
    """bitnet-run, and the libraries that a bare system may lack."""
    command = arguments.build / "bin/bitnet-run"
    shutil.copy(command, arguments.output)
    libraries = arguments.output / "lib"
    libraries.mkdir(exist_ok=True)
    for name, path in re.findall(r"(\S+) => (/\S+)", call("ldd", command)):
        if re.match(r"lib(pcre2|stdc|gcc)", name):
            shutil.copy(path, libraries / name)


def compile_model(arguments, model, name, *options):
    artifact = arguments.output / f"{name}.so"
    call(
        arguments.build / "bin/bitnet-compile", model, "-o", artifact,
        f"--target={arguments.target}", *arguments.option, *options,
    )  # fmt: skip
    return artifact


def save(array, path):
    if array.nbytes < COMPRESSED_FROM:
        np.save(path, array)
        return
    plain = io.BytesIO()
    np.save(plain, array)
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(plain.getvalue(), 6))


def save_expected(array, path, tolerance):
    """A large array whose every number must be equal goes as a digest of its bytes."""
    if tolerance or array.nbytes < DIGEST_FROM:
        save(array, path)
        return
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    path.with_suffix(".sha256").write_text(f"{digest}\n", encoding="utf-8")


def add_decoder(arguments, name, folder):
    """`folder` holds decoder.onnx.xz, and golden.json with prompts and greedy ids."""
    with tempfile.TemporaryDirectory() as temporary:
        model = pathlib.Path(temporary) / "decoder.onnx"
        model.write_bytes(lzma.decompress((folder / "decoder.onnx.xz").read_bytes()))
        compile_model(arguments, model, name)
    prompts = json.loads((folder / "golden.json").read_text(encoding="utf-8"))["prompts"]
    lines = [
        ",".join(map(str, prompt["ids"])) + " " + ",".join(map(str, prompt["greedy"])) + "\n"
        for prompt in prompts
    ]
    (arguments.output / f"{name}.golden").write_text("".join(lines), encoding="utf-8")


def add_case(arguments, name, model, path):
    """`path` is a .npz with in_NAME for each input, out_0, out_1, … in the model's order,
    and perhaps tol."""
    artifact = compile_model(arguments, model, name)
    information = json.loads(call(arguments.build / "bin/bitnet-run", "info", artifact, "--json"))
    arrays = np.load(path)
    case = arguments.output / f"{name}.case"
    shutil.rmtree(case, ignore_errors=True)
    (case / "expected").mkdir(parents=True)
    lines = []
    for index, tensor in enumerate(information["inputs"]):
        save(arrays["in_" + tensor["name"]], case / f"input-{index}.npy")
        lines.append(f"{tensor['name']} input-{index}.npy\n")
    (case / "inputs").write_text("".join(lines), encoding="utf-8")
    tolerance = float(arrays["tol"]) if "tol" in arrays.files else 1e-3
    for index, tensor in enumerate(information["outputs"]):
        if f"out_{index}" in arrays.files:
            file = re.sub(r"[^A-Za-z0-9._-]", "_", tensor["name"])
            save_expected(arrays[f"out_{index}"], case / "expected" / f"{file}.npy", tolerance)
    if tolerance:
        (case / "tolerance").write_text(f"{tolerance}\n", encoding="utf-8")


def add_layers(arguments, word):
    """NxK:TOKENS:LAYERS, as make_layers.py makes them."""
    shape, tokens, layers = word.split(":")
    name = f"layers-{shape}-{tokens}"
    with tempfile.TemporaryDirectory() as temporary:
        model, check = (pathlib.Path(temporary) / file for file in ("layers.onnx", "layers.npz"))
        call(
            sys.executable, HERE / "make_layers.py", shape, "-o", model,
            "--tokens", tokens, "--layers", layers, "--check", check,
        )  # fmt: skip
        add_case(arguments, name, model, check)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="FOLDER")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--target", default="cuda,vulkan")
    parser.add_argument("--option", action="append", default=[], help="of bitnet-compile, each")
    parser.add_argument(
        "--decoder", type=named, action="append", default=[], metavar="NAME=FOLDER",
        help="instead of the demonstration",
    )  # fmt: skip
    parser.add_argument(
        "--case", type=named, action="append", default=[], metavar="NAME=FILE",
        help="FILE.onnx on the arrays of FILE.npz; give FILE without its ending",
    )  # fmt: skip
    parser.add_argument("--layers", action="append", default=[], metavar="NxK:TOKENS:LAYERS")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    copy_command(arguments)
    decoders = arguments.decoder or [("debian-b158", DEMONSTRATION)]
    for name, folder in decoders:
        add_decoder(arguments, name, pathlib.Path(folder))
    for name, path in arguments.case:
        add_case(arguments, name, f"{path}.onnx", f"{path}.npz")
    for word in arguments.layers:
        add_layers(arguments, word)
    return 0


if __name__ == "__main__":
    sys.exit(main())
