#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a decoder of one of make_model.py's shapes as a GGUF file in float16, with
random ternary weights, tied embeddings and no tokenizer: what llama.cpp and its
relatives quantise and benchmark. Needs Python with numpy, onnx and gguf."""

import argparse
import pathlib
import sys

import gguf
import numpy as np
from make_model import PRESETS, embedding_deviation

# What the engines call the architecture: llama.cpp and ik_llama.cpp one with silu,
# bitnet.cpp and ik_llama.cpp that of BitNet b1.58 2B-4T, with relu2.
ARCHITECTURES = ("bitnet", "bitnet-b1.58")


def tensors(preset):
    """Name and shape (as numpy has it: outputs, inputs) of each tensor."""
    hidden, intermediate = preset["hidden"], preset["intermediate"]
    queries = preset["heads"] * preset["head_dim"]
    keys = preset["kv_heads"] * preset["head_dim"]
    yield "token_embd.weight", (preset["vocabulary"], hidden)
    yield "output_norm.weight", (hidden,)
    for layer in range(preset["layers"]):
        for name, shape in (
            ("attn_norm", (hidden,)),
            ("attn_q", (queries, hidden)),
            ("attn_k", (keys, hidden)),
            ("attn_v", (keys, hidden)),
            ("attn_sub_norm", (queries,)),
            ("attn_output", (hidden, queries)),
            ("ffn_norm", (hidden,)),
            ("ffn_gate", (intermediate, hidden)),
            ("ffn_up", (intermediate, hidden)),
            ("ffn_sub_norm", (intermediate,)),
            ("ffn_down", (hidden, intermediate)),
        ):
            yield f"blk.{layer}.{name}.weight", shape


def values(random, name, shape):
    """Norms of 1 in float32, normal embeddings and ternary weights in float16."""
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    if name == "token_embd.weight":
        deviation = np.float32(embedding_deviation(shape[1]))
        return (random.standard_normal(shape, np.float32) * deviation).astype(np.float16)
    scale = (shape[1] * 2 / 3) ** -0.5
    return np.array([-scale, 0, scale], np.float16)[random.integers(0, 3, shape, np.uint8)]


def write(path, architecture, preset):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(4096)
    writer.add_embedding_length(preset["hidden"])
    writer.add_block_count(preset["layers"])
    writer.add_feed_forward_length(preset["intermediate"])
    writer.add_head_count(preset["heads"])
    writer.add_head_count_kv(preset["kv_heads"])
    writer.add_rope_dimension_count(preset["head_dim"])
    writer.add_rope_freq_base(preset["theta"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(preset["vocabulary"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("no_vocab")
    random = np.random.default_rng(0)
    for name, shape in tensors(preset):
        dtype = np.dtype(np.float32 if len(shape) == 1 else np.float16)
        writer.add_tensor_info(name, shape, dtype, int(np.prod(shape)) * dtype.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, shape in tensors(preset):
        writer.write_tensor_data(values(random, name, shape))
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    # The engines' architectures have sub-norms and tied embeddings.
    names = [name for name, preset in PRESETS.items() if preset["sub_norms"] and preset["tied"]]
    parser.add_argument("preset", choices=names, metavar="PRESET", help=", ".join(names))
    parser.add_argument("--architecture", choices=ARCHITECTURES, required=True)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="OUT.gguf")
    arguments = parser.parse_args()
    write(arguments.output, arguments.architecture, PRESETS[arguments.preset])
    return 0


if __name__ == "__main__":
    sys.exit(main())
