"""No bottleneck but its width: a plain autoencoder."""

from __future__ import annotations

from torch import Tensor

from vqaudio.model.bottleneck.base import Bottleneck, BottleneckOutput


class Identity(Bottleneck):
    """Features pass as they are; there are no tokens, so nothing can be stored."""

    def forward(self, features: Tensor) -> BottleneckOutput:
        """The features themselves, and no loss."""
        return BottleneckOutput(features, [], features.new_zeros(()), {})

    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        """No tokens."""
        return []

    def decode(self, tokens: list[Tensor]) -> Tensor:
        """Refused: there are no tokens."""
        raise ValueError("a plain autoencoder has no tokens to decode from")
