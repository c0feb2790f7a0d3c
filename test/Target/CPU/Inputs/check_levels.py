# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles ternary and binary layers for some numbers of tokens, for each level and
lowering, and looks at their innermost loops: vectors, without calls and spills."""

import argparse
import os
import subprocess
import sys

SUPPORT = os.path.join(os.path.dirname(__file__), "..", "..", "..", "Support")
sys.path.insert(0, SUPPORT)
import inner_loops  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--levels", nargs="+", required=True)
    parser.add_argument("--lowerings", nargs="+", default=["dot", "addsub", "lut"])
    parser.add_argument("--tokens", nargs="+", default=["1", "7", "32"])
    parser.add_argument("--packing", default="planes2", help="of ternary weights")
    options = parser.parse_args()
    layers, assembly = (os.path.join(options.folder, name) for name in ("levels.mlir", "levels.s"))
    subprocess.run([sys.executable, os.path.join(SUPPORT, "make_layers.py"), layers, *options.tokens], check=True)
    failed = False
    for level in options.levels:
        for lowering in options.lowerings:
            flags = ["--compile-to=asm", "--target=" + level, "--lowering=" + lowering]
            flags.append("--ternary-packing=" + options.packing)
            subprocess.run(["bitnet-compile", layers, "-o", assembly, *flags], check=True)
            loops = list(inner_loops.kernel_loops(assembly))
            errors = [fault for loop in loops for fault in inner_loops.faults(*loop)]
            # Each layer has a loop at least.
            if len(loops) < 2 * len(options.tokens):
                errors.append(f"only {len(loops)} loops")
            print(f"{level}, {lowering}: {len(loops)} loops", *errors[:6], sep="\n  ")
            failed |= bool(errors)
    return failed


if __name__ == "__main__":
    sys.exit(main())
