# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The documentation's programs and the example run as written."""

import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run(folder, *command):
    """Standard output of Python, in a folder that has the repository's models."""
    environment = dict(os.environ)
    if "PYTHONPATH" in environment:
        environment["PYTHONPATH"] = str(ROOT / "python")
    result = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "models").symlink_to(ROOT / "models")
    return tmp_path


def test_readme(folder):
    (block,) = blocks("README.md")
    assert run(folder, "-c", block).startswith("qt5gstreamer-plugins\nSection: libs\n")


def test_page(folder):
    pytest.importorskip("onnxscript")
    compiled, trained = blocks("docs/python.md")
    assert run(folder, "-c", compiled).startswith("qt5gstreamer-plugins\nSection: libs\n")
    run(folder, "-c", trained)
    assert (folder / "network.onnx").exists()


def test_example(folder):
    pytest.importorskip("onnxscript")
    output = run(folder, str(ROOT / "examples" / "train.py"), "--steps", "2", "--output", "out")
    differences = [float(text) for text in re.findall(r"logits differ by at most (\S+)", output)]
    assert len(differences) == 2 and max(differences) < 0.05
    assert (folder / "out" / "losses.svg").read_text().count("<polyline") == 3
