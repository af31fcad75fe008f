"""Bottlenecks without codes: nothing can be stored."""

from __future__ import annotations

from collections.abc import Sequence

from vqaudio.config.bottleneck import GaussianConfig, IdentityConfig
from vqaudio.inference.base import Floats, Quantizer, Tokens
from vqaudio.inference.quantizers.contract import refuse_cost


class UnstoredQuantizer(Quantizer):
    """Of a plain autoencoder, or of a Gaussian VAE."""

    def __init__(self, config: IdentityConfig | GaussianConfig):
        super().__init__(config)
        self.kind = config.kind

    def encode(self, features: Floats, n_streams: int | None = None, *, code_cost: float = 0.0) -> list[Tokens]:
        """No codes."""
        refuse_cost(code_cost, self.kind)
        return []

    def decode(self, tokens: Sequence[Tokens]) -> Floats:
        """Refused: there are no codes."""
        what = "a plain autoencoder" if self.kind == "identity" else "a Gaussian VAE"
        raise ValueError(f"{what} has no tokens to decode from")
