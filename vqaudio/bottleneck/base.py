"""The contract that makes bottlenecks interchangeable.

::

    features (B, D, F) ──forward──▶ Bottlenecked(latents (B, D, F), tokens, loss, stats)       training
    features (B, D, F) ──encode───▶ tokens: one LongTensor (B, F / stride) per stream          compressing
    tokens             ──decode───▶ latents (B, D, F)                                          decompressing

``streams`` lists the token streams. A bottleneck without streams is not storable; container, codec and priors read
nothing but ``streams``, never a class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from vqaudio.container import Stream


@dataclass
class Bottlenecked:
    """What :meth:`Bottleneck.forward` returns, whatever the bottleneck.

    Attributes:
        latents: ``(batch, D, frames)``, what the decoder hears; gradients pass to the features.
        tokens: one LongTensor ``(batch, frames / stride)`` per stream.
        loss: scalar, already weighted, to add to the reconstruction loss.
        stats: named scalars for logs.
    """

    latents: Tensor
    tokens: list[Tensor]
    loss: Tensor
    stats: dict[str, Tensor]


class Bottleneck(nn.Module, ABC):
    """What stands between encoder and decoder."""

    streams: tuple[Stream, ...] = ()

    @abstractmethod
    def forward(self, features: Tensor) -> Bottlenecked:
        """``(batch, D, frames)`` features to latents, tokens, loss and statistics."""

    @abstractmethod
    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        """``(batch, D, frames)`` features to one LongTensor ``(batch, frames / stride)`` per stream.

        With ``n_streams`` only so many are wanted, and are chosen so that they serve best without the others.
        """

    @abstractmethod
    def decode(self, tokens: list[Tensor]) -> Tensor:
        """Tokens, of all streams or of the first few where the bottleneck allows it, to latents ``(batch, D, frames)``.

        Raises:
            ValueError: a number of streams that this bottleneck cannot decode from.
        """

    def entries(self) -> list[Tensor]:
        """The codebooks ``(alphabet, D)`` whose entries add up to latents, one per stream; none where they do not."""
        return []

    def initialise(self, features: Tensor) -> None:
        """Set codebooks from ``(batch, D, frames)`` features; a bottleneck without codebooks has nothing to do."""
