#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains one small language model three times on the CPU, with float, ternary
(b1.58) and binary (b1) weights, draws their losses, and exports, compiles and runs
the low-bit ones. Needs torch, onnx and onnxscript beside the package; docs/python.md
shows what it gives.

The text is this repository's own C++ code, a token a character."""

import argparse
import pathlib
import time

import torch
import torch.nn.functional as F
from torch import nn

import bitnet_mlir

ROOT = pathlib.Path(__file__).resolve().parents[1]
VOCABULARY, WIDTH, LAYERS, HEADS, CONTEXT = 128, 128, 2, 4, 64
HEAD = WIDTH // HEADS
KINDS = {"float": None, "b1.58": "b1.58", "b1": "b1"}
COLORS = {"float": "#666666", "b1.58": "#1f77b4", "b1": "#d62728"}


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Block(nn.Module):
    """Attention and a feed-forward network, each added to its input."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(3 * WIDTH, WIDTH, bias=False)
        self.norms = nn.ModuleList(nn.RMSNorm(WIDTH, eps=1e-5) for _ in range(2))

    def forward(self, x, tables, mask, past):
        batch, length, _ = x.shape
        given = self.norms[0](x)
        q, k, v = (f(given).view(batch, length, HEADS, HEAD).transpose(1, 2) for f in (self.q, self.k, self.v))
        keys = torch.cat([past[0], rotate(k, *tables)], dim=2)
        values = torch.cat([past[1], v], dim=2)
        scores = rotate(q, *tables) @ keys.transpose(2, 3) * HEAD**-0.5
        mixed = torch.softmax(scores + mask, dim=-1) @ values
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.down(torch.relu(self.up(self.norms[1](x))) ** 2), (keys, values)


class Decoder(nn.Module):
    """Ids [batch, tokens] and a cache to logits and the longer cache."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.head = nn.RMSNorm(WIDTH, eps=1e-5), nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(0, HEAD, 2) / HEAD), persistent=False)
        nn.init.normal_(self.embedding.weight, std=0.5)

    def forward(self, input_ids, *past):
        length, before = input_ids.shape[1], past[0].shape[2]
        positions = torch.arange(length) + before
        hidden = torch.arange(length + before)[None, :] > positions[:, None]
        mask = torch.where(hidden, -1e9, 0.0)[None, None]
        angles = (positions[:, None] * self.frequencies[None, :]).repeat(1, 2)[None, None]
        x, cache = self.embedding(input_ids), []
        for index, block in enumerate(self.blocks):
            x, grown = block(x, (angles.cos(), angles.sin()), mask, past[2 * index : 2 * index + 2])
            cache += grown
        return self.head(self.norm(x)), *cache


def no_past(batch, length=0):
    return [torch.zeros(batch, HEADS, length, HEAD) for _ in range(2 * LAYERS)]


def read_text():
    """The training and the validation part, as ids."""
    sources = sorted((ROOT / "lib").rglob("*.cpp"))
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    ids = torch.tensor(list(text.encode("ascii", "replace")))
    return ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :]


def sample(ids, count, generator):
    starts = torch.randint(len(ids) - CONTEXT - 1, [count], generator=generator)
    return torch.stack([ids[start : start + CONTEXT + 1] for start in starts])


def loss_of(model, batch):
    logits = model(batch[:, :-1], *no_past(len(batch)))[0]
    return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


def train(kind, steps, text):
    """A model and its validation losses, as (step, loss)."""
    torch.manual_seed(0)
    model = Decoder()
    if kind:
        bitnet_mlir.nn.convert(model, kind=kind, exclude=("head",))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(1)
    checks = sample(text[1], 32, torch.Generator().manual_seed(2))
    curve, started = [], time.monotonic()
    for step in range(steps + 1):
        if step % max(1, steps // 24) == 0 or step == steps:
            with torch.no_grad():
                curve.append((step, loss_of(model.eval(), checks).item()))
            model.train()
        if step == steps:
            break
        loss = loss_of(model, sample(text[0], 16, generator))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    print(f"{kind or 'float'}: validation loss {curve[-1][1]:.3f} after {steps} steps, {time.monotonic() - started:.0f} s")
    return model.eval(), curve


def draw(curves, path):
    """The losses as an SVG."""
    width, height, left, bottom = 560, 320, 50, 40
    last = max(step for curve in curves.values() for step, _ in curve)
    top = max(loss for curve in curves.values() for _, loss in curve)

    def place(step, loss):
        x = left + step / last * (width - left - 90)
        return f"{x:.1f},{height - bottom - loss / top * (height - bottom - 20):.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">']
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for loss in range(int(top) + 1):
        y = place(0, loss).split(",")[1]
        parts.append(f'<path d="M{left} {y}H{width - 90}" stroke="#dddddd"/><text x="{left - 8}" y="{y}" dy="4" text-anchor="end">{loss}</text>')
    parts.append(f'<text x="{(left + width - 90) / 2}" y="{height - 8}" text-anchor="middle">steps (0 to {last})</text>')
    parts.append(f'<text x="14" y="{height / 2}" transform="rotate(-90 14 {height / 2})" text-anchor="middle">validation loss</text>')
    for index, (name, curve) in enumerate(curves.items()):
        points = " ".join(place(step, loss) for step, loss in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[name]}" stroke-width="2"/>')
        parts.append(f'<text x="{width - 84}" y="{40 + 18 * index}" fill="{COLORS[name]}">{name} {curve[-1][1]:.2f}</text>')
    path.write_text("\n".join(parts) + "\n</svg>\n", encoding="utf-8")


def export(model, path):
    """ONNX with the cache as inputs and outputs."""
    states = [f"{index}.{part}" for index in range(LAYERS) for part in ("key", "value")]
    dynamic = {"input_ids": ("batch", "tokens")}
    dynamic |= {f"past_key_values.{state}": ("batch", None, "past", None) for state in states}
    return bitnet_mlir.export.export_module(
        model,
        (torch.zeros(2, 3, dtype=torch.int64), *no_past(2, length=5)),
        path,
        input_names=list(dynamic),
        output_names=["logits", *(f"present.{state}" for state in states)],
        dynamic=dynamic,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("trained"), metavar="FOLDER")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # More wait for each other with layers this small.
    text = read_text()
    models, curves = {}, {}
    for name, kind in KINDS.items():
        models[name], curves[name] = train(kind, options.steps, text)
    draw(curves, options.output / "losses.svg")
    prompt = list(b"  if (failed(")
    for name in ("b1.58", "b1"):
        path = export(models[name], options.output / f"{name}.onnx")
        artifact = bitnet_mlir.compile(path, options.output / f"{name}.so", max_context=256)
        model = bitnet_mlir.Model(artifact)
        with torch.no_grad():
            expected = models[name](torch.tensor([prompt]), *no_past(1))[0][0]
        difference = abs(model.session().append(prompt, all_logits=True) - expected.numpy()).max()
        written = "".join(chr(token) for token in model.generate(prompt, temperature=0, max_tokens=60).ids())
        print(f"{name}: {model.weight_bytes} bytes of weights, logits differ by at most {difference:.1e}")
        print(f"{bytes(prompt).decode()}{written}")


if __name__ == "__main__":
    main()
