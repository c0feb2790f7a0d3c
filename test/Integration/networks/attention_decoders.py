# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decoders with a cache whose attention is one operator, ONNX Runtime's or the
standard's: what the model computes, and the tokens that its entries for decoding
choose, against onnxruntime."""

import argparse
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import bitnet_tools as tools

MICROSOFT = "com.microsoft"
VOCABULARY, HIDDEN, HEADS, GROUPS, DEPTH, LAYERS, LONGEST = 64, 64, 4, 2, 16, 2, 48


class Decoder:
    """`kind` is the operator; `packed` and `window` are of GroupQueryAttention."""

    def __init__(self, kind, packed=False, window=-1, batches=True):
        self.kind, self.packed, self.window, self.batches = kind, packed, window, batches
        self.random = np.random.default_rng(11)
        self.nodes, self.constants = [], []
        self.groups = HEADS if kind == "MultiHeadAttention" else GROUPS

    def constant(self, value, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(self, kind, *inputs, results=None, **attributes):
        results = results or [f"v{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, list(inputs), results, f"{kind}_{len(self.nodes)}", **attributes))
        return results[0]

    def linear(self, x, columns, rows=HIDDEN):
        weight = self.random.integers(-1, 2, (rows, columns))
        scale = self.constant(1.5 / np.sqrt(rows))
        return self.node("Mul", self.node("MatMul", x, self.constant(weight)), scale)

    def norm(self, x):
        scale = self.constant(1 + 0.1 * self.random.standard_normal(HIDDEN))
        return self.node("RMSNormalization", x, scale, axis=-1, epsilon=1e-6)

    def lengths(self):
        """seqlens_k and total_sequence_length, as ONNX Runtime's model builder has them."""
        one = self.constant([1], np.int64)
        counts = self.node("ReduceSum", "attention_mask", one, keepdims=1)
        last = self.node("Cast", self.node("Sub", counts, one), to=TensorProto.INT32)
        total = self.node("Gather", self.node("Shape", "attention_mask"), self.constant(1, np.int64))
        return last, self.node("Cast", total, to=TensorProto.INT32)

    def attention(self, x, layer, shared):
        past = [f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"]
        results = [f"attended_{layer}", f"present.{layer}.key", f"present.{layer}.value"]
        widths = [HEADS * DEPTH, self.groups * DEPTH, self.groups * DEPTH]
        q, k, v = [self.linear(x, width) for width in widths]
        if self.kind == "GroupQueryAttention":
            inputs = [self.node("Concat", q, k, v, axis=-1), "", ""] if self.packed else [q, k, v]
            return self.node(self.kind, *inputs, *past, *shared, results=results, domain=MICROSOFT, num_heads=HEADS,
                             kv_num_heads=GROUPS, do_rotary=1, local_window_size=self.window)
        if self.kind == "MultiHeadAttention":
            return self.node(self.kind, q, k, v, "", shared, "", *past, results=results, domain=MICROSOFT,
                             num_heads=HEADS, unidirectional=1)
        return self.node(self.kind, q, k, v, "", *past, results=results, is_causal=1, q_num_heads=HEADS,
                         kv_num_heads=GROUPS)

    def build(self):
        shared = None
        if self.kind == "GroupQueryAttention":
            angles = np.outer(np.arange(LONGEST), 100.0 ** (-np.arange(DEPTH // 2) / (DEPTH // 2)))
            shared = [*self.lengths(), self.constant(np.cos(angles)), self.constant(np.sin(angles))]
        elif self.kind == "MultiHeadAttention":
            shared = self.node("Cast", "attention_mask", to=TensorProto.INT32)
        table = self.random.standard_normal((VOCABULARY, HIDDEN))
        x = self.node("Gather", self.constant(table), "input_ids")
        for layer in range(LAYERS):
            attended = self.attention(self.norm(x), layer, shared)
            x = self.node("Add", x, self.linear(attended, HIDDEN))
            wide = self.node("Relu", self.linear(self.norm(x), 2 * HIDDEN))
            x = self.node("Add", x, self.linear(wide, HIDDEN, 2 * HIDDEN))
        head = self.constant(self.random.standard_normal((HIDDEN, VOCABULARY)))
        self.node("MatMul", self.norm(x), head, results=["logits"])
        return self.model()

    def model(self):
        batch = "batch" if self.batches else 1
        value = helper.make_tensor_value_info
        inputs = [value("input_ids", TensorProto.INT64, [batch, "tokens"])]
        outputs = [value("logits", TensorProto.FLOAT, [batch, "tokens", VOCABULARY])]
        if self.kind != "Attention":
            inputs.append(value("attention_mask", TensorProto.INT64, [batch, "total"]))
        for layer in range(LAYERS):
            for part in ["key", "value"]:
                shape = [batch, self.groups, "past", DEPTH]
                inputs.append(value(f"past_key_values.{layer}.{part}", TensorProto.FLOAT, shape))
                outputs.append(value(f"present.{layer}.{part}", TensorProto.FLOAT, shape[:2] + ["total", DEPTH]))
        graph = helper.make_graph(self.nodes, "decoder", inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", 23), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def feeds(self, ids, past):
        """Inputs for tokens [batch, tokens] after the keys and values of `past`, a list; none at first."""
        batch, tokens = ids.shape
        past = past or [np.zeros((batch, self.groups, 0, DEPTH), np.float32)] * (2 * LAYERS)
        feeds = {"input_ids": ids}
        if self.kind != "Attention":
            feeds["attention_mask"] = np.ones((batch, past[0].shape[2] + tokens), np.int64)
        names = [f"past_key_values.{layer}.{part}" for layer in range(LAYERS) for part in ["key", "value"]]
        return feeds | dict(zip(names, past))


KINDS = {
    "group-query": lambda: Decoder("GroupQueryAttention"),
    "group-query-packed": lambda: Decoder("GroupQueryAttention", packed=True, batches=False),
    "group-query-window": lambda: Decoder("GroupQueryAttention", window=5),
    "multi-head": lambda: Decoder("MultiHeadAttention"),
    "standard": lambda: Decoder("Attention"),
}


def greedy(session, decoder, prompt, count):
    """Tokens that onnxruntime chooses, and the least lead of one over the next."""
    ids, past, chosen, lead = np.array([prompt], np.int64), None, [], np.inf
    for _ in range(count):
        logits, *past = session.run(None, decoder.feeds(ids, past))
        second, first = np.sort(logits[0, -1])[-2:]
        lead = min(lead, first - second)
        chosen.append(int(logits[0, -1].argmax()))
        ids = np.array([[chosen[-1]]], np.int64)
    return chosen, lead


def check(name, folder):
    decoder = KINDS[name]()
    path = os.path.join(folder, f"{name}.onnx")
    onnx.save(decoder.build(), path)
    artifact = os.path.join(folder, f"{name}.so")
    tools.compile_model(path, artifact, "--max-context", str(LONGEST))
    entries = {str(entry) for entry in tools.information(artifact)["entries"]}
    if not any("decode" in entry for entry in entries) or not any("prefill" in entry for entry in entries):
        sys.exit(f"{name}: it has entries {entries} only")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(5)
    for batch, tokens, length in [(1, 1, 0), (1, 5, 0), (1, 1, 7), (2, 3, 4)]:
        if batch > 1 and not decoder.batches:
            continue
        if name.startswith("group-query") and batch > 1:
            tokens = 1  # onnxruntime takes several tokens after a past for one batch only
        shape = (batch, decoder.groups, length, DEPTH)
        past = [random.standard_normal(shape).astype(np.float32) for _ in range(2 * LAYERS)]
        feeds = decoder.feeds(random.integers(0, VOCABULARY, (batch, tokens)), past)
        got = tools.run(artifact, feeds, os.path.join(folder, name))
        for output, want in zip(session.get_outputs(), session.run(None, feeds)):
            error = np.abs(got[output.name] - want).max() if want.size else 0.0
            if got[output.name].shape != want.shape or not error < 2e-4 * max(1.0, np.abs(want).max()):
                sys.exit(f"{name}: {output.name} is wrong by {error} for {batch} x {tokens} tokens after {length}")
    prompt = random.integers(0, VOCABULARY, 9).tolist()
    want, lead = greedy(session, decoder, prompt, 16)
    got = tools.generate_ids(artifact, prompt, 16)
    if list(got) != want:
        sys.exit(f"{name}: it chooses {got}, onnxruntime {want}, by {lead}")
    print(f"{name}: outputs and {len(want)} tokens agree")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--only", choices=KINDS)
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    for name in [arguments.only] if arguments.only else KINDS:
        check(name, arguments.folder)


if __name__ == "__main__":
    main()
