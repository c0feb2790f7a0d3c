# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hugging Face checkpoint folders: config.json and safetensors."""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

import numpy as np

from .._errors import ExportError
from .decoder import DecoderConfig, default_frequencies
from .safetensors import SafeTensors
from .weights import Dense, Ternary, from_packed_planes, quantize, read_ternary

# Other names of the norms before the last projections.
_ALIASES = {"attn_sub_norm": "inner_attn_ln", "ffn_sub_norm": "ffn_layernorm"}


def _rope_frequencies(config: dict[str, Any], head_dim: int, context: int) -> np.ndarray:
    """Rotary embedding's frequencies, of either spelling of its parameters."""
    rope = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    theta = float(rope.get("rope_theta", config.get("rope_theta", 10000.0)))
    kind = rope.get("rope_type", rope.get("type", "default"))
    partial = rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 1.0))
    if partial not in (None, 1, 1.0):
        raise ExportError(f"rotary embedding of a part of the channels (partial_rotary_factor {partial}) is not supported")
    frequencies = default_frequencies(head_dim, theta)
    if kind == "default":
        return frequencies
    if kind == "linear":
        return frequencies / np.float32(rope["factor"])
    if kind != "llama3":
        raise ExportError(f"rotary embedding of type '{kind}' is not supported: default, linear and llama3 are")
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    trained = float(rope.get("original_max_position_embeddings", context))
    lengths = 2 * math.pi / frequencies.astype(np.float64)
    # From unchanged for short waves to divided for long ones.
    smooth = np.clip((trained / lengths - low) / (high - low), 0, 1)
    return (frequencies * (smooth + (1 - smooth) / float(rope["factor"]))).astype(np.float32)


def read_config(config: dict[str, Any]) -> DecoderConfig:
    """The decoder that a config.json describes.

    Raises:
        ExportError: something is missing or not supported; the message names it.
    """
    try:
        heads, hidden = config["num_attention_heads"], config["hidden_size"]
        head_dim = config.get("head_dim") or hidden // heads
        quantization = config.get("quantization_config") or {}
        return DecoderConfig(
            vocabulary=config["vocab_size"],
            hidden=hidden,
            intermediate=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=head_dim,
            activation=config.get("hidden_act", "silu"),
            norm_eps=float(config.get("rms_norm_eps", 1e-6)),
            inner_norm_eps=float(quantization.get("rms_norm_eps", 1e-6)),
            rope_frequencies=_rope_frequencies(config, head_dim, config.get("max_position_embeddings", 2048)),
        )
    except KeyError as error:
        raise ExportError(f"config.json: {error} is missing") from error
    except (TypeError, ZeroDivisionError) as error:
        raise ExportError(f"config.json: {error}") from error


class Checkpoint:
    """The weights of a checkpoint folder; see decoder.Weights.

    Raises:
        ExportError: files are missing, damaged, or of a kind that is not supported.
    """

    def __init__(self, folder: pathlib.Path):
        path = folder / "config.json"
        try:
            self.raw_config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ExportError(f"{folder}: no config.json, so no Hugging Face checkpoint") from None
        except (OSError, ValueError) as error:
            raise ExportError(f"{path}: {error}") from error
        self.config = read_config(self.raw_config)
        self._read_quantization()
        self.tensors = SafeTensors(folder)
        self.total_bytes = self.tensors.total_bytes

    def _read_quantization(self) -> None:
        quantization = self.raw_config.get("quantization_config")
        # Floats that are ternary already, and activations that stay floats.
        self._weight_only = quantization is None and not self.raw_config.get("weight_bits")
        if self._weight_only:
            self.config.quantize_activations = False
        # Without one, float master weights that the modules quantise themselves.
        quantization = quantization or {"quantization_mode": "online"}
        method = quantization.get("quant_method", "bitnet")
        if method != "bitnet":
            raise ExportError(f"the quantisation method '{method}' is not supported: bitnet is")
        linear_class = quantization.get("linear_class", "bitlinear")
        if linear_class not in ("bitlinear", "autobitlinear"):
            raise ExportError(f"the linear_class '{linear_class}' is not supported: bitlinear and autobitlinear are")
        mode = quantization.get("quantization_mode", "offline")
        if mode not in ("offline", "online"):
            raise ExportError(f"the quantization_mode '{mode}' is not supported: offline and online are")
        self._online = mode == "online"
        # A scale that divides, and a bias that is not scaled.
        self._divides = linear_class == "bitlinear"
        self._excluded = list(quantization.get("modules_to_not_convert") or [])

    def _find(self, name: str) -> str | None:
        for old, new in _ALIASES.items():
            for spelling in (name, name.replace(old, new)):
                for prefix in ("model.", ""):
                    if prefix + spelling in self.tensors.entries:
                        return prefix + spelling
        return None

    def _need(self, name: str) -> str:
        found = self._find(name)
        if found is None:
            raise ExportError(f"model.{name}: the checkpoint has no such tensor")
        return found

    def _is_excluded(self, name: str) -> bool:
        parts = name.split(".")
        return any(excluded in (name, "model." + name) or excluded in parts for excluded in self._excluded)

    def linear(self, name: str, outputs: int, inputs: int) -> Ternary | Dense:
        tensor = self._need(name + ".weight")
        entry = self.tensors.entries[tensor]
        packed_rows = (outputs + 3) // 4
        if entry.dtype == "U8" and self._weight_only:
            raise ExportError(f"{tensor}: it is packed, but config.json has no quantization_config to say how it is scaled")
        if entry.dtype == "U8" and entry.shape == (packed_rows, inputs):
            pieces = from_packed_planes(lambda: self.tensors.bytes(tensor), outputs, tensor)
            return self._with_scale(name, Ternary((outputs, inputs), np.float32(1), pieces))
        if entry.shape != (outputs, inputs):
            raise ExportError(
                f"{tensor}: the shape [{outputs}, {inputs}] is wanted, or U8 [{packed_rows}, {inputs}] where packed, "
                f"got {entry.dtype} {list(entry.shape)}"
            )
        weight = self.tensors.dense(tensor)
        if name == "lm_head" or self._is_excluded(name):
            return weight
        if not self._online and self._find(name + ".weight_scale"):
            raise ExportError(f"{tensor}: packed weights (U8) are wanted beside a weight_scale, got {entry.dtype}")
        return read_ternary(weight, tensor) if self._weight_only else quantize(weight, tensor)

    def _with_scale(self, name: str, weight: Ternary) -> Ternary:
        tensor = self._need(name + ".weight_scale")
        scale = self.tensors.dense(tensor).read()
        outputs, inputs = weight.shape
        if self._divides:
            scale = np.float32(1) / scale
        if not np.isfinite(scale).all():
            raise ExportError(f"{tensor}: the scales are not finite")
        if scale.size == 1:
            weight.scale = scale.reshape(())
        elif scale.size == outputs:
            weight.scale = scale.reshape(outputs)
        elif scale.ndim == 2 and scale.shape[0] == outputs and inputs % scale.shape[1] == 0:
            weight.scale, weight.block = scale, inputs // scale.shape[1]
        else:
            raise ExportError(f"{tensor}: one scale is wanted, or {outputs}, or [{outputs}, groups], got {list(scale.shape)}")
        return weight

    def vector(self, name: str, size: int) -> np.ndarray | None:
        tensor = self._find(name)
        if tensor is None:
            return None
        values = self.tensors.dense(tensor).read()
        if values.shape != (size,):
            raise ExportError(f"{tensor}: the shape [{size}] is wanted, got {list(values.shape)}")
        # autobitlinear adds the bias before it multiplies by the scale.
        owner = name.removesuffix(".bias")
        scaled = not self._divides and not self._online and self._find(owner + ".weight_scale")
        if owner != name and scaled:
            scale = self.tensors.dense(self._need(owner + ".weight_scale")).read()
            if scale.size not in (1, size):
                raise ExportError(f"{tensor}: a bias with a scale for each group is not supported")
            values = values * scale.ravel()
        return values

    def table(self, vocabulary: int, hidden: int) -> Dense:
        tensor = self._need("embed_tokens.weight")
        weight = self.tensors.dense(tensor)
        if weight.shape != (vocabulary, hidden):
            raise ExportError(f"{tensor}: the shape [{vocabulary}, {hidden}] is wanted, got {list(weight.shape)}")
        return weight

    def has_head(self) -> bool:
        found = self._find("lm_head.weight") is not None
        tied = self.raw_config.get("tie_word_embeddings", not found)
        if not tied and not found:
            raise ExportError("lm_head.weight: the checkpoint has no such tensor, and tie_word_embeddings is false")
        return not tied
