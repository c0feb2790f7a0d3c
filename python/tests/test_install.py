# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The package as pip makes it."""

import os
import subprocess
import sys

import pytest

import bitnet_mlir
from conftest import ROOT

PROGRAM = """
import sys
import bitnet_mlir
assert "site" in bitnet_mlir.__file__, bitnet_mlir.__file__
model = bitnet_mlir.Model(sys.argv[1])
print(model.tokenizer.decode(model.generate([0, 321, 26, 307], temperature=0, max_tokens=8).ids()))
print(bitnet_mlir.find_compiler())
"""


def test_installed_package_runs(tmp_path, decoder, golden):
    pytest.importorskip("scikit_build_core")
    compiler = bitnet_mlir.find_compiler()
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    command += ["--target", site, f"-Ccmake.define.BITNET_COMPILE={compiler}", ROOT / "python"]
    subprocess.run(command, check=True, cwd=tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BITNET_")}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, decoder.path],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
    )
    text, found = result.stdout.rsplit("\n", 2)[:2]
    assert golden["prompts"][1]["text"].startswith(text) and len(text) > 8
    assert found == str(site / "bitnet_mlir" / "_native_files" / "bin" / "bitnet-compile")
