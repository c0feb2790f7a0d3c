# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The largest logits by a low-bit copy of the head: the same bits as the whole head's,
of flat and of peaked logits, and of rows that are not numbers."""

import subprocess
import sys

import numpy as np
import pytest

import bitnet_mlir
from conftest import ROOT

onnx = pytest.importorskip("onnx")

# Neither is a multiple of what a vector or a step takes.
VOCABULARY, HIDDEN = 4999, 100


def spoil(rows):
    """Ties, magnitudes at the ends of floats, and what is no number."""
    rows[11] = rows[10]
    rows[20:30] *= 2.0**-120
    rows[30:40] *= 2.0**30
    rows[40, 3] = np.nan
    rows[41, 5] = np.inf
    rows[42] = 0


def even(rows):
    """All rows alike but for a few: every logit is a tie."""
    rows[:] = rows[0]
    rows[7] *= 1.5


def peak(rows):
    """A few rows far above the rest."""
    rows *= 2.0**-6
    rows[100:110] *= 2.0**9


def make_decoder(folder, change=lambda rows: None, options=()):
    file = folder / "decoder.onnx"
    subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "make_model.py", "tiny", "-o", file]
        + ["--vocabulary", str(VOCABULARY), "--hidden", str(HIDDEN), "--layers", "1", *options],
        check=True,
    )
    model = onnx.load(file, load_external_data=False)
    table = next(t for t in model.graph.initializer if list(t.dims) == [VOCABULARY, HIDDEN])
    where = {entry.key: entry.value for entry in table.external_data}
    words = np.memmap(
        folder / where["location"], "<u2", "r+", int(where.get("offset", 0)), (VOCABULARY, HIDDEN)
    )
    rows = (words.astype(np.uint32) << 16).view(np.float32)
    change(rows)
    words[:] = (rows.view(np.uint32) >> 16).astype(np.uint16)
    words.flush()
    return bitnet_mlir.Model(bitnet_mlir.compile(file, folder / "decoder.so", target="x86-64-default", max_context=64))


@pytest.mark.parametrize("change", [lambda rows: None, spoil, even, peak], ids=["flat", "spoilt", "even", "peaked"])
def test_the_largest_logits_are_exact(tmp_path, change):
    model = make_decoder(tmp_path, change)
    random = np.random.default_rng(7)
    for variant, runs in model.variants.items():
        if not runs:
            continue
        session = model.session(variant=variant, threads=2)
        for top_k in (1, 3, 40, VOCABULARY, 10 * VOCABULARY):
            tokens = random.integers(50, 100, 3)
            session.rewind(0)
            full = session.append(tokens)
            session.rewind(0)
            top = session.append(tokens, top_k=top_k)
            same = (full.view(np.uint32) == top.view(np.uint32)) | (np.isnan(full) & np.isnan(top))
            assert np.all(same | (top == -np.inf)), (variant, top_k)
            limit = np.sort(full[~np.isnan(full)])[-min(top_k, np.count_nonzero(~np.isnan(full)))]
            assert np.all(same[~(full < limit)]), (variant, top_k)


def test_peaked_logits_read_few_weights(tmp_path):
    """Else the copy would be of no use."""
    model = make_decoder(tmp_path, peak)
    session = model.session()
    tokens = [60, 61, 62]
    session.append(tokens)
    whole = session.weight_bytes
    session.rewind(0)
    session.append(tokens, top_k=1)
    assert 0 < session.weight_bytes < whole / 2


def test_first_logits_of_random_decoders(tmp_path):
    """make_model.py --top-logit promises how far they are from the others."""
    session = make_decoder(tmp_path, options=("--top-logit", "6")).session()
    heights = []
    for token in range(0, VOCABULARY, 200):
        logits = session.append([token])
        assert logits.argmax() == token
        heights.append((logits.max() - logits.mean()) / logits.std())
    assert 5 < np.median(heights) < 7


def test_top_k_is_checked(decoder):
    session = decoder.session()
    with pytest.raises(bitnet_mlir.ArgumentError, match="top_k"):
        session.append([1], top_k=-1)
    with pytest.raises(bitnet_mlir.ArgumentError, match="top_k"):
        session.append([1], top_k=1, all_logits=True)
