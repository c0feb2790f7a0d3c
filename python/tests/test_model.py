# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiling, opening and running, against what eager PyTorch gave."""

import itertools
import threading

import numpy as np
import pytest

import bitnet_mlir
from conftest import DECODER


def first_inputs(model, ids):
    """The inputs of a decoder's own signature without a past."""
    length = len(ids)
    inputs = {
        "input_ids": np.array([ids]),
        "attention_mask": np.ones([1, length], np.int64),
        "position_ids": np.arange(length)[None],
    }
    for spec in model.inputs:
        if spec.name.startswith("past"):
            inputs[spec.name] = np.zeros([1, spec.shape[1], 0, spec.shape[3]], np.float32)
    return inputs


def test_signature(decoder):
    assert decoder.inputs[0].name == "input_ids"
    assert decoder.inputs[0].dtype == "int64"
    assert decoder.inputs[3].shape[1] == 2 and decoder.inputs[3].shape[3] == 64
    assert all(isinstance(decoder.inputs[3].shape[i], str) for i in (0, 2))
    assert [decoder.outputs[0].name, decoder.outputs[0].shape[2]] == ["logits", 4096]
    assert decoder.is_decoder
    assert (decoder.max_context, decoder.vocabulary, decoder.stop_tokens) == (128, 4096, (0,))
    assert list(decoder.variants.values()) == [True]


def test_logits_are_those_of_pytorch(decoder):
    golden = np.load(DECODER / "golden_logits.npz")
    outputs = decoder.run(first_inputs(decoder, golden["ids"]))
    assert list(outputs) == [spec.name for spec in decoder.outputs]
    assert np.abs(outputs["logits"][0] - golden["logits"]).max() < 0.05
    logits = decoder.session().append(golden["ids"], all_logits=True)
    assert np.abs(logits - golden["logits"]).max() < 0.05


def test_greedy_ids_are_those_of_pytorch(decoder, golden):
    for prompt in golden["prompts"][:2]:
        ids = decoder.generate(prompt["ids"], temperature=0, max_tokens=len(prompt["greedy"])).ids()
        assert ids == [token for token in prompt["greedy"] if token not in decoder.stop_tokens]
        assert decoder.generate(prompt["ids"], temperature=0).text() == prompt["text"]


def test_text_comes_token_by_token(decoder, golden):
    stream = decoder.generate(golden["prompts"][1]["ids"], temperature=0)
    first = next(stream)
    assert (first.id, first.text) == (golden["prompts"][1]["greedy"][0], golden["prompts"][1]["text"][: len(first.text)])
    assert first.text + stream.text() == golden["prompts"][1]["text"]
    assert list(stream) == []


def test_sampling_follows_the_seed(decoder):
    def sample(seed):
        return decoder.generate("Package: lib", seed=seed, max_tokens=8).ids()

    assert sample(1) == sample(1)
    assert len({tuple(sample(seed)) for seed in range(4)}) > 1
    assert decoder.generate("Package: lib").prompt == decoder.tokenizer.encode("Package: lib")
    assert decoder.generate("Package: lib", top_k=1, max_tokens=8).ids() == decoder.generate(
        "Package: lib", temperature=0, max_tokens=8
    ).ids()


def test_text_ends(decoder, golden):
    ids, greedy = golden["prompts"][1]["ids"], golden["prompts"][1]["greedy"]
    assert decoder.generate(ids, temperature=0, stop_tokens=[greedy[3]]).ids() == greedy[:3]
    assert decoder.generate(ids, temperature=0, max_tokens=0).ids() == []
    # The cache's last place holds the last token that is read.
    prompt = list(itertools.islice(itertools.cycle(golden["prompts"][1]["ids"]), 126))
    assert len(decoder.generate(prompt, temperature=0, stop_tokens=[]).ids()) == 3


def test_sessions_keep_their_caches(decoder, golden):
    ids = golden["prompts"][1]["ids"]
    session, other = decoder.session(threads=1), decoder.session(threads=2)
    assert (session.threads, other.threads) == (1, 2)
    assert session.variant in decoder.variants
    whole = session.append(ids)
    other.append(ids[:2])
    assert session.position == len(ids) and other.position == 2
    assert np.abs(other.append(ids[2:]) - whole).max() < 1e-3
    session.rewind(2)
    assert np.abs(session.append(ids[2:]) - whole).max() < 1e-3


def test_runs_in_threads(decoder):
    golden = np.load(DECODER / "golden_logits.npz")
    inputs = first_inputs(decoder, golden["ids"])
    expected = decoder.run(inputs)["logits"]
    results = [None] * 4

    def work(index):
        results[index] = decoder.run(inputs)["logits"]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, expected) for result in results)


def test_dlpack_in_and_out(decoder):
    torch = pytest.importorskip("torch")
    inputs = {name: torch.from_numpy(value) for name, value in first_inputs(decoder, [0, 321, 26]).items()}
    logits = decoder.run(inputs)["logits"]
    assert torch.equal(torch.from_dlpack(logits), torch.from_numpy(decoder(*inputs.values())[0]))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"input_ids": np.zeros([1, 3], np.float32)}, "input 'input_ids' is of int64, got float32"),
        ({"input_ids": np.zeros([3], np.int64)}, "input 'input_ids' has the shape"),
        ({"other": np.zeros([3], np.int64)}, "the model has no input 'other'"),
        ({"input_ids": np.array(["a"])}, "arrays of <U1 are not supported"),
        ({"input_ids": np.full([1, 3], 9999)}, "index"),
    ],
)
def test_bad_inputs(decoder, change, message):
    with pytest.raises(bitnet_mlir.BitNetError, match=message):
        decoder.run({**first_inputs(decoder, [1, 2, 3]), **change})


def test_bad_decoding(decoder):
    with pytest.raises(ValueError, match="vocabulary"):
        decoder.generate([4096]).ids()
    with pytest.raises(bitnet_mlir.ArgumentError, match="prompt is empty"):
        decoder.generate([])
    with pytest.raises(bitnet_mlir.ArgumentError, match="context"):
        decoder.generate([1] * 129).ids()
    with pytest.raises(bitnet_mlir.ArgumentError, match="temperature"):
        decoder.generate("a", temperature=-1)
    with pytest.raises(bitnet_mlir.BitNetError):
        decoder.session().rewind(1)
    with pytest.raises(bitnet_mlir.BitNetError, match="variant"):
        decoder.session(variant="none-such")


def test_bad_artifact(tmp_path):
    with pytest.raises(bitnet_mlir.ArtifactError, match="missing.so"):
        bitnet_mlir.Model(tmp_path / "missing.so")
    (tmp_path / "text.so").write_text("no artifact")
    with pytest.raises(bitnet_mlir.ArtifactError):
        bitnet_mlir.Model(tmp_path / "text.so")


def test_bad_model(tmp_path):
    (tmp_path / "bad.onnx").write_text("no model")
    with pytest.raises(bitnet_mlir.CompileError, match="bad.onnx"):
        bitnet_mlir.compile(tmp_path / "bad.onnx", tmp_path / "bad.so")
    with pytest.raises(bitnet_mlir.CompileError, match="lowering"):
        bitnet_mlir.compile(tmp_path / "bad.onnx", tmp_path / "bad.so", lowering="none-such")
    assert not (tmp_path / "bad.so").exists()


def test_no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("BITNET_COMPILE", str(tmp_path / "none"))
    with pytest.raises(bitnet_mlir.CompileError, match="BITNET_COMPILE"):
        bitnet_mlir.compile("a.onnx", "a.so")


def test_tokenizer(decoder, golden):
    tokenizer = decoder.tokenizer
    for prompt in golden["prompts"]:
        # The golden prompts begin with the token that ends texts.
        assert [0, *tokenizer.encode(prompt["prompt"])] == prompt["ids"]
        assert tokenizer.decode(prompt["greedy"]) == prompt["text"]
    # A character of several tokens comes whole.
    ids = tokenizer.encode("\N{SNOWMAN}", add_special_tokens=False)
    stream = tokenizer.stream()
    pieces = [stream.push(token) for token in ids]
    assert len(ids) > 1 and pieces == [""] * (len(ids) - 1) + ["\N{SNOWMAN}"]
    with pytest.raises(bitnet_mlir.ArgumentError, match="JSON"):
        bitnet_mlir.Tokenizer("{")
