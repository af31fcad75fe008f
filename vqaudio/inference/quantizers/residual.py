"""Residual codebooks, searched by a beam over them.

Source: Zeghidour et al., "SoundStream", 2021, algorithm 1; Liu, Lu & Li, "Improved residual vector quantization for
high-dimensional approximate nearest neighbor search", 2015, multi-path encoding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqaudio.config.bottleneck import ResidualConfig
from vqaudio.inference.base import Floats, Quantizer, Tokens
from vqaudio.inference.quantizers.codebook import BLOCK, Codebook, left_factor, nearest, to_latents, to_vectors
from vqaudio.inference.quantizers.weights import Weights


class ResidualQuantizer(Quantizer):
    """``n_codebooks`` codebooks in one space: any first few of the streams can be decoded."""

    has_code_costs = True

    def __init__(self, config: ResidualConfig, weights: Weights, dim: int):
        super().__init__(config)
        self.search = config.search
        self.codebooks = [
            Codebook(weights.get(f"codebooks.{number}.embedding", config.codebook_size, dim))
            for number in range(config.n_codebooks)
        ]

    def encode(self, features: Floats, n_streams: int | None = None, *, code_cost: float = 0.0) -> list[Tokens]:
        """See :meth:`Quantizer.encode`.

        Of all ways to go on from the few best sums so far, as many that come nearest to the features are kept. Only
        codes whose embeddings are zeros cost nothing. Fewer codebooks leave time for more paths.
        """
        vectors = to_vectors(features)
        codebooks = self.codebooks[:n_streams]
        n_paths = max(1, self.search // len(codebooks))
        codes = np.empty((len(codebooks), len(vectors)), np.int64)
        size = len(codebooks[0].embedding)
        rows = max(1, BLOCK // (n_paths * size))
        memory = np.empty(min(rows, len(vectors)) * n_paths * size, np.float32)
        for at in range(0, len(vectors), rows):
            part = slice(at, at + rows)
            codes[:, part] = _beam_search(vectors[part], codebooks, n_paths, code_cost=code_cost, memory=memory)
        return [stream.reshape(len(features), -1) for stream in codes]

    def decode(self, tokens: Sequence[Tokens]) -> Floats:
        """From the first few streams or all: the sum of their embeddings."""
        if not 1 <= len(tokens) <= len(self.codebooks):
            raise ValueError(f"1 to {len(self.codebooks)} streams of tokens expected, found {len(tokens)}")
        latents = self.codebooks[0].embedding[tokens[0]]
        for codebook, codes in zip(self.codebooks[1:], tokens[1:], strict=False):
            latents += codebook.embedding[codes]
        return to_latents(latents)

    def additive_codebooks(self) -> list[Floats]:
        """See :meth:`Quantizer.additive_codebooks`."""
        return [codebook.embedding for codebook in self.codebooks]


def _beam_search(
    vectors: Floats, codebooks: Sequence[Codebook], n_paths: int, *, code_cost: float, memory: Floats
) -> Tokens:
    """``(n, D)`` vectors to codes ``(codebooks, n)``; ``memory`` is for the distances of all paths' next codes."""
    n, dim = vectors.shape
    row = np.arange(n)[:, None]
    residuals = vectors[:, None]
    paths = np.empty((n, 1, 0), np.int64)
    costs = np.zeros((n, 1), np.float32)
    for level, codebook in enumerate(codebooks):
        width = residuals.shape[1]
        size = len(codebook.embedding)
        distances = memory[: n * width * size].reshape(n * width, size)
        np.matmul(left_factor(residuals.reshape(-1, dim)), codebook.factor, out=distances)
        if code_cost:
            spent = costs[..., None] + np.float32(code_cost) * ~codebook.costs_nothing
            distances.reshape(spent.shape)[...] += spent
        last = level + 1 == len(codebooks)
        kept = nearest(distances.reshape(n, width * size), 1 if last else n_paths)
        parent, code = np.divmod(kept, size)
        if code_cost:
            costs = costs[row, parent] + np.float32(code_cost) * ~codebook.costs_nothing[code]
        if not last:
            residuals = residuals[row, parent] - codebook.embedding[code]
        paths = np.concatenate([paths[row, parent], code[..., None]], axis=-1)
    best: Tokens = paths[:, 0].T
    return best
