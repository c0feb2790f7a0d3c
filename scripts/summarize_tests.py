#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Adds up JUnit XML files: names the skipped and the failed tests, then prints
`N passed, N failed[, N skipped]`. Exits 1 where a test failed, or where a file
is missing or holds no test (a suite that did not run is no success)."""

import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    """'failed', 'skipped' or 'passed', for one <testcase>."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        return "skipped"
    return "passed"


def read(path, tests):
    """Adds the file's tests; gives what is wrong with the file, or None."""
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        return f"{path}: {error}"
    if not cases:
        return f"{path} holds no test"
    for case in cases:
        name = ".".join(filter(None, [case.get("classname"), case.get("name")]))
        tests[outcome(case)].append(name)
    return None


def main(paths):
    tests = {"passed": [], "failed": [], "skipped": []}
    problems = [problem for path in paths if (problem := read(path, tests))]
    for kind in ("skipped", "failed"):
        for name in tests[kind]:
            print(f"{kind}: {name}")
    for problem in problems:
        print(f"failed: {problem}")
    line = f"{len(tests['passed'])} passed, {len(tests['failed']) + len(problems)} failed"
    if tests["skipped"]:
        line += f", {len(tests['skipped'])} skipped"
    print(line)
    return 1 if tests["failed"] or problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
