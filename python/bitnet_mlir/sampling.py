# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From logits to tokens."""

from __future__ import annotations

import math

import numpy as np

from ._errors import ArgumentError, BitNetError


class Sampler:
    """Chooses tokens; the same seed and logits give the same tokens.

    Args:
        temperature: 0 is greedy, the first of the largest logits.
        top_k: how many of the likeliest tokens may be chosen; 0 is all.
        top_p: the probability that these must reach together; 1 is all.
        seed: None takes a fresh one.

    Raises:
        ArgumentError: an option out of its range.
    """

    def __init__(self, temperature: float = 0.8, top_k: int = 40, top_p: float = 0.95, seed: int | None = None):
        if not (math.isfinite(temperature) and temperature >= 0):
            raise ArgumentError(f"temperature is 0 or more, got {temperature}")
        if top_k < 0:
            raise ArgumentError(f"top_k is 0 or more, got {top_k}")
        if not 0 < top_p <= 1:
            raise ArgumentError(f"top_p is more than 0 and at most 1, got {top_p}")
        if seed is not None and seed < 0:
            raise ArgumentError(f"seed is 0 or more, got {seed}")
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p
        self._random = np.random.default_rng(seed)

    @property
    def considered(self) -> int:
        """How many of the largest logits `choose` looks at; 0 is all."""
        return 1 if self.temperature == 0 else self.top_k

    def choose(self, logits: np.ndarray) -> int:
        """A token for float32 logits of shape [vocabulary].

        Raises:
            BitNetError: a logit is not a number.
        """
        best = int(np.argmax(logits))  # A NaN is the largest to numpy.
        if not np.isfinite(logits[best]):
            raise BitNetError("the model's logits are not finite")
        if self.temperature == 0:
            return best
        tokens, weights = self._candidates(logits, logits[best])
        total = np.cumsum(weights)
        at = int(np.searchsorted(total, self._random.random() * total[-1], side="right"))
        return int(tokens[min(at, len(tokens) - 1)])

    def _candidates(self, logits: np.ndarray, largest: float) -> tuple[np.ndarray, np.ndarray]:
        """The tokens that may be chosen, the likeliest first, and their weights."""
        tokens = np.arange(len(logits))
        if 0 < self.top_k < len(logits):
            tokens = np.argpartition(-logits, self.top_k - 1)[: self.top_k]
        tokens = tokens[np.lexsort((tokens, -logits[tokens]))]
        weights = np.exp((logits[tokens].astype(np.float64) - largest) / self.temperature)
        if self.top_p < 1:
            # The likeliest token stays in any case.
            before = np.cumsum(weights) - weights
            kept = max(1, int(np.sum(before < self.top_p * weights.sum())))
            tokens, weights = tokens[:kept], weights[:kept]
        return tokens, weights
