"""Residual vector quantization: each codebook quantizes what the ones before it left.

Source: Zeghidour et al., "SoundStream", 2021, algorithm 1 and section III-C (quantizer dropout).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.bottleneck.base import Bottleneck, Bottlenecked
from vqaudio.bottleneck.vq import Codebook, from_vectors, straight_through, to_vectors
from vqaudio.config import ResidualConfig
from vqaudio.container import Stream


class ResidualVQ(Bottleneck):
    """``n_codebooks`` codebooks in one space: any first few of the token streams can be decoded."""

    def __init__(self, config: ResidualConfig, dim: int):
        super().__init__()
        self.streams = (Stream(config.codebook_size, 1),) * config.n_codebooks
        self.codebooks = nn.ModuleList(Codebook(config, dim) for _ in range(config.n_codebooks))
        self.commitment, self.dropout = config.commitment, config.dropout

    def forward(self, features: Tensor) -> Bottlenecked:
        """Quantize by all codebooks; in training, some of the batch is decoded from the first few only.

        Loss: the VQ-VAE's codebook and commitment terms, averaged over codebooks.
        """
        batch = features.shape[0]
        depth = self._draw_depth(batch, features.device)
        residual = to_vectors(features)
        total = torch.zeros_like(residual)
        loss = residual.new_zeros(())
        tokens, stats = [], {}
        for level, codebook in enumerate(self.codebooks):
            assert isinstance(codebook, Codebook)
            codes = codebook.assign(residual)
            quantized = codebook(codes)
            loss = loss + codebook.loss(residual, quantized)
            loss = loss + self.commitment * functional.mse_loss(residual, quantized.detach())
            if self.training:
                codebook.learn(residual.detach(), codes)
            heard = (depth > level).repeat_interleave(features.shape[2])[:, None]
            total = total + quantized.detach() * heard
            residual = residual - quantized.detach()
            tokens.append(codes.view(batch, -1))
            stats.update({f"{name}_{level + 1}": value for name, value in codebook.stats().items()})
        latents = straight_through(features, from_vectors(total, batch))
        return Bottlenecked(latents, tokens, loss / len(self.codebooks), stats)

    def _draw_depth(self, batch: int, device: torch.device) -> Tensor:
        """How many codebooks each item of the batch is decoded from: ``(batch,)``, between 1 and all."""
        every = len(self.codebooks)
        if not self.training or self.dropout == 0:
            return torch.full((batch,), every, device=device)
        depth = torch.randint(1, every + 1, (batch,), device=device)
        return torch.where(torch.rand(batch, device=device) < self.dropout, depth, every)

    def encode(self, features: Tensor) -> list[Tensor]:
        """See :meth:`Bottleneck.encode`."""
        residual = to_vectors(features)
        tokens = []
        for codebook in self.codebooks:
            assert isinstance(codebook, Codebook)
            codes = codebook.assign(residual)
            residual = residual - codebook(codes)
            tokens.append(codes.view(features.shape[0], -1))
        return tokens

    def decode(self, tokens: list[Tensor]) -> Tensor:
        """From the first few streams or all: the sum of their entries."""
        if not 1 <= len(tokens) <= len(self.codebooks):
            raise ValueError(f"1 to {len(self.codebooks)} streams of tokens expected, found {len(tokens)}")
        latents = sum(codebook(codes) for codebook, codes in zip(self.codebooks, tokens, strict=False))
        assert isinstance(latents, Tensor)
        return latents.transpose(1, 2)

    def initialise(self, features: Tensor) -> None:
        """k-means level by level, each on what the levels before it leave."""
        residual = to_vectors(features)
        for codebook in self.codebooks:
            assert isinstance(codebook, Codebook)
            codebook.initialise(residual)
            residual = residual - codebook(codebook.assign(residual))
