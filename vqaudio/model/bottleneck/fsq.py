"""Finite scalar quantization: a few bounded numbers a frame, each rounded; no codebook to learn.

Source: Mentzer et al., "Finite scalar quantization: VQ-VAE made simple", 2024, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch import distributed as dist

from vqaudio.config.bottleneck import FSQConfig
from vqaudio.model.bottleneck.base import Bottleneck, BottleneckOutput, streams_of
from vqaudio.model.bottleneck.codebook import distributed, to_vectors
from vqaudio.model.bottleneck.gradients import straight_through
from vqaudio.model.layers import at_least_float32, full_precision

EASE = 1e-3
"""By how much of itself the range is wider than its levels, so that a finite number reaches the last of them."""


class FSQ(Bottleneck):
    """One stream of ``prod(levels)`` codes: a code is the numbers' levels, the first number's counting fastest.

    Features are projected to one number for each of ``levels``, and back, unless they are as many. A number is rounded
    to one of its L levels, which stand at multiples of ``1 / (L // 2)`` from -1 up; the gradient passes the rounding as
    it is. There is no loss (section 3.1).
    """

    levels: Tensor
    basis: Tensor
    half_width: Tensor

    def __init__(self, config: FSQConfig, dim: int):
        super().__init__()
        self.streams = streams_of(config)
        levels = torch.tensor(config.levels)
        self.register_buffer("levels", levels, persistent=False)
        self.register_buffer("basis", levels.cumprod(0) // levels, persistent=False)
        self.register_buffer("half_width", (levels // 2).float(), persistent=False)
        same = len(levels) == dim
        self.inward = nn.Identity() if same else nn.Linear(dim, len(levels))
        self.outward = nn.Identity() if same else nn.Linear(len(levels), dim)

    def forward(self, features: Tensor) -> BottleneckOutput:
        """See :meth:`Bottleneck.forward`."""
        bounded = self._bounded(features)
        steps = bounded.round()
        with full_precision(features):
            latents: Tensor = self.outward(straight_through(bounded, steps) / self.half_width)
        return BottleneckOutput(latents.transpose(1, 2), [self._codes(steps)], bounded.new_zeros(()), {})

    def _bounded(self, features: Tensor) -> Tensor:
        """``(batch, D, frames)`` to numbers ``(batch, frames, levels)`` whose rounding has L values around 0 each.

        ``tanh(z + s) (L - 1) / 2 - o``, as in the paper's appendix A.1: where L is even, the half step ``o`` puts one
        level at 0 and one more below it than above, and ``s`` is such that 0 stays 0. (The paper takes the tangent for
        ``s``, which this takes by the inverse of tanh; and a range that is narrower by ``EASE``, not wider.)
        """
        with full_precision(features):
            numbers: Tensor = self.inward(at_least_float32(features.transpose(1, 2)))
        half = (self.levels - 1).to(numbers.dtype) * (1.0 + EASE) / 2.0
        offset = 0.5 * (1 - self.levels % 2).to(numbers.dtype)
        return torch.tanh(numbers + torch.atanh(offset / half)) * half - offset

    def _codes(self, steps: Tensor) -> Tensor:
        """Rounded numbers ``(..., levels)`` to codes ``(...)`` (section 3.1, the bijection to integers)."""
        return ((steps.long() + self.levels // 2) * self.basis).sum(-1)

    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        """See :meth:`Bottleneck.encode`."""
        return [self._codes(self._bounded(features).round())]

    def decode(self, tokens: list[Tensor]) -> Tensor:
        """From exactly one stream."""
        if len(tokens) != 1:
            raise ValueError(f"one stream of tokens expected, found {len(tokens)}")
        steps = tokens[0][..., None] // self.basis % self.levels - self.levels // 2
        latents: Tensor = self.outward(steps / self.half_width)
        return latents.transpose(1, 2)

    def additive_codebooks(self) -> list[Tensor]:
        """See :meth:`Bottleneck.additive_codebooks`."""
        every = torch.arange(self.streams[0].alphabet, device=self.levels.device)
        return [self.decode([every[None]])[0].T]

    @torch.no_grad()
    def initialise(self, features: Tensor) -> None:
        """Project onto principal components, scaled to a variance of 1; back by least squares from the rounded numbers.

        With projections of random weights, a decoder that has learned from plain features would start anew.
        """
        if not (isinstance(self.inward, nn.Linear) and isinstance(self.outward, nn.Linear)):
            return
        vectors = to_vectors(features)
        mean = vectors.mean(0)
        variances, axes = torch.linalg.eigh((vectors - mean).T @ (vectors - mean) / len(vectors))
        count = len(self.levels)
        axes = axes[:, -count:].flip(1) * variances[-count:].flip(0).clamp(min=1e-6).rsqrt()
        self.inward.weight.copy_(axes.T)
        self.inward.bias.copy_(-mean @ axes)
        numbers = self._bounded(features).round().flatten(0, 1) / self.half_width
        known = torch.cat([numbers, torch.ones_like(numbers[:, :1])], 1)
        ridge = 1e-6 * len(known) * torch.eye(count + 1, dtype=known.dtype, device=known.device)
        found = torch.linalg.solve(known.T @ known + ridge, known.T @ vectors)
        self.outward.weight.copy_(found[:count].T)
        self.outward.bias.copy_(found[count])
        if distributed():  # an axis may point either way
            for parameter in self.parameters():
                dist.broadcast(parameter.data, 0)
