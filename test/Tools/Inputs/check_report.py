# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: check_report.py REPORT.json ENTRY KEY=NUMBER...

Checks what the compiler's report says of an entry, and that every phase has
its cost."""

import json
import sys


def main(path, name, *expectations):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    entries = [entry for entry in report["entries"] if entry["name"] == name]
    if len(entries) != 1:
        sys.exit(f"{len(entries)} entries {name}")
    wrong = []
    for expectation in expectations:
        key, number = expectation.split("=")
        if entries[0].get(key) != int(number):
            wrong.append(f"{key}: {entries[0].get(key)} instead of {number}")
    phases = {phase["name"] for phase in report["phases"]}
    wrong += [f"no phase {phase}" for phase in ("onnx", "bitnet", "packed") if phase not in phases]
    wrong += [
        f"phase {phase['name']}: {phase['seconds']} s, {phase['peak_bytes']} bytes"
        for phase in report["phases"]
        if phase["seconds"] < 0 or phase["peak_bytes"] <= 0
    ]
    sys.exit("; ".join(wrong) or 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
