# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From checkpoints and torch modules to ONNX (needs the package onnx).

    from bitnet_mlir import export
    export.export_checkpoint("bitnet-b1.58-2B-4T", "decoder.onnx")
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

from .._errors import ExportError

try:
    from .writer import GraphWriter
except ImportError as error:
    if (error.name or "").partition(".")[0] != "onnx":
        raise
    raise ImportError("bitnet_mlir.export needs the package onnx: pip install 'bitnet-mlir[export]'") from error

from .checkpoint import Checkpoint
from .decoder import DecoderConfig, DecoderGraph, Weights
from .gguf import GGUF
from .module import export_module

__all__ = ["DecoderConfig", "ExportError", "export_checkpoint", "export_module"]

# A protobuf file ends at 2 GB, and copies what it holds several times.
_LARGEST_SINGLE_FILE = 128 << 20


def export_checkpoint(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    quantize_activations: bool | None = None,
    external_data: bool | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> pathlib.Path:
    """Writes a checkpoint's decoder as ONNX, with its KV cache as inputs and outputs.

    Ternary matrices become INT2 initializers with a DequantizeLinear (opset 25),
    other weights stay as they are stored. Nothing is expanded: memory stays under
    1 GB whatever the checkpoint's size. PyTorch is not needed.

    Args:
        source: a folder with config.json and safetensors (BitNet and Llama-style
            decoders, `quant_method` bitnet: packed or float master weights; without a
            quantization_config, floats that are ternary), or a .gguf file (TQ1_0,
            TQ2_0, I2_S).
        output: the .onnx file.
        quantize_activations: int8 for each token before ternary matrices, as
            BitNet does. None: yes, except for GGUF files of the architecture llama
            in TQ1_0 or TQ2_0 and folders without a quantization_config, which are
            weight-only.
        external_data: weights in OUTPUT.data beside the model. None: where the
            checkpoint exceeds 128 MiB.
        progress: is told of each step.

    Returns:
        The path of the model. Its inputs are input_ids [batch, sequence],
        attention_mask [batch, total], both int64, and past_key_values.N.key and
        .value, float32 [batch, kv_heads, past, head_dim]; its outputs logits,
        float32 [batch, sequence, vocabulary], present.N.key and .value.

    Raises:
        ExportError: the checkpoint is damaged or of a kind that is not supported;
            no file is written.
    """
    source, output = pathlib.Path(source), pathlib.Path(output)
    if not source.exists():
        raise ExportError(f"{source}: no such file or folder")
    weights: Weights
    if source.is_dir():
        weights = Checkpoint(source)
        if quantize_activations is not None:
            weights.config.quantize_activations = quantize_activations
    else:
        weights = GGUF(source, quantize_activations=quantize_activations)
    if external_data is None:
        external_data = weights.total_bytes > _LARGEST_SINGLE_FILE
    with GraphWriter(output, external=external_data) as writer:
        DecoderGraph(writer, weights.config, weights, progress).write()
    return output
