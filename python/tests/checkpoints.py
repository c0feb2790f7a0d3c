# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small checkpoints with random weights, and what their files hold."""

import json
import struct

import numpy as np

CONFIG = {
    "model_type": "bitnet",
    "vocab_size": 96,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "relu2",
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "tie_word_embeddings": True,
}


def to_bfloat16(values):
    """The upper halves of float32, as uint16."""
    return (np.ascontiguousarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def pack_planes(codes):
    """Hugging Face's packing of codes {0, 1, 2}."""
    rows = codes.shape[0]
    planes = (rows + 3) // 4
    packed = np.zeros([planes, codes.shape[1]], np.uint8)
    for i in range(4):
        part = codes[i * planes : (i + 1) * planes]
        packed[: len(part)] |= part << (2 * i)
    return packed


def write_safetensors(path, tensors):
    """tensors: name to (dtype, array)."""
    header, offset = {}, 0
    for name, (dtype, array) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, array in tensors.values():
            file.write(array.tobytes())


def write_gguf(path, metadata, tensors):
    """metadata: name to str, int or float; tensors: name to (type, shape, bytes)."""

    def string(text):
        return struct.pack("<Q", len(text.encode())) + text.encode()

    def value(item):
        if isinstance(item, str):
            return struct.pack("<I", 8) + string(item)
        if isinstance(item, list):
            return struct.pack("<IIQ", 9, 8, len(item)) + b"".join(map(string, item))
        return struct.pack("<If", 6, item) if isinstance(item, float) else struct.pack("<II", 4, item)

    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    header += b"".join(string(name) + value(item) for name, item in metadata.items())
    data = b""
    for name, (kind, shape, content) in tensors.items():
        data += b"\0" * (-len(data) % 32)
        header += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, len(data))
        data += content
    path.write_bytes(header + b"\0" * (-len(header) % 32) + data)
