"""One codebook: the VQ-VAE's (van den Oord et al., "Neural Discrete Representation Learning", 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from vqaudio.config.bottleneck import VQConfig
from vqaudio.inference.base import Floats, Quantizer, Tokens
from vqaudio.inference.quantizers.codebook import Codebook, to_latents, to_vectors
from vqaudio.inference.quantizers.contract import expect_streams, refuse_cost
from vqaudio.inference.quantizers.weights import Weights


class VQQuantizer(Quantizer):
    """The nearest embedding for each frame (eq. 1)."""

    def __init__(self, config: VQConfig, weights: Weights, dim: int):
        super().__init__(config)
        self.codebook = Codebook(weights.get("codebook.embedding", config.codebook_size, dim))

    def encode(self, features: Floats, n_streams: int | None = None, *, code_cost: float = 0.0) -> list[Tokens]:
        """See :meth:`Quantizer.encode`."""
        refuse_cost(code_cost, "vq")
        return [self.codebook.assign(to_vectors(features)).reshape(len(features), -1)]

    def decode(self, tokens: Sequence[Tokens]) -> Floats:
        """From exactly one stream."""
        expect_streams(tokens, 1)
        return to_latents(self.codebook.embedding[tokens[0]])

    def additive_codebooks(self) -> list[Floats]:
        """See :meth:`Quantizer.additive_codebooks`."""
        return [self.codebook.embedding]
