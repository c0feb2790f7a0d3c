# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: inner_loops.py ASSEMBLY PATTERN [LABEL]

Prints the innermost loops of an assembly file that hold an instruction matching
PATTERN, in functions whose label matches LABEL, for FileCheck to look at. A loop is
what stands between a label and a branch back to it. Exits 1 where there is none."""

import re
import sys

BRANCH = re.compile(r"\s+(?:b|b\.\w+|cbn?z|tbn?z|j\w+)\s.*?(\.L\w+)\s*$")


def loops(lines):
    """(function, first line, last line) of every loop."""
    function, labels, found = "", {}, []
    for i, line in enumerate(lines):
        if match := re.match(r"(\.?\w[\w.]*):", line):
            if match[1].startswith(".L"):
                labels[match[1]] = i
            else:
                function, labels = match[1], {}
        elif (match := BRANCH.match(line)) and match[1] in labels:
            found.append((function, labels[match[1]], i))
    return found


def is_innermost(loop, others):
    return not any(o != loop and loop[1] <= o[1] and o[2] <= loop[2] for o in others)


def main(path, pattern, label=""):
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    every = loops(lines)
    count = 0
    for loop in every:
        function, first, last = loop
        body = [line for line in lines[first + 1 : last + 1] if re.match(r"\s+[a-z]", line)]
        if re.search(label, function) and is_innermost(loop, every) and re.search(pattern, "\n".join(body)):
            count += 1
            print(f"loop of {function}:", *body, "end of loop", sep="\n")
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
