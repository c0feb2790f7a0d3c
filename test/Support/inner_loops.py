# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Looks at the innermost loops of the matmul kernels in assembly: each has the
instructions wanted, and none calls a function or spills to the stack. With --print
it prints those that have them, for FileCheck to look at. As a module: the loops."""

import argparse
import re
import sys

BRANCH = re.compile(r"\s+(j\w+|b|b\.\w+|cbn?z\s+\w+,|tbn?z\s+\w+,\s*#\d+,)\s+(\.L\w+)")
END = re.compile(r"\s+(ret\w*|jmp\w*|br|ud2|brk)\b")
CALL = re.compile(r"\s+(?:call\w*|blr?)\s")
# With an index it is an array of the function's, not a register that was spilled.
STACK = re.compile(r"\(%rsp\)|\[sp\b(?!, x)")
VECTOR = re.compile(r"%[xyz]mm\d|\b[vz]\d+\.|\bq\d")
KERNEL = r"kernel_(linear|matmul)\w*?(_body\w*)?"


def functions(lines):
    """(name, lines) of every function."""
    name, start = None, 0
    for i, line in enumerate(lines):
        if match := re.match(r"(\w[\w.$]*):", line):
            if name:
                yield name, lines[start:i]
            name, start = match[1], i
    if name:
        yield name, lines[start:]


def flow(lines):
    """Basic blocks as (begin, end), and the successors of each."""
    labels = {match[1]: i for i, line in enumerate(lines) if (match := re.match(r"(\.L\w+):", line))}
    starts = {0, *labels.values()}
    starts |= {i + 1 for i, line in enumerate(lines[:-1]) if BRANCH.match(line) or END.match(line)}
    starts = sorted(starts)
    blocks = list(zip(starts, starts[1:] + [len(lines)]))
    index = {begin: i for i, (begin, _) in enumerate(blocks)}
    successors = []
    for i, (begin, end) in enumerate(blocks):
        match = BRANCH.match(lines[end - 1])
        targets = {index[labels[match[2]]]} if match and match[2] in labels else set()
        if i + 1 < len(blocks) and not (match and match[1] in ("jmp", "b")) and not END.match(lines[end - 1]):
            targets.add(i + 1)
        successors.append(targets)
    return blocks, successors


def innermost_loops(lines):
    """Lines of the natural loops that hold no other."""
    blocks, successors = flow(lines)
    count = len(blocks)
    predecessors = [{p for p in range(count) if i in successors[p]} for i in range(count)]
    dominators = [{0}] + [set(range(count)) for _ in range(count - 1)]
    changed = True
    while changed:
        changed = False
        for i in range(1, count):
            common = set.intersection(*(dominators[p] for p in predecessors[i])) if predecessors[i] else set()
            if common | {i} != dominators[i]:
                dominators[i], changed = common | {i}, True
    loops = {}
    for i in range(count):
        for header in successors[i] & dominators[i]:
            loop, work = loops.setdefault(header, {header}), [i]
            while work:
                if (block := work.pop()) not in loop:
                    loop.add(block)
                    work += predecessors[block]
    for header, loop in loops.items():
        if not any(other in loop for other in loops if other != header):
            yield [line for block in sorted(loop) for line in lines[slice(*blocks[block])]]


def kernel_loops(path, kernel=KERNEL):
    """(function, lines) of the innermost loops of an assembly file's kernels."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for name, body in functions(lines):
        if re.fullmatch(kernel, name):
            for loop in innermost_loops(body):
                yield name, loop


def faults(name, loop):
    """What a loop of vectors does not do."""
    where = f"{name}, loop of {len(loop)} lines"
    if not any(VECTOR.search(line) for line in loop):
        yield f"{where}: no vectors"
    for line in loop:
        if CALL.match(line) or STACK.search(line):
            yield f"{where}: {line.strip()}"


def print_loop(name, loop):
    body = [line for line in loop if re.match(r"\s+[a-z]", line)]
    print(f"loop of {name}:", *body, "end of loop", sep="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assembly")
    parser.add_argument("--kernel", default=KERNEL, help="names of the functions")
    parser.add_argument("--has", nargs="+", required=True, help="instructions that every loop has, as regular expressions")
    parser.add_argument("--some", action="store_true", help="look only at loops that have them; there must be one")
    parser.add_argument("--print", action="store_true", help="print the loops that have them; there must be one")
    arguments = parser.parse_args()
    count, errors = 0, []
    for name, loop in kernel_loops(arguments.assembly, arguments.kernel):
        missing = [w for w in arguments.has if not any(re.search(rf"\s(?:{w})(?:\s|$)", line) for line in loop)]
        if missing and (arguments.some or arguments.print):
            continue
        count += 1
        if arguments.print:
            print_loop(name, loop)
            continue
        errors += [f"{name}, loop of {len(loop)} lines: no {wanted}" for wanted in missing]
        errors += faults(name, loop)
    if not count:
        errors.append("no such loops in kernels " + arguments.kernel)
    if errors or not arguments.print:
        print(f"{arguments.assembly}: {count} loops", *errors[:10], sep="\n  ")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
