# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decoders that TorchScript's exporter writes with masked_fill and with keys repeated
by expand, to -1 or to extents: they decode in place, and choose PyTorch's tokens."""

import os
import sys
import warnings

import torch

import bitnet_tools as tools

WIDTH, HEADS, GROUPS, DEPTH, VOCABULARY = 64, 4, 2, 16, 100


class Decoder(torch.nn.Module):
    def __init__(self, keeps):
        super().__init__()
        self.keeps = keeps  # expand to -1
        self.table = torch.nn.Embedding(VOCABULARY, WIDTH)
        self.q = torch.nn.Linear(WIDTH, HEADS * DEPTH, bias=False)
        self.k = torch.nn.Linear(WIDTH, GROUPS * DEPTH, bias=False)
        self.v = torch.nn.Linear(WIDTH, GROUPS * DEPTH, bias=False)
        self.o = torch.nn.Linear(HEADS * DEPTH, WIDTH, bias=False)
        self.head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)

    def repeat(self, x):
        count, batch, length = HEADS // GROUPS, x.shape[0], x.shape[2]
        sizes = (-1, -1, count, -1, -1) if self.keeps else (batch, GROUPS, count, length, DEPTH)
        return x[:, :, None].expand(*sizes).reshape(batch, HEADS, -1, DEPTH)

    def forward(self, ids, past_key, past_value):
        batch, tokens = ids.shape
        x = self.table(ids)
        q = self.q(x).view(batch, tokens, HEADS, DEPTH).transpose(1, 2)
        k = self.k(x).view(batch, tokens, GROUPS, DEPTH).transpose(1, 2)
        v = self.v(x).view(batch, tokens, GROUPS, DEPTH).transpose(1, 2)
        k, v = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2)
        keys, values = self.repeat(k), self.repeat(v)
        seen = torch.ones(tokens, keys.shape[2], dtype=torch.bool).tril(keys.shape[2] - tokens)
        scores = (q @ keys.transpose(2, 3)) * DEPTH**-0.5
        weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
        y = (weights @ values).transpose(1, 2).reshape(batch, tokens, -1)
        return self.head(x + self.o(y)), k, v


def export(model, path):
    past = torch.zeros(2, GROUPS, 5, DEPTH)
    names = ["ids", "past_key_values.0.key", "past_key_values.0.value"]
    axes = {names[0]: {0: "batch", 1: "tokens"}} | {name: {0: "batch", 2: "past"} for name in names[1:]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(2, 3, dtype=torch.int64), past, past), path, dynamo=False, opset_version=17,
            input_names=names, output_names=["logits", "present.0.key", "present.0.value"], dynamic_axes=axes,
        )  # fmt: skip


def greedy(model, prompt, count):
    past, ids, chosen = [torch.zeros(1, GROUPS, 0, DEPTH)] * 2, torch.tensor([prompt]), []
    for _ in range(count):
        logits, *past = model(ids, *past)
        chosen.append(int(logits[0, -1].argmax()))
        ids = torch.tensor([chosen[-1:]])
    return chosen


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for keeps in [True, False]:
        torch.manual_seed(0)
        model = Decoder(keeps).eval()
        path, artifact = (os.path.join(folder, f"{keeps}.{kind}") for kind in ["onnx", "so"])
        export(model, path)
        tools.compile_model(path, artifact, "--max-context", "64")
        entries = tools.information(artifact)["entries"]
        if not {"decode", "prefill"} <= set(entries):
            sys.exit(f"{path}: it has entries {entries} only")
        prompt = [3, 7, 1, 9, 12, 44, 2]
        with torch.no_grad():
            want = greedy(model, prompt, 12)
        got = tools.generate_ids(artifact, prompt, 12)
        if got != want:
            sys.exit(f"{path}: it chooses {got}, PyTorch {want}")


if __name__ == "__main__":
    main()
