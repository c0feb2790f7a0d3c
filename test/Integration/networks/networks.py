# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes networks with PyTorch, exports them, and compares what the compiled ones
compute with eager PyTorch.

    networks.py list   [--full]
    networks.py export [--full] [--only REGEX] --work DIR
    networks.py run    [--full] [--only REGEX] --work DIR [--family F]
                       [--executor compiled|onnxruntime] [-- compile options]
"""

import argparse
import contextlib
import io
import logging
import os
import re
import sys
import time
import warnings
import zlib

import numpy as np
import torch

import bitnet_tools as tools
from catalogue import catalogue


def positional(case, inputs):
    """Forward's arguments: a network without rotary takes no positions."""
    values = list(inputs.values())
    if case.family in ("encoder", "decoder") and "position_ids" not in inputs:
        values.insert(1, None)
    return tuple(values)


def dynamic_shapes(case, inputs):
    """The dynamic dimensions as torch.export wants them; past is *args."""
    automatic = torch.export.Dim.DYNAMIC
    shapes = {
        name: {axis: automatic for axis in case.dynamic.get(name, {})} for name in inputs
    }
    past = tuple(shape for name, shape in shapes.items() if name.startswith("past"))
    plain = [shape for name, shape in shapes.items() if not name.startswith("past")]
    if case.family in ("encoder", "decoder") and "position_ids" not in inputs:
        plain.insert(1, None)
    if past:
        plain.append(past)
    return tuple(plain)


def export(case, model, inputs, path):
    arguments = dict(
        input_names=list(inputs), output_names=case.outputs, opset_version=case.opset,
    )  # fmt: skip
    if case.exporter == "dynamo":
        arguments |= dict(dynamo=True, external_data=False, verbose=False)
        if case.dynamic:
            arguments["dynamic_shapes"] = dynamic_shapes(case, inputs)
    else:
        arguments |= dict(dynamo=False)
        if case.dynamic:
            arguments["dynamic_axes"] = case.dynamic
    # Exporters talk on both streams; what matters is whether they succeed.
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        torch.onnx.export(model, positional(case, inputs), path, **arguments)


def reference(case, model, inputs):
    with torch.no_grad():
        results = model(*positional(case, inputs))
    results = results if isinstance(results, tuple) else (results,)
    return dict(zip(case.outputs, (result.numpy() for result in results)))


def arrays(inputs):
    return {name: value.numpy() for name, value in inputs.items()}


def error_of(want, got):
    """The largest mean error of an output, or why it cannot be one."""
    worst = 0.0
    for name, expected in want.items():
        result = got[name]
        if result.shape != expected.shape or result.dtype != expected.dtype:
            raise tools.ToolError(f"{name} is {result.dtype}{result.shape}, not {expected.dtype}{expected.shape}")
        if not np.isfinite(result).all():
            raise tools.ToolError(f"{name} has values that are not finite")
        difference = np.abs(result.astype(np.float64) - expected).mean()
        worst = max(worst, difference / (np.abs(expected).max() + 1e-9))
    return worst


class Compiled:
    def __init__(self, model, work, options):
        self.artifact, self.work = os.path.join(work, "model.so"), work
        tools.compile_model(model, self.artifact, *options)

    def __call__(self, inputs, index):
        folder = os.path.join(self.work, f"sample-{index}")
        return tools.run(self.artifact, inputs, folder, "--threads", 1 + index % 2)


class OnnxRuntime:
    def __init__(self, model, work, options):
        import onnxruntime

        session_options = onnxruntime.SessionOptions()
        session_options.log_severity_level = 3
        session_options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = onnxruntime.InferenceSession(model, session_options)

    def __call__(self, inputs, index):
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, inputs)))


EXECUTORS = {"compiled": Compiled, "onnxruntime": OnnxRuntime}


def prepare(case, work):
    """The module, the inputs of every sample, and the exported file."""
    torch.manual_seed(zlib.crc32(case.name.encode()))
    model = case.build().eval()
    inputs = [make() for make in case.samples]
    path = os.path.join(work, "model.onnx")
    os.makedirs(work, exist_ok=True)
    export(case, model, inputs[0], path)
    return model, inputs, path


def try_case(case, arguments):
    """Gives the error and a text of the times taken."""
    work = os.path.join(arguments.work, case.name)
    start = time.monotonic()
    model, inputs, path = prepare(case, work)
    exported = time.monotonic()
    executor = EXECUTORS[arguments.executor](path, work, arguments.options)
    compiled = time.monotonic()
    worst = 0.0
    for index, sample in enumerate(inputs):
        want = reference(case, model, sample)
        worst = max(worst, error_of(want, executor(arrays(sample), index)))
    finished = time.monotonic()
    times = f"export {exported - start:.1f} s, compile {compiled - exported:.1f} s, run {finished - compiled:.1f} s"
    return worst, times


def run(cases, arguments):
    good = 0
    for case in cases:
        try:
            error, times = try_case(case, arguments)
        except Exception as problem:  # One network's failure is not the others'.
            text = " ".join(str(problem).split())[:600]
            print(f"{case.name}: FAILED: {type(problem).__name__}: {text}", flush=True)
            continue
        fine = error <= case.tolerance
        good += fine
        print(f"{case.name}: {'ok' if fine else 'WRONG'} {error:.1e} ({times})", flush=True)
    print(f"{good} of {len(cases)} networks match")
    return 0 if cases and good == len(cases) else 1


def export_all(cases, arguments):
    """Leaves NAME.onnx and NAME.npz (in_INPUT, out_INDEX) of the first sample."""
    for case in cases:
        model, inputs, path = prepare(case, arguments.work)
        os.replace(path, os.path.join(arguments.work, f"{case.name}.onnx"))
        want = reference(case, model, inputs[0])
        entries = {f"in_{name}": value for name, value in arrays(inputs[0]).items()}
        entries |= {f"out_{index}": value for index, value in enumerate(want.values())}
        np.savez(os.path.join(arguments.work, f"{case.name}.npz"), **entries)
        print(case.name, flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("command", choices=["list", "export", "run"])
    parser.add_argument("--full", action="store_true", help="every network, not the quick subset")
    parser.add_argument("--family", help="only this family of networks")
    parser.add_argument("--only", default="", help="only names in which this is found")
    parser.add_argument("--work", help="folder for files between")
    parser.add_argument("--executor", choices=EXECUTORS, default="compiled")
    # argparse would take a second list of positionals for a part of the command.
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:cut])
    arguments.options = words[cut + 1 :]
    if arguments.command != "list" and not arguments.work:
        parser.error("--work is needed")
    cases = [
        case
        for case in catalogue()
        if (arguments.full or case.quick)
        and (not arguments.family or case.family == arguments.family)
        and re.search(arguments.only, case.name)
    ]
    if arguments.command == "list":
        print("\n".join(case.name for case in cases))
        return 0
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    return (run if arguments.command == "run" else export_all)(cases, arguments)


if __name__ == "__main__":
    sys.exit(main())
