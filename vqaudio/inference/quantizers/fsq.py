"""Finite scalar quantization: Mentzer et al., "Finite scalar quantization: VQ-VAE made simple", 2024, section 3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqaudio.config.bottleneck import FSQConfig
from vqaudio.inference.base import Floats, Quantizer, Tokens
from vqaudio.inference.quantizers.codebook import to_latents
from vqaudio.inference.quantizers.contract import expect_streams, refuse_cost
from vqaudio.inference.quantizers.weights import Weights

EASE = 1e-3
"""By how much of itself the range is wider than its levels, so that a finite number reaches the last of them."""


class FSQQuantizer(Quantizer):
    """A few bounded numbers a frame, each rounded to one of its levels; the first number's count fastest in a code."""

    def __init__(self, config: FSQConfig, weights: Weights, dim: int):
        super().__init__(config)
        self.levels = np.array(config.levels, np.int64)
        self.basis = np.cumprod(self.levels) // self.levels
        count = len(self.levels)
        self.inward = self.outward = None
        if count != dim:
            self.inward = weights.get("inward.weight", count, dim).T, weights.get("inward.bias", count)
            self.outward = weights.get("outward.weight", dim, count).T, weights.get("outward.bias", dim)
        self.half = (self.levels - 1).astype(np.float32) * np.float32((1.0 + EASE) / 2.0)
        self.offset = np.float32(0.5) * (1 - self.levels % 2).astype(np.float32)

    def encode(self, features: Floats, n_streams: int | None = None, *, code_cost: float = 0.0) -> list[Tokens]:
        """See :meth:`Quantizer.encode`."""
        refuse_cost(code_cost, "fsq")
        numbers = _projected(np.asarray(features.transpose(0, 2, 1), np.float32), self.inward)
        bounded = np.tanh(numbers + np.arctanh(self.offset / self.half)) * self.half - self.offset
        return [((np.rint(bounded).astype(np.int64) + self.levels // 2) * self.basis).sum(-1)]

    def decode(self, tokens: Sequence[Tokens]) -> Floats:
        """From exactly one stream."""
        expect_streams(tokens, 1)
        steps = np.asarray(tokens[0], np.int64)[..., None] // self.basis % self.levels - self.levels // 2
        return to_latents(_projected((steps / (self.levels // 2)).astype(np.float32), self.outward))

    def additive_codebooks(self) -> list[Floats]:
        """See :meth:`Quantizer.additive_codebooks`."""
        every = np.arange(self.streams[0].alphabet)
        return [np.ascontiguousarray(self.decode([every[None]])[0].T)]


def _projected(numbers: Floats, projection: tuple[Floats, Floats] | None) -> Floats:
    if projection is None:
        return numbers
    weight, bias = projection
    made: Floats = numbers @ weight + bias
    return made
