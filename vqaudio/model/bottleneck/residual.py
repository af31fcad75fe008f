"""Residual vector quantization: each codebook quantizes what the ones before it left.

Source: Zeghidour et al., "SoundStream", 2021, algorithm 1 and section III-C (quantizer dropout).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.config.bottleneck import ResidualConfig
from vqaudio.model.bottleneck.base import Bottleneck, BottleneckOutput, streams_of
from vqaudio.model.bottleneck.codebook import Codebook, from_vectors, nearest, to_vectors
from vqaudio.model.bottleneck.gradients import PASS_GRADIENT

DEPTH_FRAMES = 6  # for how long a number of codebooks holds where it changes inside a crop


class ResidualVQ(Bottleneck):
    """``n_codebooks`` codebooks in one space: any first few of the token streams can be decoded."""

    has_code_costs = True

    def __init__(self, config: ResidualConfig, dim: int):
        super().__init__()
        self.streams = streams_of(config)
        codebooks = [Codebook(config, dim) for _ in range(config.n_codebooks)]
        self.codebooks = nn.ModuleList(codebooks)
        self.commitment, self.pass_gradient = config.commitment, PASS_GRADIENT[config.gradient]
        self.dropout, self.frame_dropout, self.search = config.dropout, config.frame_dropout, config.search
        for codebook in codebooks[1:]:
            codebook.has_stop_code = config.stop_codes

    def forward(self, features: Tensor) -> BottleneckOutput:
        """Quantize by all codebooks; in training, some of the batch is decoded from the first few only.

        Loss: the VQ-VAE's codebook and commitment terms, averaged over codebooks.
        """
        batch = features.shape[0]
        depth = self._sample_depth(batch, features.shape[2], features.device)
        residual = to_vectors(features)
        total = torch.zeros_like(residual)
        loss = residual.new_zeros(())
        tokens, stats = [], {}
        for level, codebook in enumerate(self.codebook_modules()):
            codes = codebook.assign(residual)
            quantized = codebook(codes)
            loss = loss + codebook.loss(residual, quantized)
            loss = loss + self.commitment * functional.mse_loss(residual, quantized.detach())
            if self.training:
                codebook.learn(residual.detach(), codes)
            total = total + quantized.detach() * (depth > level).flatten()[:, None]
            residual = residual - quantized.detach()
            tokens.append(codes.view(batch, -1))
            stats.update({f"{name}_{level + 1}": value for name, value in codebook.stats().items()})
        latents = self.pass_gradient(features, from_vectors(total, batch))
        return BottleneckOutput(latents, tokens, loss / len(self.codebooks), stats)

    def _sample_depth(self, batch: int, frames: int, device: torch.device) -> Tensor:
        """How many codebooks each frame of the batch is decoded from: ``(batch, frames)``, between 1 and all."""
        every = len(self.codebooks)
        if not self.training or self.dropout == 0:
            return torch.full((batch, frames), every, device=device)
        depth = torch.randint(1, every + 1, (batch, 1), device=device).expand(batch, frames)
        if self.frame_dropout:
            short = torch.randint(1, every + 1, (batch, -(-frames // DEPTH_FRAMES)), device=device)
            changing = short.repeat_interleave(DEPTH_FRAMES, dim=1)[:, :frames]
            depth = torch.where(torch.rand(batch, 1, device=device) < self.frame_dropout, changing, depth)
        return torch.where(torch.rand(batch, 1, device=device) < self.dropout, depth, every)

    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        """See :meth:`Bottleneck.encode`.

        A beam search over the codebooks: of all ways to go on from the few best sums so far, as many that come nearest
        to the features are kept. The best first code is often not part of the best sum; one path is the greedy choice
        of :meth:`forward`. Fewer codebooks leave time for more paths. Source: Liu, Lu & Li, "Improved residual vector
        quantization for high-dimensional approximate nearest neighbor search", 2015, multi-path encoding.
        """
        return self.encode_with_cost(features, n_streams, code_cost=0.0)

    @torch.no_grad()
    def encode_with_cost(self, features: Tensor, n_streams: int | None, *, code_cost: float | Tensor) -> list[Tensor]:
        """See :meth:`Bottleneck.encode_with_cost`; only codes whose embeddings are zeros cost nothing."""
        vectors = to_vectors(features)
        costly = isinstance(code_cost, Tensor) or bool(code_cost)
        if isinstance(code_cost, Tensor):
            code_cost = code_cost.repeat_interleave(features.shape[2])[:, None, None]  # of each vector
        residuals = vectors[:, None]  # (n, paths, D)
        paths = torch.empty(len(vectors), 1, 0, dtype=torch.long, device=vectors.device)
        codebooks = list(self.codebook_modules())[:n_streams]
        kept_paths = max(1, self.search // len(codebooks))
        costs = residuals.new_zeros(len(vectors), 1)
        memory = torch.empty(len(vectors) * kept_paths * self.streams[0].alphabet, device=vectors.device)
        for level, codebook in enumerate(codebooks):
            distances = codebook.distances(residuals.flatten(0, 1), out=memory)
            size = distances.shape[1]
            distances = distances.view(len(vectors), -1)
            if costly:
                spent = (costs[..., None] + code_cost * (codebook.embedding != 0).any(1)).flatten(1)
                distances += spent
            kept = nearest(distances, kept_paths if level + 1 < len(codebooks) else 1)
            parent, code = kept // size, kept % size
            if costly:
                costs = spent.gather(1, kept)
            residuals = gather_paths(residuals, parent) - codebook(code)
            paths = torch.cat([gather_paths(paths, parent), code[..., None]], dim=-1)
        return [codes.view(features.shape[0], -1) for codes in paths[:, 0].unbind(-1)]

    def decode(self, tokens: list[Tensor]) -> Tensor:
        """From the first few streams or all: the sum of their embeddings."""
        if not 1 <= len(tokens) <= len(self.codebooks):
            raise ValueError(f"1 to {len(self.codebooks)} streams of tokens expected, found {len(tokens)}")
        latents = sum(codebook(codes) for codebook, codes in zip(self.codebooks, tokens, strict=False))
        assert isinstance(latents, Tensor)
        return latents.transpose(1, 2)

    def additive_codebooks(self) -> list[Tensor]:
        """See :meth:`Bottleneck.additive_codebooks`."""
        return [codebook.embedding for codebook in self.codebook_modules()]

    def stream_tensors(self, stream: int) -> list[str]:
        """See :meth:`Bottleneck.stream_tensors`."""
        return [f"codebooks.{stream}.{name}" for name in self.codebooks[stream].state_dict()]

    def initialise(self, features: Tensor) -> None:
        """k-means level by level, each on what the levels before it leave."""
        residual = to_vectors(features)
        for codebook in self.codebook_modules():
            codebook.initialise(residual)
            residual = residual - codebook(codebook.assign(residual))


def gather_paths(values: Tensor, parent: Tensor) -> Tensor:
    """``(n, paths, width)`` and the paths to go on from, ``(n, kept)``: their values, ``(n, kept, width)``."""
    return values.gather(1, parent[..., None].expand(-1, -1, values.shape[-1]))
