# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints of Hugging Face to ONNX: the graphs compute what transformers does."""

import json
import lzma
import subprocess
import sys

import numpy as np
import pytest

import bitnet_mlir
from checkpoints import CONFIG, pack_planes, to_bfloat16, write_safetensors
from conftest import DECODER

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from bitnet_mlir.export.safetensors import SafeTensors  # noqa: E402


def reference(config, linear_class, mode, seed=0, *, bias=False, rms_norm=False):
    """transformers' model with low-bit layers and random weights."""
    from transformers.integrations import bitnet

    # Its quantisers are decorated with torch.compile.
    torch.compiler.set_stance("force_eager")
    torch.manual_seed(seed)
    kinds = {"bitnet": ("BitNetConfig", "BitNetForCausalLM"), "llama": ("LlamaConfig", "LlamaForCausalLM")}
    config_class, model_class = (getattr(transformers, name) for name in kinds[config["model_type"]])
    arguments = {key: value for key, value in config.items() if key != "model_type"}
    model = model_class(config_class(**arguments, attn_implementation="eager")).eval()
    options = {"use_rms_norm": rms_norm, "rms_norm_eps": 1e-5}
    with torch.no_grad():
        for name, module in list(model.named_modules()):
            if "norm" in name:
                module.weight.copy_(torch.rand_like(module.weight) + 0.5)
            if not isinstance(module, torch.nn.Linear) or name == "lm_head":
                continue
            master = torch.randn(module.out_features, module.in_features) * 0.05
            scale = master.abs().mean()
            codes = (master / scale).round().clamp(-1, 1)
            sizes = (module.in_features, module.out_features)
            if linear_class == "autobitlinear":
                layer = bitnet.AutoBitLinear(*sizes, bias=bias, online_quant=mode == "online", **options)
                layer.weight.copy_(master if mode == "online" else codes)
            else:
                layer = bitnet.BitLinear(*sizes, bias=bias, dtype=torch.float32, **options)
                layer.weight.copy_(torch.from_numpy(pack_planes((codes + 1).to(torch.uint8).numpy())))
            if mode != "online":
                layer.weight_scale.fill_(scale if linear_class == "autobitlinear" else 1 / scale)
            if bias:
                layer.bias.copy_(torch.randn(module.out_features) * 0.1)
            if rms_norm:
                layer.rms_norm.weight.copy_(torch.rand(module.in_features) + 0.5)
            model.set_submodule(name, layer)
        for parameter in (*model.parameters(), *(b for n, b in model.named_buffers() if "inv_freq" not in n)):
            if parameter.dtype == torch.float32:
                parameter.copy_(parameter.to(torch.bfloat16).float())
    return model


def save(model, config, linear_class, mode, folder, *, packed=True, rms_norm=False):
    """A checkpoint folder of the model, in bfloat16."""
    tensors = {}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        array = value.detach().numpy()
        if name + "_scale" in model.state_dict() and array.dtype == np.float32 and packed:
            array = pack_planes((array + 1).astype(np.uint8))
        tensors[name] = ("U8", array) if array.dtype == np.uint8 else ("BF16", to_bfloat16(array))
    write_safetensors(folder / "model.safetensors", tensors)
    quantization = {"quant_method": "bitnet", "linear_class": linear_class, "quantization_mode": mode}
    if rms_norm:
        quantization |= {"use_rms_norm": True, "rms_norm_eps": 1e-5}
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": quantization}))


def onnx_logits(path, ids, past=None, mask=None):
    """Logits and presents of onnxruntime."""
    session = onnxruntime.InferenceSession(str(path))
    inputs = {"input_ids": np.asarray(ids, np.int64)}
    for value in session.get_inputs():
        if value.name.startswith("past"):
            shape = [len(ids), value.shape[1], 0, value.shape[3]]
            inputs[value.name] = past[value.name] if past else np.zeros(shape, np.float32)
    length = next(value.shape[2] for name, value in inputs.items() if name.startswith("past")) + len(ids[0])
    inputs["attention_mask"] = np.ones([len(ids), length], np.int64) if mask is None else np.asarray(mask, np.int64)
    outputs = dict(zip([value.name for value in session.get_outputs()], session.run(None, inputs)))
    return outputs["logits"], {name.replace("present", "past_key_values"): value for name, value in outputs.items() if "present" in name}


LLAMA3 = {"rope_type": "llama3", "rope_theta": 50000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}  # fmt: skip
LLAMA = {**CONFIG, "model_type": "llama", "hidden_act": "silu"}
CASES = {
    "bitnet": (CONFIG, "autobitlinear", "offline", {}),
    "bitnet-untied": ({**CONFIG, "tie_word_embeddings": False}, "autobitlinear", "offline", {}),
    "bitnet-online": (CONFIG, "autobitlinear", "online", {}),
    "bitnet-rms-norm": (CONFIG, "autobitlinear", "offline", {"rms_norm": True}),
    "bitnet-bias": (CONFIG, "autobitlinear", "offline", {"bias": True}),
    "llama": (LLAMA, "bitlinear", "offline", {}),
    "llama-bias": (LLAMA, "bitlinear", "offline", {"bias": True}),
    "llama-rms-norm": (LLAMA, "bitlinear", "offline", {"rms_norm": True}),
    "llama-head-dim": ({**LLAMA, "head_dim": 48, "num_key_value_heads": 4}, "bitlinear", "offline", {}),
    "llama-rope": ({**LLAMA, "rope_parameters": LLAMA3, "hidden_size": 96}, "autobitlinear", "online", {}),
    "llama-odd": ({**LLAMA, "intermediate_size": 132, "hidden_size": 72, "num_attention_heads": 2}, "autobitlinear", "offline", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_transformers(case, tmp_path):
    config, linear_class, mode, options = CASES[case]
    model = reference(config, linear_class, mode, **options)
    options.pop("bias", None)
    save(model, config, linear_class, mode, tmp_path, **options)
    path = bitnet_mlir.export.export_checkpoint(tmp_path, tmp_path / "m.onnx")
    onnx.checker.check_model(str(path), full_check=True)
    ids = np.random.default_rng(0).integers(0, config["vocab_size"], [2, 9])
    expected = model(torch.from_numpy(ids)).logits.detach().numpy()
    whole, _ = onnx_logits(path, ids)
    # A flipped rounding of an activation moves logits by a few thousandths.
    tolerance = 0.02 * np.abs(expected).max()
    assert np.abs(whole - expected).max() < tolerance
    _, past = onnx_logits(path, ids[:, :4])
    assert np.abs(onnx_logits(path, ids[:, 4:], past)[0] - expected[:, 4:]).max() < tolerance


def weight_only(folder, block, change=lambda weight: None):
    """A Llama of transformers whose matrices are ternary floats, a scale for each
    `block` inputs, each row, or the matrix, and its folder."""
    torch.manual_seed(1)
    arguments = {key: value for key, value in LLAMA.items() if key != "model_type"}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**arguments, attn_implementation="eager")).eval()
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and name != "lm_head":
                outputs, inputs = module.out_features, module.in_features
                shape = {"matrix": (1, 1), "row": (outputs, 1)}.get(block) or (outputs, inputs // block)
                scale = (torch.rand(shape) * 0.05 + 0.02).repeat_interleave(inputs // shape[1], 1)
                module.weight.copy_(torch.randint(-1, 2, (outputs, inputs)) * scale)
                change(module.weight)
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16).float())
    tensors = {
        name: ("BF16", to_bfloat16(value.detach().numpy()))
        for name, value in model.state_dict().items()
        if name != "lm_head.weight"
    }
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(LLAMA))
    return model


@pytest.mark.parametrize("block", ["matrix", "row", 64, 16])
def test_ternary_floats_are_weight_only(block, tmp_path):
    model = weight_only(tmp_path, block)
    path = bitnet_mlir.export.export_checkpoint(tmp_path, tmp_path / "m.onnx")
    graph = onnx.load(path).graph
    assert sum(tensor.data_type == onnx.TensorProto.INT2 for tensor in graph.initializer) == 14
    assert not any(node.op_type == "Round" for node in graph.node)
    ids = np.random.default_rng(0).integers(0, LLAMA["vocab_size"], [2, 9])
    expected = model(torch.from_numpy(ids)).logits.detach().numpy()
    assert np.abs(onnx_logits(path, ids)[0] - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("value, message", [(0.3, "are not ternary"), (float("nan"), "are not finite")])
def test_other_floats_are_refused(value, message, tmp_path):
    def change(weight):
        weight[0, :2] = torch.tensor([0.01, value])

    weight_only(tmp_path, "row", change)
    with pytest.raises(bitnet_mlir.ExportError, match=f"self_attn.q_proj.weight: the weights {message}"):
        bitnet_mlir.export.export_checkpoint(tmp_path, tmp_path / "m.onnx")
    assert not list(tmp_path.glob("m.onnx*"))


def test_padding_on_the_left_is_masked(tmp_path):
    model = reference(CONFIG, "autobitlinear", "offline")
    save(model, CONFIG, "autobitlinear", "offline", tmp_path)
    path = bitnet_mlir.export.export_checkpoint(tmp_path, tmp_path / "m.onnx")
    alone, _ = onnx_logits(path, [[5, 6, 7]])
    padded, _ = onnx_logits(path, [[0, 0, 5, 6, 7]], mask=[[0, 0, 1, 1, 1]])
    assert np.abs(padded[:, 2:] - alone).max() < 0.02 * np.abs(alone).max()


def test_weights_are_two_bits_and_embeddings_stay(tmp_path):
    save(reference(CONFIG, "autobitlinear", "offline"), CONFIG, "autobitlinear", "offline", tmp_path)
    path = bitnet_mlir.export.export_checkpoint(tmp_path, tmp_path / "m.onnx", external_data=True)
    model = onnx.load(path, load_external_data=False)
    matrices = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT2]
    assert len(matrices) == 14
    assert all(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in matrices)
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "embed_tokens.weight")
    assert table.data_type == onnx.TensorProto.BFLOAT16
    elements = 2 * (128 * 128 * 2 + 128 * 64 * 2 + 3 * 128 * 256)
    assert (tmp_path / "m.onnx.data").stat().st_size < elements / 4 + 96 * 128 * 2 + 40 * 4096


def test_external_data_compiles_to_the_same(tmp_path):
    save(reference(CONFIG, "autobitlinear", "offline"), CONFIG, "autobitlinear", "offline", tmp_path)
    artifacts = []
    for external in (False, True):
        path = bitnet_mlir.export.export_checkpoint(tmp_path, tmp_path / f"m{external}.onnx", external_data=external)
        report = tmp_path / "report.json"
        artifact = bitnet_mlir.compile(path, tmp_path / f"m{external}.so", target="native", max_context=64, report=report)
        entries = {entry["name"]: entry for entry in json.loads(report.read_text())["entries"]}
        assert set(entries) == {"main", "decode", "prefill", "prefill_64"}
        for entry in entries.values():
            assert [entry[key] for key in ("linears", "quantizations", "attentions", "rotaries", "norms")] == [14, 8, 2, 4, 9]
        assert entries["decode"]["attentions_with_in_place_cache"] == 2
        artifacts.append(bitnet_mlir.Model(artifact))
    ids = [model.generate([3, 4, 5], temperature=0, max_tokens=20, stop_tokens=[]).ids() for model in artifacts]
    assert ids[0] == ids[1] and len(ids[0]) == 20
    whole, _ = onnx_logits(tmp_path / "mTrue.onnx", [[3, 4, 5]])
    logits = artifacts[1].session().append([3, 4, 5], all_logits=True)
    assert np.abs(logits - whole[0]).max() < 0.02 * np.abs(whole).max()


def demonstration_checkpoint(folder):
    """The demonstration model as a packed checkpoint, out of its ONNX file."""
    model = onnx.load_from_string(lzma.decompress((DECODER / "decoder.onnx.xz").read_bytes()))
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    tensors = {"model.embed_tokens.weight": ("BF16", to_bfloat16(values["m.lm_head.weight"]))}
    # Equal tensors are one in the file; each linear layer names its own by use.
    matrices = {node.output[0]: values[node.input[1]] for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in values}
    order = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")  # fmt: skip
    scales = {node.input[0]: values[node.input[1]] for node in model.graph.node if node.op_type == "Mul" and node.input[0] in matrices and node.input[1] in values}  # fmt: skip
    for index, (result, matrix) in enumerate(matrices.items()):
        name = f"model.layers.{index // 7}.{order[index % 7]}"
        tensors[name + ".weight"] = ("U8", pack_planes((matrix.T + 1).astype(np.uint8)))
        tensors[name + ".weight_scale"] = ("BF16", to_bfloat16(scales[result].reshape(1)))
    for name, value in values.items():
        if "norm" in name and name.endswith(".weight"):
            tensors[name.removeprefix("m.")] = ("BF16", to_bfloat16(value))
    write_safetensors(folder / "model.safetensors", tensors)
    config = {
        **CONFIG,
        "vocab_size": 4096,
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "max_position_embeddings": 1024,
        "quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"},
    }
    (folder / "config.json").write_text(json.dumps(config))


def test_golden_tokens(tmp_path, golden):
    demonstration_checkpoint(tmp_path)
    command = [sys.executable, "-m", "bitnet_mlir.export.command", str(tmp_path), "-o", str(tmp_path / "m.onnx")]
    subprocess.run(command, check=True)
    artifact = bitnet_mlir.compile(tmp_path / "m.onnx", tmp_path / "m.so", target="native", max_context=128)
    model = bitnet_mlir.Model(artifact)
    for prompt in golden["prompts"]:
        ids = model.generate(prompt["ids"], temperature=0, max_tokens=len(prompt["greedy"]), stop_tokens=[]).ids()
        assert ids == prompt["greedy"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"hidden_act": "tanh"}, "activation function 'tanh'"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "'yarn' is not supported: default, linear and llama3"),
        ({"num_key_value_heads": 3}, "4 heads cannot share 3"),
        ({"num_hidden_layers": 3}, "layers.2.* the checkpoint has no such tensor"),
        ({"hidden_size": 64}, "the shape .* is wanted"),
        ({"hidden_size": None}, "config.json"),
        ({"quantization_config": None}, "no quantization_config"),
        ({"quantization_config": {"quant_method": "gptq"}}, "'gptq' is not supported: bitnet is"),
        ({"tie_word_embeddings": False}, "lm_head.weight"),
    ],
)
def test_bad_checkpoints(change, message, tmp_path):
    save(reference(CONFIG, "autobitlinear", "offline"), CONFIG, "autobitlinear", "offline", tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(bitnet_mlir.ExportError, match=message):
        bitnet_mlir.export.export_checkpoint(tmp_path, tmp_path / "m.onnx")
    assert not list(tmp_path.glob("m.onnx*"))


def test_damaged_files(tmp_path, capsys):
    from bitnet_mlir.export.command import main

    save(reference(CONFIG, "autobitlinear", "offline"), CONFIG, "autobitlinear", "offline", tmp_path)
    file = tmp_path / "model.safetensors"
    whole = file.read_bytes()
    for content in (b"", whole[:6], whole[:40], whole[:-1], b"\xff" * 64):
        file.write_bytes(content)
        assert main([str(tmp_path), "-o", str(tmp_path / "m.onnx")]) == 1
        error = capsys.readouterr().err
        assert error.startswith("bitnet-export: error: ") and "model.safetensors" in error and error.count("\n") == 1
    assert main([str(tmp_path / "none"), "-o", str(tmp_path / "m.onnx")]) == 1
    assert not list(tmp_path.glob("m.onnx*"))


def test_codes_of_three_are_refused(tmp_path):
    save(reference(CONFIG, "autobitlinear", "offline"), CONFIG, "autobitlinear", "offline", tmp_path)
    entry = SafeTensors(tmp_path).entries["model.layers.1.mlp.up_proj.weight"]
    with open(entry.file, "r+b") as file:
        file.seek(entry.offset + entry.size - 1)
        file.write(b"\xff")
    with pytest.raises(bitnet_mlir.ExportError, match="a 2-bit code is 3"):
        bitnet_mlir.export.export_checkpoint(tmp_path, tmp_path / "m.onnx")


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.up = bitnet_mlir.nn.BitLinear(64, 128)
        self.down = bitnet_mlir.nn.BitLinear(128, 64)

    def forward(self, x, *more):
        return x + self.down(torch.relu(self.up(x)) ** 2) + sum(more)


def test_module(tmp_path):
    torch.manual_seed(0)
    module = Network().train()
    path = bitnet_mlir.export.export_module(
        module,
        (torch.randn(2, 3, 64), torch.randn(2, 3, 64)),
        tmp_path / "m.onnx",
        output_names=["y"],
        dynamic={"x": ("batch", "tokens"), "more_0": {0: "batch", 1: "tokens"}},
    )
    assert module.training
    inputs = {value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in onnx.load(path).graph.input}
    assert inputs == {"x": ["batch", "tokens", 64], "more_0": ["batch", "tokens", 64]}
    report = tmp_path / "report.json"
    model = bitnet_mlir.Model(bitnet_mlir.compile(path, tmp_path / "m.so", target="native", report=report))
    assert json.loads(report.read_text())["entries"][0]["linears"] == 2
    x, more = torch.randn(4, 5, 64), torch.randn(4, 5, 64)
    with torch.no_grad():
        expected = module.eval()(x, more).numpy()
    assert np.abs(model(x, more) - expected).max() < 0.02 * np.abs(expected).max()
    with pytest.raises(bitnet_mlir.ExportError, match="are no inputs"):
        bitnet_mlir.export.export_module(module, (x,), tmp_path / "n.onnx", dynamic={"y": ("batch",)})
