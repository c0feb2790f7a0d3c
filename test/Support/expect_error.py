#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: expect_error.py [--match REGEX]... [--no-file PATH]... -- COMMAND...

Runs a command that must fail as users are promised: exit status 1, exactly one
error on standard error, no crash, and none of the named output files. Each
REGEX must be found in the message, whatever the case of its letters.
"""

import argparse
import os
import re
import subprocess
import sys

CRASH = re.compile(r"Stack dump|PLEASE submit a bug|Assertion|terminate called|Traceback|runtime error:")
MAXIMUM_LINES = 12  # An error may list nodes or carry a note; it is no dump of a module.


def faults(arguments, result):
    """What is wrong with how the command failed."""
    error = result.stderr
    if result.returncode != 1:
        yield f"exit status {result.returncode}, not 1"
    if CRASH.search(error):
        yield "it looks like a crash"
    count = len(re.findall(r"\berror: ", error))
    if count != 1:
        yield f"{count} errors, not one"
    if len(error.splitlines()) > MAXIMUM_LINES:
        yield f"{len(error.splitlines())} lines of message"
    for pattern in arguments.match:
        if not re.search(pattern, error, re.IGNORECASE):
            yield f"the message does not match '{pattern}'"
    for path in arguments.no_file:
        if os.path.lexists(path):
            yield f"{path} was left behind"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--match", action="append", default=[])
    parser.add_argument("--no-file", action="append", default=[])
    split = sys.argv.index("--")
    arguments, command = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :]
    for path in arguments.no_file:  # Of an earlier run.
        if os.path.isfile(path):
            os.remove(path)
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = list(faults(arguments, result))
    for fault in found:
        print(f"expect-error: {fault}", file=sys.stderr)
    print(f"{' '.join(command)}\nstandard error:\n{result.stderr}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
