# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torch modules to ONNX."""

from __future__ import annotations

import inspect
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._errors import ExportError

if TYPE_CHECKING:
    import torch


def export_module(
    module: torch.nn.Module,
    arguments: Sequence[torch.Tensor],
    output: str | os.PathLike[str],
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic: Mapping[str, Mapping[int, str] | Sequence[str | None]] | None = None,
    opset: int = 18,
) -> pathlib.Path:
    """Writes a module as ONNX, through torch's exporter (dynamo).

    Args:
        module: exported as it is in `eval()`; its mode is restored.
        arguments: example inputs, positional tensors.
        output: the .onnx file.
        input_names: None is the names of forward's parameters.
        output_names: None is what the exporter makes of them.
        dynamic: for each input's name the names of its dynamic dimensions, as
            {0: "batch", 1: "tokens"} or ("batch", "tokens", None). Dimensions of
            one name are equal.
        opset: ONNX's opset.

    Returns:
        The path of the model.

    Raises:
        ExportError: torch cannot export the module, or a name is none of an input.
        ImportError: torch or onnxscript is missing.
    """
    import torch

    names = list(input_names) if input_names is not None else _parameter_names(module, len(arguments))
    if len(names) != len(arguments):
        raise ExportError(f"{len(arguments)} inputs have {len(names)} names")
    unknown = set(dynamic or {}) - set(names)
    if unknown:
        raise ExportError(f"dynamic: {sorted(unknown)} are no inputs; they are {names}")
    output = pathlib.Path(output)
    training = module.training
    try:
        # Without gradients quantisers leave no straight-through remains.
        with torch.no_grad():
            program = torch.onnx.export(
                module.eval(),
                tuple(arguments),
                dynamo=True,
                opset_version=opset,
                input_names=names,
                output_names=list(output_names) if output_names is not None else None,
                dynamic_shapes=_dynamic_shapes(module, names, dynamic or {}),
                verbose=False,
            )
        program.save(output)
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(f"torch cannot export the module: {error}") from error
    finally:
        module.train(training)
    return output


def _parameter_names(module: Any, count: int) -> list[str]:
    names = []
    for parameter in inspect.signature(module.forward).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}_{i}" for i in range(count - len(names))]
        elif len(names) < count and parameter.kind is not parameter.KEYWORD_ONLY:
            names.append(parameter.name)
    return names


def _dynamic_shapes(module: Any, names: Sequence[str], dynamic: Mapping[str, Any]) -> Any:
    """As torch.export takes them: one for each parameter of forward, that of *args
    holding the rest."""
    import torch

    dims: dict[str, Any] = {}

    def shape(name: str) -> dict[int, Any] | None:
        named = dynamic.get(name)
        if not named:
            return None
        items = named.items() if isinstance(named, Mapping) else enumerate(named)
        return {int(axis): dims.setdefault(label, torch.export.Dim(label)) for axis, label in items if label is not None}

    shapes = [shape(name) for name in names]
    parameters = list(inspect.signature(module.forward).parameters.values())
    for index, parameter in enumerate(parameters):
        if parameter.kind is parameter.VAR_POSITIONAL:
            return (*shapes[:index], tuple(shapes[index:]))
    return tuple(shapes)
