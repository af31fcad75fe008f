"""Vector quantization: the VQ-VAE (van den Oord et al., "Neural Discrete Representation Learning", 2017)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from vqaudio.config.bottleneck import VQConfig
from vqaudio.model.bottleneck.base import Bottleneck, BottleneckOutput, streams_of
from vqaudio.model.bottleneck.codebook import Codebook, from_vectors, to_vectors
from vqaudio.model.bottleneck.gradients import PASS_GRADIENT, gumbel_sample


class VQ(Bottleneck):
    """One codebook."""

    def __init__(self, config: VQConfig, dim: int):
        super().__init__()
        self.streams = streams_of(config)
        self.codebook = Codebook(config, dim)
        self.commitment, self.pass_gradient = config.commitment, PASS_GRADIENT[config.gradient]
        self.temperature = config.temperature if config.gradient == "gumbel" else None

    def forward(self, features: Tensor) -> BottleneckOutput:
        """Loss: codebook loss plus ``β ||z_e - sg(e)||²``, the commitment (eq. 3, third term), means over D."""
        batch, _, frames = features.shape
        vectors = to_vectors(features)
        if self.training and self.temperature is not None:
            codebook = self.codebook.embedding.clone()  # the gradient needs it as it was before it learns
            codes, chosen = gumbel_sample(vectors, codebook, temperature=self.temperature)
            quantized, latents = self.codebook(codes), from_vectors(chosen, batch)
        else:
            codes = self.codebook.assign(vectors)
            quantized = self.codebook(codes)
            latents = self.pass_gradient(features, from_vectors(quantized, batch))
        loss = self.codebook.loss(vectors, quantized)
        loss = loss + self.commitment * functional.mse_loss(vectors, quantized.detach())
        if self.training:
            self.codebook.learn(vectors.detach(), codes)
        return BottleneckOutput(latents, [codes.view(batch, frames)], loss, self.codebook.stats())

    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        """See :meth:`Bottleneck.encode`."""
        return [self.codebook.assign(to_vectors(features)).view(features.shape[0], -1)]

    def decode(self, tokens: list[Tensor]) -> Tensor:
        """From exactly one stream."""
        if len(tokens) != 1:
            raise ValueError(f"one stream of tokens expected, found {len(tokens)}")
        latents: Tensor = self.codebook(tokens[0])
        return latents.transpose(1, 2)

    def additive_codebooks(self) -> list[Tensor]:
        """See :meth:`Bottleneck.additive_codebooks`."""
        return [self.codebook.embedding]

    def initialise(self, features: Tensor) -> None:
        """k-means on the features."""
        self.codebook.initialise(to_vectors(features))
