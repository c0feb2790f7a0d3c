# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs ONNX's own node tests (onnx.backend.test) through bitnet-compile and
bitnet-run, and holds the results against the list in docs/operators.md.

    node_tests.py check LIST --work DIR [--full] [--match REGEX]
    node_tests.py write LIST --work DIR

`check` runs some of the tests, spread evenly and always the same, or with `--full` all
of them, and fails where one passes that the list calls failed or the other way
around. `write` runs all and writes the list.

Tests give every operand as an input, where exporters write a constant: a test that fails
because something is not known at compile time is tried again with all inputs but the
first as constants. Models of a newer opset than the compiler's are tried as of its own.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap
import warnings
from collections import defaultdict

import numpy as np
import onnx
from onnx import numpy_helper

# The tests that `check` runs without `--full`: every STRIDE-th by name.
STRIDE = 32
NOT_IMPORTED = "not imported"
# What a test is said to give that needs constants.
CONSTANTS = "passes with constants"
NEWEST_OPSET = 25


class Failure(Exception):
    """Why a test fails, in words that do not change from run to run."""


def load_cases():
    """All node tests by name."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    return {case.name: case for case in sorted(cases, key=lambda case: case.name)}


def operator_of(case, cases):
    """The operator that a test is about; `_expanded` ones hold its function's body."""
    base = cases.get(re.sub(r"_expanded.*$", "", case.name), case)
    return base.model.graph.node[0].op_type


def run_tool(*command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
    if result.returncode == 0:
        return
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    if result.returncode < 0 or not lines:
        raise Failure(f"{command[0]} crashes")
    line = next((line for line in lines if "error:" in line), lines[0])
    # Without paths, and names of nodes, which only repeat the test.
    line = re.sub(r"^.*?error: ", "", line)
    line = re.sub(r"^/\S*: ", "", line)
    line = re.sub(r" \(node '[^']*'\)", "", line)
    if re.match(r"the model has \d+ unsupported node", line):
        raise Failure(NOT_IMPORTED + ": " + line.split(": ", 1)[1])
    raise Failure(line.rstrip(".")[:160])


def as_array(value, what):
    if isinstance(value, (list, dict)) or value is None:
        raise Failure(f"an {what} is no tensor")
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype.kind not in "biuf" or array.dtype.isbuiltin != 1:
        raise Failure(f"an {what} has elements of type {array.dtype}, which .npy files do not hold")
    return array


def file_name(name):
    return re.sub(r"[^A-Za-z0-9._-]", "_", name) + ".npy"


def compare(case, name, got, want):
    if got.dtype != want.dtype or got.shape != want.shape:
        raise Failure(f"{name} is {got.dtype}{list(got.shape)}, not {want.dtype}{list(want.shape)}")
    if not np.allclose(got, want, rtol=case.rtol, atol=case.atol, equal_nan=True):
        raise Failure(f"{name} has other values")


def prepare(case, constants):
    """The model to compile, with the values of `constants` in it."""
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx"):
            opset.version = min(opset.version, NEWEST_OPSET)
    kept = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return model


def run_case(case, folder, with_constants):
    """Raises a Failure where the test fails."""
    initialised = {tensor.name for tensor in case.model.graph.initializer}
    names = [value.name for value in case.model.graph.input if value.name not in initialised]
    model, artifact = folder / "model.onnx", folder / "model.so"
    for index, (inputs, outputs) in enumerate(case.data_sets):
        values = {name: as_array(value, "input") for name, value in zip(names, inputs)}
        constants = {name: values.pop(name) for name in names[1:]} if with_constants else {}
        if index == 0 or constants:
            model.write_bytes(prepare(case, constants).SerializeToString())
            run_tool("bitnet-compile", model, "-o", artifact, "--target=native")
        arguments = []
        for name, value in values.items():
            np.save(folder / file_name(name), value)
            arguments += ["--input", f"{name}={folder / file_name(name)}"]
        wanted = [as_array(value, "output") for value in outputs]
        run_tool("bitnet-run", "run", artifact, *arguments, "--output-dir", folder / "out")
        for output, want in zip(case.model.graph.output, wanted):
            compare(case, output.name, np.load(folder / "out" / file_name(output.name)), want)


def try_forms(case, folder):
    """Why a test fails, or that it needs constants; nothing where it passes."""
    try:
        run_case(case, folder, with_constants=False)
        return None
    except Failure as failure:
        reason = str(failure)
    if not re.search(r"known at run time only|not known|has no known|is not the constant", reason):
        return reason
    try:
        run_case(case, folder, with_constants=True)
        return CONSTANTS
    except Failure:
        return reason


def try_case(case, work):
    folder = work / case.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return try_forms(case, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_cases(chosen, work):
    """{name: why it fails, or nothing}"""
    jobs = int(os.environ.get("BITNET_JOBS", "2"))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        reasons = pool.map(lambda case: try_case(case, work), chosen)
        return dict(zip([case.name for case in chosen], reasons))


def write_list(path, cases, results):
    total, passed, failures, constants = defaultdict(int), defaultdict(int), defaultdict(list), []
    for name, reason in results.items():
        operator = operator_of(cases[name], cases)
        total[operator] += 1
        passed[operator] += reason in (None, CONSTANTS)
        if reason == CONSTANTS:
            constants.append(name)
        elif reason:
            failures[operator].append((name, reason))
    absent = [op for op in sorted(total) if not passed[op]]
    imported = [op for op in sorted(total) if passed[op]]
    good, count = sum(passed[op] for op in imported), sum(total[op] for op in imported)
    with open(path, "w", encoding="utf-8") as out:
        out.write(HEAD.format(good=good, count=count, operators=len(imported), all=len(results)))
        for op in imported:
            out.write(f"| {op} | {passed[op]} / {total[op]} |\n")
        out.write("\n## Tests that pass with constants\n\n")
        out.write(textwrap.fill(", ".join(constants), 160, break_long_words=False) + "\n")
        out.write("\n## Tests that fail\n\n")
        for op in imported:
            for name, why in failures[op]:
                out.write(f"- `{name}` ({op}): {why}\n")
        out.write("\n## Operators without a test that passes\n\n")
        out.write(textwrap.fill(", ".join(f"{op} ({total[op]})" for op in absent), 160) + "\n")


HEAD = """# ONNX operators

What of ONNX's own node tests (`onnx.backend.test` of the version in test/requirements.txt) passes, through
`bitnet-compile` and `bitnet-run`, on the CPU. `test/Integration/onnx_ops/node_tests.py` writes this page and holds it
against reality. A test whose name ends in `_expanded` has the body of the operator's function in place of it.

The tests give every operand as an input of the model, where exporters write a constant. Those that failed only because
something was not known at compile time, and pass with all inputs but the first as constants, are listed as such. Tests
of a newer opset than 25 are run as of 25. Types that NumPy does not have cannot be fed.

{good} of {count} tests of {operators} operators pass. ({all} tests are known; operators without one that passes, mostly
because they are not imported, are at the end.)

| operator | passed |
|---|---|
"""


def read_list(path):
    """The results that the list names, the totals of imported operators, and of the others."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    sections = dict(section.split("\n", 1) for section in text.split("\n## ")[1:])
    results = dict(re.findall(r"^- `(\w+)` \(\w+\): (.*)$", sections["Tests that fail"], re.MULTILINE))
    results |= dict.fromkeys(re.findall(r"\w+", sections["Tests that pass with constants"]), CONSTANTS)
    totals = {op: (int(good), int(count)) for op, good, count in re.findall(r"^\| (\w+) \| (\d+) / (\d+) \|$", text, re.MULTILINE)}  # fmt: skip
    absent = dict(re.findall(r"(\w+)\s+\((\d+)\)", sections["Operators without a test that passes"]))
    return results, totals, {op: int(count) for op, count in absent.items()}


def check_totals(cases, named, totals, absent):
    """What in the list does not fit the tests that there are."""
    known, failed = defaultdict(int), defaultdict(int)
    for name, case in cases.items():
        known[operator_of(case, cases)] += 1
        failed[operator_of(case, cases)] += named.get(name, CONSTANTS) != CONSTANTS
    wrong = [f"{name}: there is no such test" for name in named if name not in cases]
    for op, count in known.items():
        good = count - failed[op]
        if op in totals and totals[op] != (good, count):
            wrong.append(f"{op}: the list says {totals[op]}, but names failures that leave {good} of {count}")
        if op not in totals and absent.get(op) != count:
            wrong.append(f"{op}: {count} tests, {absent.get(op)} in the list")
    return wrong


def outcome(reason):
    """Whether a test passes; why it fails may be said in other words."""
    return "passes" if reason is None else reason if reason == CONSTANTS else "fails"


def check_list(path, cases, results):
    named, totals, absent = read_list(path)
    wrong = check_totals(cases, named, totals, absent)
    for name, reason in results.items():
        operator = operator_of(cases[name], cases)
        expected = NOT_IMPORTED if operator in absent else named.get(name)
        if outcome(expected) != outcome(reason):
            wrong.append(f"{name} ({operator}): {reason or 'passes'}; the list says: {expected or 'passes'}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("command", choices=["check", "write"])
    parser.add_argument("list", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--match", default="")
    options = parser.parse_args()
    cases = load_cases()
    chosen = [case for case in cases.values() if re.search(options.match, case.name)]
    if options.command == "check" and not options.full and not options.match:
        chosen = chosen[::STRIDE]
    results = run_cases(chosen, options.work)
    if options.command == "write":
        write_list(options.list, cases, results)
        return
    if wrong := check_list(options.list, cases, results):
        sys.exit("\n".join(wrong) + "\nnode_tests.py write renews the list")
    print(f"{len(results)} node tests are as the list says")


if __name__ == "__main__":
    main()
