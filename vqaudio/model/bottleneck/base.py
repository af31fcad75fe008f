"""The contract that makes bottlenecks interchangeable.

::

    features (B, D, F) ──forward──▶ BottleneckOutput(latents (B, D, F), tokens, loss, stats)       training
    features (B, D, F) ──encode───▶ tokens: one LongTensor (B, F / stride) per stream          compressing
    tokens             ──decode───▶ latents (B, D, F)                                          decompressing

``streams`` lists the token streams. A bottleneck without streams is not storable; container, codec and priors read the
attributes of the contract, never a class. Most bottlenecks look at one frame at a time; how far others see stands in
``encode_span`` and ``decode_span``, from which follows the context that blocks of a file need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from vqaudio.config.bottleneck import BottleneckConfig
from vqaudio.container import Stream
from vqaudio.inference.spans import Span
from vqaudio.model.bottleneck.codebook import Codebook


@dataclass
class BottleneckOutput:
    """What :meth:`Bottleneck.forward` returns, whatever the bottleneck.

    Attributes:
        latents: ``(batch, D, frames)``, what the decoder is given; gradients pass to the features.
        tokens: one LongTensor ``(batch, frames / stride)`` per stream.
        loss: scalar, already weighted, to add to the reconstruction loss.
        stats: named scalars for logs.
        log_prob: ``(batch,)``, log-probability of the sampled latents in nats, where they carry no gradient to the
            features themselves. Whoever knows what they led to adds :func:`score_function` to the loss. Else None.
    """

    latents: Tensor
    tokens: list[Tensor]
    loss: Tensor
    stats: dict[str, Tensor]
    log_prob: Tensor | None = None


def streams_of(config: BottleneckConfig) -> tuple[Stream, ...]:
    """The token streams that a config asks for."""
    return tuple(Stream(*pair) for pair in config.streams)


class Bottleneck(nn.Module, ABC):
    """What stands between encoder and decoder.

    Attributes:
        streams: alphabet and stride (in frames) of each token stream.
        min_streams: the fewest of the first streams that latents can be made from.
        encode_span: frames of features that a code depends on, before and after those that it stands for; whole codes
            of every stream.
        decode_span: frames of tokens that a frame of latents depends on, before and after itself.
        has_code_costs: whether codes can be given a cost, see :meth:`encode_with_cost`.
    """

    streams: tuple[Stream, ...] = ()
    min_streams: int = 1
    encode_span = Span()
    decode_span = Span()
    has_code_costs: bool = False

    @abstractmethod
    def forward(self, features: Tensor) -> BottleneckOutput:
        """``(batch, D, frames)`` features to latents, tokens, loss and statistics."""

    @abstractmethod
    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        """``(batch, D, frames)`` features to one LongTensor ``(batch, frames / stride)`` per stream.

        With ``n_streams`` only so many (``min_streams`` or more) are wanted, and are chosen so that they serve best
        without the others.
        """

    @abstractmethod
    def decode(self, tokens: list[Tensor]) -> Tensor:
        """Tokens, of all streams or of the first ``min_streams`` or more, to latents ``(batch, D, frames)``.

        Raises:
            ValueError: a number of streams that this bottleneck cannot decode from.
        """

    def encode_with_cost(self, features: Tensor, n_streams: int | None, *, code_cost: float | Tensor) -> list[Tensor]:
        """As :meth:`encode`, but a code has to bring the squared distance to the features down by ``code_cost``.

        That is one number, or one for each of the batch, ``(batch,)``. Where none does, the stop code is taken, so that
        frames that gain little end early.

        Raises:
            ValueError: ``has_code_costs`` is false.
        """
        raise ValueError(f"codes of {type(self).__name__} have no cost")

    def additive_codebooks(self) -> list[Tensor]:
        """Codebooks ``(alphabet, D)`` whose embeddings add up to latents, one per stream; none where they do not."""
        return []

    def stop_codes(self) -> list[Tensor]:
        """For each stream of :meth:`additive_codebooks` the codes whose embeddings are zeros: LongTensors, often empty.

        With such a code a frame may end, and nothing is added to it.
        """
        return [(codebook == 0).all(1).nonzero()[:, 0] for codebook in self.additive_codebooks()]

    def codebook_modules(self) -> Iterator[Codebook]:
        """The modules that hold codebooks."""
        return (module for module in self.modules() if isinstance(module, Codebook))

    def stream_tensors(self, stream: int) -> list[str]:
        """Names in the state dict of what the stream of that number has to itself; none where streams share all.

        Without these tensors the streams before it are what they are: a bottleneck with fewer streams has all others.
        """
        return []

    def freeze(self) -> None:
        """Let parameters and codebooks stay as they are in training."""
        self.requires_grad_(False)
        for codebook in self.codebook_modules():
            codebook.frozen = True

    def slow_averages(self, decay: float) -> None:
        """Let codebooks' moving averages decay by at least that factor a step, where they learn by such."""
        for codebook in self.codebook_modules():
            codebook.decay = max(codebook.decay, decay)

    def initialise(self, features: Tensor) -> None:
        """Start from ``(batch, D, frames)`` features, where there is something to set: codebooks, projections."""


def score_function(costs: Tensor, log_prob: Tensor) -> Tensor:
    """A scalar 0 whose gradient is an unbiased estimate of that of the mean expected cost.

    ``∇ E[f(z)] = E[(f(z) - b) ∇ log q(z)]`` for any baseline ``b`` that does not depend on ``z``; here each item's is
    the mean cost of the others. Costs need no gradient. Source: Mohamed et al., "Monte Carlo gradient estimation in
    machine learning", 2020, section 4.2 (eq. 14); the mean of the others as in Kool, van Hoof & Welling, "Buy 4
    REINFORCE samples, get a baseline for free!", 2019.

    Args:
        costs: ``(batch,)``, what each item's sample led to.
        log_prob: ``(batch,)``, as in :class:`BottleneckOutput`.
    """
    costs = costs.detach()
    baseline = (costs.sum() - costs) / max(1, len(costs) - 1)  # none for a batch of one
    value = ((costs - baseline) * log_prob).mean()
    return value - value.detach()
