# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: check_counters.py RESULTS.json

Checks names and counters of layers of 64 outputs and 96 inputs, of 1 and 8 tokens."""

import json
import math
import sys

COMBINATIONS = {
    "dot": ["planes2", "base3", "planes1"],
    "lut": ["planes2", "planes1"],
    "addsub": ["planes2", "base3", "planes1"],
    "popcount": ["planes2", "planes1"],
}
# Of the weights alone; blocks that are not full need more bytes.
MACS_PER_BYTE = {"planes2": 4, "base3": 5, "planes1": 8}


def check(run, packing, tokens):
    assert run["run_type"] == "iteration" and not run.get("error_occurred"), run
    assert run["label"] == "pmaddubsw xmm"
    for name in "us/layer", "GB/s", "GMAC/s", "GB/s limit", "GMAC/s limit":
        assert math.isfinite(run[name]) and run[name] > 0, f"{name}: {run[name]}"
    most = tokens * MACS_PER_BYTE[packing]
    assert most / 2 < run["MAC/byte"] <= most
    assert math.isclose(run["GMAC/s"], run["GB/s"] * run["MAC/byte"], rel_tol=1e-6)
    assert math.isclose(run["us/layer"], 64 * 96 * tokens / run["GMAC/s"] / 1e3, rel_tol=1e-6)
    binding = max(run["GB/s"] / run["GB/s limit"], run["GMAC/s"] / run["GMAC/s limit"])
    assert math.isclose(run["fraction"], binding, rel_tol=1e-6)
    # Generously, as machines that run tests are busy: a limit is not another unit.
    assert 1e-5 < run["fraction"] < 10, run["fraction"]


def main(path):
    with open(path, encoding="utf-8") as file:
        results = json.load(file)
    assert results["context"]["working_set_bytes"] == "65536"
    runs = {run["name"]: run for run in results["benchmarks"]}
    for lowering, packings in COMBINATIONS.items():
        for packing in packings:
            for tokens in 1, 8:
                name = f"{'gemv' if tokens == 1 else 'gemm'}/64x96/{lowering}/{packing}/x86-64-v2/"
                name += f"tokens:{tokens}/" if tokens > 1 else ""
                check(runs.pop(name + "threads:1/real_time"), packing, tokens)
    assert not runs, f"unexpected: {', '.join(runs)}"
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
