# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests share. They run against a build folder (BITNET_BUILD_DIR) or an
installed package."""

import json
import lzma
import pathlib

import pytest

import bitnet_mlir

ROOT = pathlib.Path(__file__).parents[2]
DECODER = ROOT / "models" / "debian-b158"


@pytest.fixture(scope="session")
def golden():
    """What eager PyTorch gave for the demonstration model."""
    return json.loads((DECODER / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def decoder(tmp_path_factory):
    """The demonstration model, compiled for this machine."""
    folder = tmp_path_factory.mktemp("decoder")
    (folder / "decoder.onnx").write_bytes(lzma.decompress((DECODER / "decoder.onnx.xz").read_bytes()))
    artifact = bitnet_mlir.compile(
        folder / "decoder.onnx",
        folder / "decoder.so",
        target="native",
        max_context=128,
        tokenizer=DECODER / "tokenizer.json",
    )
    return bitnet_mlir.Model(artifact)
