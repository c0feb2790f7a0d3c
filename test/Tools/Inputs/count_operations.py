# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: count_operations.py FILE.mlir FUNCTION OPERATION=COUNT...

Checks how often operations occur in a function."""

import re
import sys


def body(text, function):
    """From the function's opening line to the next function's."""
    start = re.search(rf"func\.func (?:\w+ )?@{function}\(", text)
    if not start:
        sys.exit(f"no function @{function}")
    following = re.search(r"\n *func\.func ", text[start.end() :])
    return text[start.start() : start.end() + following.start() if following else None]


def main(path, function, *expectations):
    with open(path, encoding="utf-8") as file:
        text = body(file.read(), function)
    wrong = []
    for expectation in expectations:
        name, count = expectation.split("=")
        found = len(re.findall(rf"(?<![\w.#!]){re.escape(name)}(?![\w.])", text))
        if found != int(count):
            wrong.append(f"{name}: {found} instead of {count}")
    sys.exit("; ".join(wrong) or 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
