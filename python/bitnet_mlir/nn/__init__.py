# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Low-bit layers for training (needs torch).

    from bitnet_mlir import nn
    nn.convert(model, kind="b1.58", exclude=("lm_head",))
"""

try:
    from .bitlinear import BitLinear
except ImportError as error:
    if (error.name or "").partition(".")[0] != "torch":
        raise
    raise ImportError("bitnet_mlir.nn needs the package torch") from error

from .convert import convert
from .quantizers import binarize, quantize_absmax, quantize_zero_point, ternarize

__all__ = ["BitLinear", "binarize", "convert", "quantize_absmax", "quantize_zero_point", "ternarize"]
