# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A decoder with low-bit linear layers as an ONNX graph with its cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from .._errors import ExportError
from .weights import FLOAT, Dense, Ternary
from .writer import GraphWriter

_INT64, _BOOL = 7, 9
ACTIVATIONS = ("relu2", "relu", "silu", "gelu", "gelu_pytorch_tanh")


@dataclass
class DecoderConfig:
    """What a decoder's graph depends on besides its weights.

    Attributes:
        rope_frequencies: float32 [head_dim / 2], radians for each position.
        quantize_activations: int8 for each token before ternary matrices.
    """

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    activation: str
    norm_eps: float
    inner_norm_eps: float
    rope_frequencies: np.ndarray = field(repr=False)
    quantize_activations: bool = True

    def __post_init__(self):
        for name in ("vocabulary", "hidden", "intermediate", "layers", "heads", "kv_heads", "head_dim"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ExportError(f"the configuration's {name} is a positive number, got {value!r}")
        if self.heads % self.kv_heads:
            raise ExportError(f"{self.heads} heads cannot share {self.kv_heads} heads of keys and values")
        if self.head_dim % 2:
            raise ExportError(f"rotary embedding needs an even head size, got {self.head_dim}")
        if self.activation not in ACTIVATIONS:
            raise ExportError(f"the activation function '{self.activation}' is not supported: {', '.join(ACTIVATIONS)} are")


class Weights(Protocol):
    """Where a decoder's weights come from. Names are Hugging Face's without
    `model.`: `layers.0.self_attn.q_proj`, `norm`, `embed_tokens`, `lm_head`."""

    def linear(self, name: str, outputs: int, inputs: int) -> Ternary | Dense:
        """A matrix [outputs, inputs]."""

    def vector(self, name: str, size: int) -> np.ndarray | None:
        """float32 [size] (`NAME.weight`, `NAME.bias`), None where there is none."""

    def table(self, vocabulary: int, hidden: int) -> Dense:
        """The embeddings."""

    def has_head(self) -> bool:
        """Whether there is a matrix of the logits; else it is the embeddings."""


def default_frequencies(head_dim: int, theta: float) -> np.ndarray:
    """Rotary embedding's float32 [head_dim / 2]."""
    exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    return (np.float32(1) / np.float32(theta) ** exponents).astype(np.float32)


class DecoderGraph:
    """Writes the graph of a decoder: input_ids [batch, sequence], attention_mask
    [batch, total], past_key_values.N.key and .value [batch, kv_heads, past,
    head_dim] to logits [batch, sequence, vocabulary], present.N.key and .value."""

    def __init__(self, writer: GraphWriter, config: DecoderConfig, weights: Weights, progress: Callable[[str], None]):
        self.writer, self.config, self.weights, self.progress = writer, config, weights, progress
        self._quantized: dict[str, str] = {}

    def write(self) -> None:
        w, c = self.writer, self.config
        ids = w.input("input_ids", _INT64, ["batch", "sequence"])
        mask = w.input("attention_mask", _INT64, ["batch", "total"])
        past_shape = ["batch", c.kv_heads, "past", c.head_dim]
        pasts = [
            tuple(w.input(f"past_key_values.{i}.{part}", FLOAT, past_shape) for part in ("key", "value"))
            for i in range(c.layers)
        ]
        self.progress("embeddings")
        # One cast for both uses, so that compilers store one table.
        table = w.dense("embed_tokens.weight", self.weights.table(c.vocabulary, c.hidden))
        hidden = w.node("Gather", table, ids, name="embedded")
        self._positions(ids, mask, pasts[0][0])
        presents = []
        for i, past in enumerate(pasts):
            self.progress(f"layer {i + 1} of {c.layers}")
            with w.scope(f"layers.{i}"):
                hidden, present = self._layer(f"layers.{i}.", hidden, past)
            presents.append(present)
        self.progress("logits")
        hidden = self._norm("norm", "norm", hidden, c.hidden, c.norm_eps)
        if self.weights.has_head():
            logits = self._linear("lm_head", "lm_head", hidden, c.vocabulary, c.hidden)
        else:
            logits = self._product(hidden, table)
        w.output("logits", FLOAT, ["batch", "sequence", c.vocabulary], logits)
        for i, present in enumerate(presents):
            for part, value in zip(("key", "value"), present):
                w.output(f"present.{i}.{part}", FLOAT, ["batch", c.kv_heads, "total", c.head_dim], value)

    def _extent(self, value: str, dim: int) -> str:
        """A dimension as a scalar."""
        w = self.writer
        return w.node("Squeeze", w.node("Shape", value, start=dim, end=dim + 1), w.constant([0], np.int64))

    def _positions(self, ids: str, mask: str, past: str) -> None:
        """What depends on the tokens' places alone: the mask and the rotation."""
        w, c = self.writer, self.config
        zero, one = w.constant(0, np.int64), w.constant(1, np.int64)
        # A range of the sequence's length alone is a constant for a fixed one.
        steps = w.node("Range", zero, self._extent(ids, 1), one)
        queries = w.node("Add", steps, self._extent(past, 2), name="positions")
        keys = w.node("Range", zero, self._extent(mask, 1), one, name="key_positions")
        visible = w.node("LessOrEqual", keys, w.node("Unsqueeze", queries, w.constant([1], np.int64)), name="causal")
        kept = w.node("Unsqueeze", w.node("Cast", mask, to=_BOOL), w.constant([1, 2], np.int64), name="kept")
        hidden = w.constant(np.finfo(np.float32).min)
        self._mask = w.node("Where", w.node("And", visible, kept), w.constant(0), hidden, name="mask")
        places = w.node("Unsqueeze", queries, w.constant([0], np.int64))
        places = w.node("Expand", places, w.node("Shape", ids), name="places")
        places = w.node("Unsqueeze", w.node("Cast", places, to=FLOAT), w.constant([2], np.int64))
        angles = w.node("Mul", places, w.floats("rope_frequencies", c.rope_frequencies), name="angles")
        self._cos, self._sin = w.node("Cos", angles), w.node("Sin", angles)

    def _norm(self, label: str, name: str, value: str, size: int, eps: float, *, optional: bool = False) -> str:
        scale = self.weights.vector(name + ".weight", size)
        if scale is None:
            if optional:
                return value
            raise ExportError(f"{name}.weight: the checkpoint has no such tensor")
        scale = self.writer.floats(label + ".weight", scale)
        return self.writer.node("RMSNormalization", value, scale, name=label, axis=-1, epsilon=eps)

    def _quantize(self, value: str) -> str:
        """int8 for each token, as floats again; once for each value."""
        if value not in self._quantized:
            w = self.writer
            largest = w.node("ReduceMax", w.node("Abs", value), w.constant([-1], np.int64), keepdims=1)
            scale = w.node("Mul", w.node("Reciprocal", w.node("Clip", largest, w.constant(1e-5))), w.constant(127), name="scale")
            rounded = w.node("Round", w.node("Mul", value, scale))
            clipped = w.node("Clip", rounded, w.constant(-128), w.constant(127))
            self._quantized[value] = w.node("Div", clipped, scale, name="quantized")
        return self._quantized[value]

    def _product(self, value: str, matrix: str) -> str:
        """value times a matrix [outputs, inputs], transposed."""
        w = self.writer
        return w.node("MatMul", value, w.node("Transpose", matrix, perm=[1, 0]))

    def _linear(self, label: str, name: str, value: str, outputs: int, inputs: int) -> str:
        w, c = self.writer, self.config
        weight = self.weights.linear(name, outputs, inputs)
        with w.scope(label):
            if isinstance(weight, Dense):
                matrix = w.dense("weight", weight)
            else:
                value = self._norm("rms_norm", name + ".rms_norm", value, inputs, c.inner_norm_eps, optional=True)
                if c.quantize_activations:
                    value = self._quantize(value)
                matrix = w.ternary("weight", weight)
            result = self._product(value, matrix)
            bias = self.weights.vector(name + ".bias", outputs)
            return result if bias is None else w.node("Add", result, w.floats("bias", bias))

    def _heads(self, value: str, count: int) -> str:
        """[batch, heads, sequence, head_dim]."""
        w = self.writer
        split = w.node("Reshape", value, w.constant([0, 0, count, self.config.head_dim], np.int64))
        return w.node("Transpose", split, perm=[0, 2, 1, 3])

    def _attention(self, prefix: str, value: str, past: tuple[str, str]) -> tuple[str, tuple[str, str]]:
        w, c = self.writer, self.config
        width, kv_width = c.heads * c.head_dim, c.kv_heads * c.head_dim

        def project(label: str, count: int) -> str:
            return self._heads(self._linear(label + "_proj", f"{prefix}{label}_proj", value, count * c.head_dim, c.hidden), count)

        def rotate(heads: str, label: str) -> str:
            heads = self._norm(label, prefix + label, heads, c.head_dim, c.norm_eps, optional=True)
            return w.node("RotaryEmbedding", heads, self._cos, self._sin, name="rotated")

        query, key = rotate(project("q", c.heads), "q_norm"), rotate(project("k", c.kv_heads), "k_norm")
        present = (
            w.node("Concat", past[0], key, axis=2, name="key"),
            w.node("Concat", past[1], project("v", c.kv_heads), axis=2, name="value"),
        )
        result = w.node("Attention", query, *present, self._mask, scale=float(c.head_dim**-0.5))
        result = w.node("Transpose", result, perm=[0, 2, 1, 3])
        result = w.node("Reshape", result, w.constant([0, 0, width], np.int64))
        result = self._norm("attn_sub_norm", prefix + "attn_sub_norm", result, width, c.norm_eps, optional=True)
        return self._linear("o_proj", prefix + "o_proj", result, c.hidden, width), present

    def _activation(self, value: str) -> str:
        w, kind = self.writer, self.config.activation
        if kind == "silu":
            return w.node("Mul", value, w.node("Sigmoid", value), name="silu")
        if kind.startswith("gelu"):
            return w.node("Gelu", value, approximate="none" if kind == "gelu" else "tanh")
        relu = w.node("Relu", value)
        return relu if kind == "relu" else w.node("Mul", relu, relu, name="relu2")

    def _feed_forward(self, prefix: str, value: str) -> str:
        w, c = self.writer, self.config
        gate = self._linear("gate_proj", prefix + "gate_proj", value, c.intermediate, c.hidden)
        up = self._linear("up_proj", prefix + "up_proj", value, c.intermediate, c.hidden)
        product = w.node("Mul", self._activation(gate), up)
        product = self._norm("ffn_sub_norm", prefix + "ffn_sub_norm", product, c.intermediate, c.norm_eps, optional=True)
        return self._linear("down_proj", prefix + "down_proj", product, c.hidden, c.intermediate)

    def _layer(self, prefix: str, hidden: str, past: tuple[str, str]) -> tuple[str, tuple[str, str]]:
        w, c = self.writer, self.config
        value = self._norm("input_layernorm", prefix + "input_layernorm", hidden, c.hidden, c.norm_eps)
        with w.scope("self_attn"):
            value, present = self._attention(prefix + "self_attn.", value, past)
        hidden = w.node("Add", hidden, value, name="residual")
        label = "post_attention_layernorm"
        value = self._norm(label, prefix + label, hidden, c.hidden, c.norm_eps)
        with w.scope("mlp"):
            value = self._feed_forward(prefix + "mlp.", value)
        return w.node("Add", hidden, value, name="residual"), present
