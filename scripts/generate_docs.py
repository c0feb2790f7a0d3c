#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: generate_docs.py [--check]

Writes docs/Dialects and docs/Passes from the TableGen files, a page for each
dialect and for each Passes.td, with mlir-tblgen from PATH. With --check it
writes nothing and fails where the pages are not what it would write.
"""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
DIALECTS = [
    ("bitnet", INCLUDE / "bitnet/Dialect/BitNet/IR/BitNetOps.td"),
    ("onnx", INCLUDE / "bitnet/Dialect/ONNX/IR/ONNXOps.td"),
]

# They say nothing in the name of a page.
GENERIC_FOLDERS = ("Conversion", "Dialect", "Transforms")


def tablegen(source, *options):
    program = shutil.which("mlir-tblgen")
    if not program:
        sys.exit("error: mlir-tblgen is not on PATH")
    mlir = pathlib.Path(program).resolve().parent.parent / "include"
    command = [program, *options, "-I", INCLUDE, "-I", mlir, source]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"error: {source.relative_to(ROOT)}: {result.stderr.strip()}")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    # The generator's notice stays, so that nobody edits the page.
    return "\n".join(lines).strip() + "\n"


def pages():
    """Path and text of every page."""
    for name, source in DIALECTS:
        text = tablegen(source, "-gen-dialect-doc", f"-dialect={name}")
        yield ROOT / f"docs/Dialects/{name}.md", text
    for source in sorted(INCLUDE.glob("bitnet/**/Passes.td")):
        folder = source.parent.relative_to(INCLUDE / "bitnet")
        name = "-".join(part for part in folder.parts if part not in GENERIC_FOLDERS)
        title = f"# Passes of {folder}\n\n"
        yield ROOT / f"docs/Passes/{name}.md", title + tablegen(source, "-gen-pass-doc")


def main(arguments):
    check = arguments == ["--check"]
    if arguments and not check:
        sys.exit(__doc__)
    stale, expected = [], set()
    for path, text in pages():
        expected.add(path)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for folder in ("Dialects", "Passes"):
        for path in (ROOT / "docs" / folder).glob("*.md"):
            if path not in expected:
                stale.append(path)
                if not check:
                    path.unlink()
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
    if check and stale:
        print("error: build the target bitnet-doc to write these pages anew", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
