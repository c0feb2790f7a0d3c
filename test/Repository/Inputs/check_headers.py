# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: check_headers.py REPOSITORY

Every source file, in whatever language, names its licence near the top."""

import pathlib
import sys

FOLDERS = ["include", "lib", "runtime", "tools", "scripts", "test", "python", "benchmarks"]
SUFFIXES = {".h", ".c", ".cpp", ".td", ".py", ".sh"}
LINE = "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception"


def main(root):
    root = pathlib.Path(root)
    sources = [
        path
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.suffix in SUFFIXES and path.is_file()
    ]
    missing = [path for path in sources if LINE not in path.read_text(encoding="utf-8")[:600]]
    for path in missing:
        print(f"no licence: {path.relative_to(root)}")
    return 1 if missing or not sources else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
