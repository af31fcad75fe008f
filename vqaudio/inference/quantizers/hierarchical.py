"""Codes at several frame rates, the finer told what the coarser have said.

Source: Razavi, van den Oord & Vinyals, "Generating diverse high-fidelity images with VQ-VAE-2", 2019, section 3.1 and
algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqaudio.config.bottleneck import HierarchicalConfig
from vqaudio.inference.base import Floats, Quantizer, Tokens
from vqaudio.inference.quantizers.codebook import Codebook, to_latents
from vqaudio.inference.quantizers.contract import expect_streams, refuse_cost
from vqaudio.inference.quantizers.networks import Convolution, ResidualUnit
from vqaudio.inference.quantizers.weights import Weights


class HierarchicalQuantizer(Quantizer):
    """Two or more levels, coarsest first; the networks between them are small.

    Sounds of an odd number of frames are as if zeros followed them.
    """

    def __init__(self, config: HierarchicalConfig, weights: Weights, dim: int):
        super().__init__(config)
        finer = range(config.levels - 1)
        self.downs = [_Downsample(config, weights.within(f"downs.{number}"), dim) for number in finer]
        self.top = _codebook(config, weights.within("top"), dim)
        self.levels = [_Level(config, weights.within(f"levels.{number}"), dim) for number in finer]
        self.min_streams = config.levels

    def encode(self, features: Floats, n_streams: int | None = None, *, code_cost: float = 0.0) -> list[Tokens]:
        """See :meth:`Quantizer.encode`."""
        refuse_cost(code_cost, "hierarchical")
        rates = [np.ascontiguousarray(features.transpose(0, 2, 1), np.float32)]
        for down in self.downs:
            rates.append(down(rates[-1]))
        tokens = [_assigned(self.top, rates.pop())]
        latents = self.top.embedding[tokens[0]]
        for level in self.levels:
            own = rates.pop()
            upsampled = level.upsample(latents, own.shape[1])
            tokens.append(_assigned(level.book, level.ask(np.concatenate([own, upsampled], 2))))
            latents = level.joined(tokens[-1], upsampled)
        return tokens

    def decode(self, tokens: Sequence[Tokens]) -> Floats:
        """From the streams of all levels."""
        expect_streams(tokens, len(self.streams))
        latents = self.top.embedding[tokens[0]]
        for level, codes in zip(self.levels, tokens[1:], strict=True):
            latents = level.joined(codes, level.upsample(latents, codes.shape[1]))
        return to_latents(latents)


class _Downsample:
    """To half the frame rate: ``(batch, frames, D)`` to ``(batch, frames / 2, D)``, rounded up."""

    def __init__(self, config: HierarchicalConfig, weights: Weights, dim: int):
        self.halve = Convolution(weights.within("halve"), dim, dim, kernel_size=4, stride=2)
        self.unit = ResidualUnit(
            weights.within("unit"), dim, kernel_size=config.kernel_size, hidden=config.expansion * dim
        )

    def __call__(self, x: Floats) -> Floats:
        return self.unit(self.halve(np.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, 0)))))


class _Level:
    """A codebook below the top, with the layers between it and the latents of the coarser levels."""

    def __init__(self, config: HierarchicalConfig, weights: Weights, dim: int):
        self.book = _codebook(config, weights.within("book"), dim)
        self.up = ResidualUnit(weights.within("up"), dim, kernel_size=config.kernel_size, hidden=config.expansion * dim)
        self.ask = Convolution(weights.within("ask"), 2 * dim, dim, kernel_size=1)
        self.join = Convolution(weights.within("join"), 2 * dim, dim, kernel_size=1)

    def upsample(self, coarser: Floats, frames: int) -> Floats:
        """Latents of the coarser levels, ``(batch, columns, D)``, at this level's rate: ``(batch, frames, D)``."""
        return self.up(coarser.repeat(2, axis=1)[:, :frames])

    def joined(self, codes: Tokens, upsampled: Floats) -> Floats:
        """This level's latents, from its codes and those of the coarser levels at its rate."""
        return self.join(np.concatenate([self.book.embedding[codes], upsampled], 2))


def _codebook(config: HierarchicalConfig, weights: Weights, dim: int) -> Codebook:
    return Codebook(weights.get("codebook.embedding", config.codebook_size, dim))


def _assigned(codebook: Codebook, columns: Floats) -> Tokens:
    """``(batch, columns, D)`` to the nearest embeddings' codes, ``(batch, columns)``."""
    return codebook.assign(columns.reshape(-1, columns.shape[2])).reshape(columns.shape[:2])
