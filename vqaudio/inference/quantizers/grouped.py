"""Product quantization: groups of channels, each with residual codebooks of its own.

Source: Jégou, Douze & Schmid, "Product quantization for nearest neighbor search", 2011, section II-B; Yang et al.,
"HiFi-Codec: Group-residual vector quantization for high fidelity audio codec", 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqaudio.config.bottleneck import GroupedConfig
from vqaudio.inference.base import Floats, Quantizer, Tokens
from vqaudio.inference.quantizers.contract import refuse_cost
from vqaudio.inference.quantizers.residual import ResidualQuantizer
from vqaudio.inference.quantizers.weights import Weights


class GroupedQuantizer(Quantizer):
    """Streams come codebook by codebook: the first of each group, then the second of each."""

    def __init__(self, config: GroupedConfig, weights: Weights, dim: int):
        super().__init__(config)
        self.groups = [
            ResidualQuantizer(config, weights.within(f"groups.{group}"), dim // config.groups)
            for group in range(config.groups)
        ]
        self.min_streams = config.groups

    def encode(self, features: Floats, n_streams: int | None = None, *, code_cost: float = 0.0) -> list[Tokens]:
        """See :meth:`Quantizer.encode`."""
        refuse_cost(code_cost, "grouped")
        wanted, count = n_streams or len(self.streams), len(self.groups)
        tokens = [np.empty((0, 0), np.int64)] * wanted
        for index, (group, part) in enumerate(zip(self.groups, np.split(features, count, axis=1), strict=True)):
            tokens[index::count] = group.encode(part, len(tokens[index::count]))
        return tokens

    def decode(self, tokens: Sequence[Tokens]) -> Floats:
        """From one stream of each group, or more."""
        count = len(self.groups)
        if not count <= len(tokens) <= len(self.streams):
            raise ValueError(f"{count} to {len(self.streams)} streams of tokens expected, found {len(tokens)}")
        return np.concatenate([group.decode(tokens[index::count]) for index, group in enumerate(self.groups)], 1)

    def additive_codebooks(self) -> list[Floats]:
        """See :meth:`Quantizer.additive_codebooks`: zeros stand in the other groups' channels."""
        books = [group.additive_codebooks() for group in self.groups]
        width, last = books[0][0].shape[1], len(books) - 1
        return [
            np.pad(book, ((0, 0), (index * width, (last - index) * width)))
            for level in zip(*books, strict=True)
            for index, book in enumerate(level)
        ]
