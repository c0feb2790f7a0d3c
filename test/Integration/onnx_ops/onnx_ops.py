# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles and runs the operators of cases.py and compares with ONNX's reference,
or with ONNX Runtime where it alone defines the operator.

    onnx_ops.py --work DIR [--match REGEX] [--shapes static|dynamic] [--foreign]

bitnet-compile and bitnet-run are found through PATH. All cases are one model; a
wrong one is named, and `--match` runs it alone.
"""
import argparse
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

import cases


def run_tool(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command[:3]))} ...: exit status {result.returncode}\n{result.stderr[-4000:]}")


def file_name(name):
    return re.sub(r"[^A-Za-z0-9._-]", "_", name) + ".npy"


def evaluate(model, feeds, foreign):
    if not foreign:
        return ReferenceEvaluator(model).run(None, feeds)
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def check(chosen, dynamic, work, options):
    """Returns what is wrong, one line a case."""
    model, feeds = cases.build_model(chosen, dynamic)
    work.mkdir(parents=True, exist_ok=True)
    onnx.save(model, work / "ops.onnx")
    run_tool("bitnet-compile", work / "ops.onnx", "-o", work / "ops.so", *options)
    arguments = []
    for name, array in feeds.items():
        np.save(work / file_name(name), array)
        arguments += ["--input", f"{name}={work / file_name(name)}"]
    run_tool("bitnet-run", "run", work / "ops.so", *arguments, "--output-dir", work / "out")
    expected = evaluate(model, feeds, any("." in entry.op for entry in chosen))
    names = [output.name for output in model.graph.output]
    owners = {name: entry for entry in chosen for name in entry.results()}
    wrong = []
    for name, array in zip(names, expected):
        got = np.load(work / "out" / file_name(name))
        problem = cases.compare(owners[name], got, np.asarray(array))
        if problem:
            wrong.append(f"{'dynamic' if dynamic else 'static'} {name}: {problem}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--match", default="")
    parser.add_argument("--shapes", choices=["static", "dynamic"])
    parser.add_argument("--foreign", action="store_true", help="operators of other domains instead of ONNX's")
    parser.add_argument("--target", help="of the compiler (default: its own)")
    options = parser.parse_args()
    targets = [f"--target={options.target}"] if options.target else []
    chosen = [entry for entry in cases.CASES
              if ("." in entry.op) == options.foreign and re.search(options.match, entry.name)]
    if not chosen:
        sys.exit(f"no case matches {options.match}")
    wrong = []
    for shapes in [options.shapes] if options.shapes else ["static", "dynamic"]:
        wrong += check(chosen, shapes == "dynamic", options.work / shapes, targets)
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(chosen)} cases agree")


if __name__ == "__main__":
    main()
