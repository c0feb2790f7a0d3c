# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: check_format.py REPOSITORY

Names the C and C++ files that clang-format (from PATH) would change."""

import pathlib
import re
import subprocess
import sys

FOLDERS = ["include", "lib", "runtime", "tools", "test", "benchmarks"]
SUFFIXES = {".h", ".c", ".cpp"}


def main(root):
    root = pathlib.Path(root)
    sources = [
        path for folder in FOLDERS for path in (root / folder).rglob("*") if path.suffix in SUFFIXES
    ]
    command = ["clang-format", "--style=file", "--dry-run", "-Werror", *sources]
    result = subprocess.run(command, capture_output=True, text=True)
    changed = sorted(set(re.findall(r"^(.+?):\d+:\d+: error:", result.stderr, re.MULTILINE)))
    for path in changed:
        print(f"not formatted: {pathlib.Path(path).relative_to(root)}")
    return 1 if changed or result.returncode or not sources else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
