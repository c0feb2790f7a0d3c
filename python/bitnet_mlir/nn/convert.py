# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Low-bit layers in the place of linear ones."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from .bitlinear import BitLinear


def convert(
    model: nn.Module,
    *,
    exclude: Iterable[str] | Callable[[str, nn.Linear], bool] = (),
    **options: Any,
) -> nn.Module:
    """Replaces the linear layers of a module by BitLinear, which keep their
    parameters.

    Args:
        model: changed in place. Modules that share parameters still do.
        exclude: names that stay (`lm_head`, `layers.0.up`, patterns such as
            `layers.*.gate`): a whole name or the end of one; or a function of a name
            and its layer that is true where it stays.
        options: BitLinear's, `kind` say.

    Returns:
        The model; a BitLinear where it is itself a linear layer.

    Raises:
        ValueError: a name fits no linear layer, or an option does not fit a layer.
    """
    linears = {name: module for name, module in model.named_modules() if type(module) is nn.Linear}
    if callable(exclude):
        kept = {name for name, module in linears.items() if exclude(name, module)}
    else:
        kept = set()
        for pattern in [exclude] if isinstance(exclude, str) else exclude:
            found = {name for name in linears if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, "*." + pattern)}
            if not found:
                raise ValueError(f"exclude: '{pattern}' fits no linear layer; they are {', '.join(linears) or 'none'}")
            kept |= found
    replacements: dict[nn.Module, BitLinear] = {}
    for name, module in linears.items():
        if name in kept:
            continue
        try:
            replacements[module] = BitLinear.from_linear(module, **options)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    if model in replacements:
        return replacements[model]
    for parent in list(model.modules()):
        # A layer may have several names.
        for child, module in parent._modules.items():
            if module in replacements:
                parent._modules[child] = replacements[module]
    return model
