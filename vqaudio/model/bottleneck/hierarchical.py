"""VQ-VAE-2 over time: codes at several frame rates, the finer told what the coarser have said.

Source: Razavi, van den Oord & Vinyals, "Generating diverse high-fidelity images with VQ-VAE-2", 2019, section 3.1 and
algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vqaudio.config.bottleneck import HierarchicalConfig
from vqaudio.inference.spans import decode_span, encode_span
from vqaudio.model.bottleneck.base import Bottleneck, BottleneckOutput, streams_of
from vqaudio.model.bottleneck.vq import VQ
from vqaudio.model.layers import ResidualUnit, SameConv1d


class HierarchicalVQ(Bottleneck):
    """Two or more levels, coarsest first: strides 2, 1 (or 4, 2, 1, ...), each with one codebook.

    ::

        features ──down──▶ half the rate ──▶ VQ ──▶ top codes ──▶ embeddings
           │                                                        up
           ▼                                                        ▼
          ask ◀──────────────────────────────────── known at the full rate
           ▼                                                        ▼
           VQ ──▶ bottom codes ──▶ embeddings ────────────────────▶ join ──▶ latents

    At first ``down`` is little more than the mean of pairs, ``ask`` subtracts what is known and ``join`` adds it again:
    the levels are residual codebooks at different rates, from where they go on as they learn. So a decoder that has
    learned from plain features can go on too. Sounds of an odd number of frames are as if zeros followed them.
    """

    def __init__(self, config: HierarchicalConfig, dim: int):
        super().__init__()
        finer = config.levels - 1
        self.downs = nn.ModuleList(Downsample(config, dim) for _ in range(finer))  # the finest first
        self.top = VQ(config, dim)
        self.levels = nn.ModuleList(Level(config, dim) for _ in range(finer))  # the coarsest first
        self.streams = streams_of(config)
        self.min_streams = config.levels
        self.decode_span, self.encode_span = decode_span(config), encode_span(config)

    def _levels(self) -> list[Level]:
        return [level for level in self.levels if isinstance(level, Level)]

    def forward(self, features: Tensor) -> BottleneckOutput:
        """Loss: the mean of the levels' (each a VQ-VAE's)."""
        made: list[BottleneckOutput] = []

        def quantize(book: VQ, residual: Tensor) -> Tensor:
            made.append(book(residual))
            return made[-1].latents

        latents = self._quantize_levels(features, quantize)
        tokens = [codes for one in made for codes in one.tokens]
        stats = {f"{name}_{number}": value for number, one in enumerate(made, 1) for name, value in one.stats.items()}
        return BottleneckOutput(latents, tokens, torch.stack([one.loss for one in made]).mean(), stats)

    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        """See :meth:`Bottleneck.encode`."""
        tokens: list[Tensor] = []

        def quantize(book: VQ, residual: Tensor) -> Tensor:
            tokens.extend(book.encode(residual))
            return book.decode(tokens[-1:])

        self._quantize_levels(features, quantize)
        return tokens

    def _quantize_levels(self, features: Tensor, quantize: Callable[[VQ, Tensor], Tensor]) -> Tensor:
        """Features to latents, level by level; ``quantize`` makes embeddings of what a codebook is asked."""
        rates = [features]
        for down in self.downs:
            rates.append(down(rates[-1]))
        latents = quantize(self.top, rates.pop())
        for level in self._levels():
            own = rates.pop()
            upsampled = level.upsample(latents, own.shape[2])
            latents = level.join(
                torch.cat([quantize(level.book, level.ask(torch.cat([own, upsampled], 1))), upsampled], 1)
            )
        return latents

    def decode(self, tokens: list[Tensor]) -> Tensor:
        """From the streams of all levels."""
        if len(tokens) != len(self.streams):
            raise ValueError(f"{len(self.streams)} streams of tokens expected, found {len(tokens)}")
        latents = self.top.decode(tokens[:1])
        for level, codes in zip(self._levels(), tokens[1:], strict=True):
            upsampled = level.upsample(latents, codes.shape[1])
            latents = level.join(torch.cat([level.book.decode([codes]), upsampled], 1))
        return latents

    @torch.no_grad()
    def initialise(self, features: Tensor) -> None:
        """k-means level by level, each on what it is asked."""

        def quantize(book: VQ, residual: Tensor) -> Tensor:
            book.initialise(residual)
            return book.decode(book.encode(residual))

        self._quantize_levels(features, quantize)


class Downsample(nn.Module):
    """To half the frame rate: ``(batch, D, frames)`` to ``(batch, D, frames / 2)``, rounded up."""

    def __init__(self, config: HierarchicalConfig, dim: int):
        super().__init__()
        self.halve = SameConv1d(dim, dim, kernel_size=4, stride=2)
        self.unit = ResidualUnit(dim, config.kernel_size, hidden=config.expansion * dim, depth=1)
        with torch.no_grad():
            self.halve.weight.mul_(0.1)[..., 1:3] += 0.5 * torch.eye(dim)[..., None]

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        halved: Tensor = self.unit(self.halve(nn.functional.pad(x, (0, x.shape[2] % 2))))
        return halved


class Level(nn.Module):
    """A codebook below the top, with the layers between it and the latents of the coarser levels."""

    def __init__(self, config: HierarchicalConfig, dim: int):
        super().__init__()
        self.book = VQ(config, dim)
        self.up = ResidualUnit(dim, config.kernel_size, hidden=config.expansion * dim, depth=1)
        self.ask, self.join = (SameConv1d(2 * dim, dim, kernel_size=1) for _ in range(2))
        with torch.no_grad():
            same = torch.eye(dim)
            for projection, sign in ((self.ask, -1.0), (self.join, 1.0)):
                projection.weight.copy_(torch.cat([same, sign * same], 1)[..., None])
                nn.init.zeros_(projection.get_parameter("bias"))

    def upsample(self, coarser: Tensor, frames: int) -> Tensor:
        """Latents of the coarser levels, ``(batch, D, columns)``, at this level's rate: ``(batch, D, frames)``."""
        upsampled: Tensor = self.up(coarser.repeat_interleave(2, dim=2)[..., :frames])
        return upsampled
