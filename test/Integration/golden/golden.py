# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares a compiled decoder with what eager PyTorch gave for the same network
(golden.json and golden_logits.npz beside the model)."""

import argparse
import json
import os
import sys

import numpy as np

import bitnet_tools as tools


def load_golden(folder):
    with open(os.path.join(folder, "golden.json"), encoding="utf-8") as file:
        return json.load(file)


def same_prefix(left, right):
    """How many elements from the start on are equal."""
    count = 0
    while count < min(len(left), len(right)) and left[count] == right[count]:
        count += 1
    return count


def certain_steps(session, prompt, greedy, margin):
    """How many steps come before the first whose top two logits, by the
    reference executor, are closer than the margin."""
    past = {}
    for value in session.get_inputs():
        if value.name.startswith("past"):
            past[value.name] = np.zeros([1, value.shape[1], 0, value.shape[3]], np.float32)
    names = [output.name for output in session.get_outputs()]
    fed, position = prompt, 0
    for step, token in enumerate(greedy):
        end = position + len(fed)
        inputs = {
            "input_ids": np.array([fed], np.int64),
            "attention_mask": np.ones([1, end], np.int64),
            "position_ids": np.arange(position, end, dtype=np.int64)[None],
        }
        results = dict(zip(names, session.run(None, inputs | past)))
        top = np.sort(results["logits"][0, -1])[-2:]
        if top[1] - top[0] < margin:
            return step
        past = {name: results[name.replace("past_key_values", "present")] for name in past}
        fed, position = [token], end
    return len(greedy)


def check_ids(arguments):
    session = None
    if arguments.margin:
        import onnxruntime

        session = onnxruntime.InferenceSession(arguments.reference)
    good = True
    for setting, options in tools.settings(arguments.artifact, arguments, arguments.every_variant):
        equal = total = 0
        for prompt in load_golden(arguments.golden)["prompts"][: arguments.prompts]:
            want = prompt["greedy"]
            needed = len(want)
            if session:
                needed = certain_steps(session, prompt["ids"], want, arguments.margin)
            got = tools.generate_ids(arguments.artifact, prompt["ids"], len(want), *options)
            # The golden ids keep the token that ends the text; the tool may not.
            if want[-1] == 0 and got == want[:-1]:
                got = want
            prefix = same_prefix(got, want)
            equal, total = equal + prefix, total + len(want)
            if prefix < needed:
                good = False
                print(f"{prompt['prompt']!r} {setting}: {prefix} of {len(want)} ids, {needed} needed: {got}")
        print(f"{setting}: {equal} of {total} ids are the golden ones")
        good = good and equal >= arguments.fraction * total
    return good


def check_logits(arguments):
    golden = np.load(os.path.join(arguments.golden, "golden_logits.npz"))
    length = len(golden["ids"])
    inputs = {
        "input_ids": golden["ids"][None],
        "attention_mask": np.ones([1, length], np.int64),
        "position_ids": np.arange(length, dtype=np.int64)[None],
    }
    for value in tools.information(arguments.artifact)["inputs"]:
        if value["name"].startswith("past"):
            _, heads, _, size = value["shape"]
            inputs[value["name"]] = np.zeros([1, heads, 0, size], np.float32)
    outputs = tools.run(arguments.artifact, inputs, arguments.work)
    error = np.abs(outputs["logits"][0] - golden["logits"]).max()
    print(f"largest difference of the logits: {error:.2e}")
    return error <= arguments.tolerance


def check_perplexity(arguments):
    golden = load_golden(arguments.golden)
    os.makedirs(arguments.work, exist_ok=True)
    tokens = os.path.join(arguments.work, "tokens.npy")
    np.save(tokens, np.array(golden["perplexity_sequences"], np.int64))
    got, want = tools.perplexity(arguments.artifact, tokens), golden["perplexity"]
    print(f"perplexity {got}, golden {want}")
    return abs(got / want - 1) <= arguments.tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    ids = commands.add_parser("ids")
    ids.set_defaults(check=check_ids)
    tools.add_machine_options(ids)
    ids.add_argument("--every-variant", action="store_true")
    ids.add_argument("--prompts", type=int, help="how many (default: all)")
    ids.add_argument("--fraction", type=float, default=1.0, help="of the ids that must be golden")
    ids.add_argument("--margin", type=float, help="ids count up to the first smaller top-two margin")
    ids.add_argument("--reference", help="the ONNX model, for --margin")
    for name, check, tolerance in (
        ("logits", check_logits, 0.05),
        ("perplexity", check_perplexity, 0.002),
    ):
        command = commands.add_parser(name)
        command.set_defaults(check=check)
        command.add_argument("--tolerance", type=float, default=tolerance)
        command.add_argument("--work", required=True, help="folder for files between")
    for command in commands.choices.values():
        command.add_argument("artifact")
        command.add_argument("golden", help="folder of the golden files")
    arguments = parser.parse_args()
    return 0 if arguments.check(arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
