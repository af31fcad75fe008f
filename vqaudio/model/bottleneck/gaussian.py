"""The Gaussian VAE's bottleneck: a distribution over latents in place of latents.

Source: Kingma & Welling, "Auto-encoding variational Bayes", 2014; Rezende, Mohamed & Wierstra, "Stochastic
backpropagation and approximate inference in deep generative models", 2014.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vqaudio.config.bottleneck import GaussianConfig
from vqaudio.model.bottleneck.base import Bottleneck, BottleneckOutput
from vqaudio.model.layers import at_least_float32, full_precision

FIRST_LOG_VARIANCE = -4.0
ACTIVE = 0.01
"""Variance of a dimension's mean over the data above which it counts as in use."""


class Gaussian(Bottleneck):
    """Latents ``z ~ q(z|x) = N(μ, σ² I)`` for each frame, and their distance to the prior ``N(0, I)``; no tokens.

    In training ``z`` is sampled, outside it is μ. Sampled how, depends on the estimator of the decoder's gradient:

    - ``pathwise``: ``z = μ + σ ε``, through which the gradient passes (Kingma & Welling, section 2.4 and eq. 10);
    - ``score``: no gradient passes ``z``; the result has a ``log_prob``, for
      :func:`vqaudio.model.bottleneck.base.score_function`. Its expectation is the same, its variance larger (Mohamed et
      al., "Monte Carlo gradient estimation in machine learning", 2020, section 8).

    At first μ is the feature and σ is small, so that a decoder of plain features can go on.
    """

    def __init__(self, config: GaussianConfig, dim: int):
        super().__init__()
        self.beta, self.free_bits, self.estimator = config.beta, config.free_bits, config.estimator
        self.project = nn.Linear(dim, 2 * dim)
        with torch.no_grad():
            self.project.weight.copy_(torch.eye(2 * dim, dim))
            self.project.bias[:dim], self.project.bias[dim:] = 0.0, FIRST_LOG_VARIANCE

    def posterior(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch, D, frames)`` features to μ and ``log σ²``, both of that shape, in float32 at least."""
        with full_precision(features):
            projected: Tensor = self.project(at_least_float32(features.transpose(1, 2)))
        mean, log_variance = projected.transpose(1, 2).chunk(2, dim=1)
        return mean, log_variance

    def forward(self, features: Tensor) -> BottleneckOutput:
        """Loss: β times the KL divergence in nats per frame, each dimension's at least λ on the batch's average.

        Below λ a dimension gains nothing by saying less: the free bits of Kingma et al., "Improving variational
        inference with inverse autoregressive flow", 2016, appendix C.8, with one dimension a group. The stats have the
        KL without λ, and the number of active units, dimensions whose mean varies over the batch by more than
        ``ACTIVE`` (Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", 2016, section 5).
        """
        mean, log_variance = self.posterior(features)
        by_dimension = divergence(mean, log_variance).mean((0, 2))
        loss = self.beta * by_dimension.clamp(min=self.free_bits).sum()
        active = mean.detach().transpose(0, 1).flatten(1).var(1, correction=0) > ACTIVE
        stats = {"kl": by_dimension.sum(), "active_units": active.sum().to(loss.dtype)}
        if not self.training:
            return BottleneckOutput(mean, [], loss, stats)
        latents = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        if self.estimator == "pathwise":
            return BottleneckOutput(latents, [], loss, stats)
        latents = latents.detach()
        return BottleneckOutput(
            latents, [], loss, stats, log_density(latents, mean, log_variance=log_variance).sum((1, 2))
        )

    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        """No tokens."""
        return []

    def decode(self, tokens: list[Tensor]) -> Tensor:
        """Refused: there are no tokens."""
        raise ValueError("a Gaussian VAE has no tokens to decode from")


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """``KL(N(μ, σ²) || N(0, 1))`` in nats, of the arguments' shape: ``(μ² + σ² - log σ² - 1) / 2``.

    Source: Kingma & Welling, 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1.0)


def log_density(latents: Tensor, mean: Tensor, *, log_variance: Tensor) -> Tensor:
    """``log N(z; μ, σ²)`` in nats, of the arguments' shape."""
    squares = (latents - mean).square() / log_variance.exp()
    return -0.5 * (squares + log_variance + math.log(2.0 * math.pi))
