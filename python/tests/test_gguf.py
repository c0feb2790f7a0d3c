# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""GGUF files to ONNX: every tensor type holds the weights that were packed."""

import struct

import numpy as np
import pytest

import bitnet_mlir
from checkpoints import to_bfloat16, write_gguf

onnx = pytest.importorskip("onnx")

TQ1_0, TQ2_0, I2_S = 34, 35, 36
HIDDEN, FFN, HEADS, VOCABULARY = 256, 512, 4, 64


def trits(block, groups):
    """Bytes of five (or fewer) base-3 digits, the first the highest, as q*256/243
    rounded up. `groups`: (offset, bytes, digits)."""
    data = bytearray()
    for offset, count, digits in groups:
        for m in range(count):
            q = 0
            for n in range(digits):
                q = q * 3 + int(block[offset + n * count + m])
            q *= 3 ** (5 - digits)
            data.append((q * 256 + 242) // 243)
    return bytes(data)


def pack_tq1_0(codes, scales):
    groups = [(0, 32, 5), (160, 16, 5), (240, 4, 4)]
    return b"".join(
        trits(block, groups) + struct.pack("<e", scale)
        for block, scale in zip(codes.reshape(-1, 256), scales.ravel(), strict=True)
    )


def pack_tq2_0(codes, scales):
    data = b""
    for block, scale in zip(codes.reshape(-1, 256), scales.ravel(), strict=True):
        packed = bytearray(64)
        for element, code in enumerate(block):
            half, rest = divmod(element, 128)
            packed[32 * half + rest % 32] |= int(code) << (2 * (rest // 32))
        data += bytes(packed) + struct.pack("<e", scale)
    return data


def pack_i2_s(codes, scale):
    data = b""
    for block in codes.reshape(-1, 128):
        packed = bytearray(32)
        for element, code in enumerate(block):
            packed[element % 32] |= int(code) << (6 - 2 * (element // 32))
        data += bytes(packed)
    return data + struct.pack("<f", scale) + bytes(28)


SHAPES = {
    "attn_q": (HIDDEN, HIDDEN),
    "attn_k": (HIDDEN // 2, HIDDEN),
    "attn_v": (HIDDEN // 2, HIDDEN),
    "attn_output": (HIDDEN, HIDDEN),
    "ffn_gate": (FFN, HIDDEN),
    "ffn_up": (FFN, HIDDEN),
    "ffn_down": (HIDDEN, FFN),
}


def write_model(path, kind, architecture="bitnet-b1.58", *, block_scales=False):
    """A model of one layer; gives its codes by GGUF's names, and their scales."""
    random = np.random.default_rng(0)
    metadata = {
        "general.architecture": architecture,
        "tokenizer.ggml.tokens": ["a", "b"],
        f"{architecture}.embedding_length": HIDDEN,
        f"{architecture}.feed_forward_length": FFN,
        f"{architecture}.block_count": 1,
        f"{architecture}.attention.head_count": HEADS,
        f"{architecture}.attention.head_count_kv": HEADS // 2,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{architecture}.rope.freq_base": 10000.0,
        f"{architecture}.rope.dimension_count": HIDDEN // HEADS,
    }
    ones = lambda size: (0, (size,), np.ones(size, np.float32).tobytes())  # noqa: E731
    table = random.standard_normal([VOCABULARY, HIDDEN], np.float32)
    tensors = {
        "token_embd.weight": (30, table.shape, to_bfloat16(table).tobytes()),
        "output_norm.weight": ones(HIDDEN),
        "blk.0.attn_norm.weight": ones(HIDDEN),
        "blk.0.ffn_norm.weight": ones(HIDDEN),
        "blk.0.ffn_sub_norm.weight": ones(FFN),
    }
    weights = {}
    for name, shape in SHAPES.items():
        codes = random.integers(0, 3, shape, np.uint8)
        scales = np.full([shape[0], shape[1] // 256], 0.0625, np.float32)
        if block_scales:
            scales = random.choice(np.float32([0.03125, 0.0625, 0.125]), scales.shape)
        pack = {TQ1_0: pack_tq1_0, TQ2_0: pack_tq2_0, I2_S: lambda codes, scales: pack_i2_s(codes, scales[0, 0])}[kind]
        tensors[f"blk.0.{name}.weight"] = (kind, shape, pack(codes, scales))
        weights[name] = (codes.astype(np.float32) - 1) * np.repeat(scales, 256, axis=1)
    write_gguf(path, metadata, tensors)
    return weights


def dequantized(path):
    """Every dequantised matrix of an exported model, by the layer's name."""
    model = onnx.load(path)
    matrices = [node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in matrices)
    kept = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    del model.graph.input[:]
    session = pytest.importorskip("onnxruntime").InferenceSession(model.SerializeToString())
    return {name.split(".")[-2]: value for name, value in zip(matrices, session.run(matrices, {}))}


NAMES = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}  # fmt: skip


@pytest.mark.parametrize("kind, block_scales", [(TQ1_0, False), (TQ2_0, False), (I2_S, False), (TQ1_0, True), (TQ2_0, True)])
def test_weights(kind, block_scales, tmp_path):
    weights = write_model(tmp_path / "m.gguf", kind, block_scales=block_scales)
    path = bitnet_mlir.export.export_checkpoint(tmp_path / "m.gguf", tmp_path / "m.onnx")
    onnx.checker.check_model(str(path), full_check=True)
    found = dequantized(path)
    assert set(found) == set(NAMES)
    for name, values in found.items():
        assert np.array_equal(values, weights[NAMES[name]]), name
    operations = [node.op_type for node in onnx.load(path).graph.node]
    assert operations.count("Round") == 4 and operations.count("Sigmoid") == 0


def test_rows_of_llama_move_back(tmp_path):
    weights = write_model(tmp_path / "m.gguf", TQ2_0, "llama", block_scales=True)
    path = bitnet_mlir.export.export_checkpoint(tmp_path / "m.gguf", tmp_path / "m.onnx")
    found = dequantized(path)
    # Neighbouring channels of a head to its halves.
    for name, heads in (("q_proj", HEADS), ("k_proj", HEADS // 2)):
        rows = weights[NAMES[name]].reshape(heads, HIDDEN // HEADS // 2, 2, HIDDEN)
        assert np.array_equal(found[name], np.concatenate([rows[:, :, 0], rows[:, :, 1]], axis=1).reshape(-1, HIDDEN))
    assert np.array_equal(found["v_proj"], weights["attn_v"])
    operations = [node.op_type for node in onnx.load(path).graph.node]
    assert operations.count("Round") == 0 and operations.count("Sigmoid") == 1


def test_compiles_and_generates(tmp_path):
    write_model(tmp_path / "m.gguf", I2_S)
    path = bitnet_mlir.export.export_checkpoint(tmp_path / "m.gguf", tmp_path / "m.onnx")
    model = bitnet_mlir.Model(bitnet_mlir.compile(path, tmp_path / "m.so", target="native", max_context=32))
    assert len(model.generate([1, 2], temperature=0, max_tokens=5, stop_tokens=[]).ids()) == 5


def test_sizes_tell_forks_apart(tmp_path):
    # TQ2_0's bytes under the number of I2_S.
    write_model(tmp_path / "m.gguf", TQ2_0)
    data = bytearray((tmp_path / "m.gguf").read_bytes())
    at = data.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight") + 4 + 16
    assert struct.unpack_from("<I", data, at)[0] == TQ2_0
    struct.pack_into("<I", data, at, I2_S)
    (tmp_path / "m.gguf").write_bytes(data)
    with pytest.raises(bitnet_mlir.ExportError, match="blk.0.attn_q.weight: type 36 would take"):
        bitnet_mlir.export.export_checkpoint(tmp_path / "m.gguf", tmp_path / "m.onnx")
    struct.pack_into("<I", data, at, 12)
    (tmp_path / "m.gguf").write_bytes(data)
    with pytest.raises(bitnet_mlir.ExportError, match="the type number 12 .* is not supported"):
        bitnet_mlir.export.export_checkpoint(tmp_path / "m.gguf", tmp_path / "m.onnx")


def test_damaged_files(tmp_path):
    write_model(tmp_path / "m.gguf", TQ1_0)
    whole = (tmp_path / "m.gguf").read_bytes()
    for content in (b"", b"GGUF", whole[:100], whole[:-1], b"GGUF" + b"\xff" * 60, whole.replace(b"bitnet-b1.58", b"no-such-arch")):
        (tmp_path / "m.gguf").write_bytes(content)
        with pytest.raises(bitnet_mlir.ExportError, match="m.gguf|type"):
            bitnet_mlir.export.export_checkpoint(tmp_path / "m.gguf", tmp_path / "m.onnx")
    assert not list(tmp_path.glob("m.onnx*"))
