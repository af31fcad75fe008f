"""Product quantization: groups of channels, each quantized by itself.

Source: Jégou, Douze & Schmid, "Product quantization for nearest neighbor search", 2011, section II-B; with residual
codebooks in each group, Yang et al., "HiFi-Codec: Group-residual vector quantization for high fidelity audio codec",
2023.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.config.bottleneck import GroupedConfig
from vqaudio.model.bottleneck.base import Bottleneck, BottleneckOutput, streams_of
from vqaudio.model.bottleneck.residual import ResidualVQ


class GroupedVQ(Bottleneck):
    """``groups`` equal shares of the channels, each with ``n_codebooks`` residual codebooks over its own.

    Streams come codebook by codebook, not group by group: the first codebook of each group, then the second of each, so
    that any number of streams from ``groups`` up can be decoded.
    """

    def __init__(self, config: GroupedConfig, dim: int):
        super().__init__()
        self.groups = nn.ModuleList(ResidualVQ(config, dim // config.groups) for _ in range(config.groups))
        self.min_streams = config.groups
        self.streams = streams_of(config)

    def _groups(self) -> list[ResidualVQ]:
        return [group for group in self.groups if isinstance(group, ResidualVQ)]

    def forward(self, features: Tensor) -> BottleneckOutput:
        """Loss: the mean of the groups'; each samples for itself from how many codebooks it is decoded."""
        count = len(self.groups)
        made = [group(part) for group, part in zip(self.groups, features.chunk(count, 1), strict=True)]
        latents = torch.cat([one.latents for one in made], 1)
        tokens = [codes for level in zip(*(one.tokens for one in made), strict=True) for codes in level]
        stats = {}
        for index, one in enumerate(made):
            for name, value in one.stats.items():
                label, _, level = name.rpartition("_")
                stats[f"{label}_{(int(level) - 1) * count + index + 1}"] = value
        return BottleneckOutput(latents, tokens, torch.stack([one.loss for one in made]).mean(), stats)

    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        """See :meth:`Bottleneck.encode`."""
        wanted, count = n_streams or len(self.streams), len(self.groups)
        tokens = [torch.empty(0)] * wanted
        for index, (group, part) in enumerate(zip(self._groups(), features.chunk(count, 1), strict=True)):
            tokens[index::count] = group.encode(part, len(tokens[index::count]))
        return tokens

    def decode(self, tokens: list[Tensor]) -> Tensor:
        """From one stream of each group, or more."""
        count = len(self.groups)
        if not count <= len(tokens) <= len(self.streams):
            raise ValueError(f"{count} to {len(self.streams)} streams of tokens expected, found {len(tokens)}")
        return torch.cat([group.decode(tokens[index::count]) for index, group in enumerate(self._groups())], 1)

    def additive_codebooks(self) -> list[Tensor]:
        """See :meth:`Bottleneck.additive_codebooks`: zeros stand in the other groups' channels."""
        books = [group.additive_codebooks() for group in self._groups()]
        width, last = books[0][0].shape[1], len(books) - 1
        return [
            functional.pad(book, (index * width, (last - index) * width))
            for level in zip(*books, strict=True)
            for index, book in enumerate(level)
        ]

    def stream_tensors(self, stream: int) -> list[str]:
        """See :meth:`Bottleneck.stream_tensors`."""
        level, group = divmod(stream, len(self.groups))
        return [f"groups.{group}.{name}" for name in self._groups()[group].stream_tensors(level)]

    def initialise(self, features: Tensor) -> None:
        """See :meth:`ResidualVQ.initialise`."""
        for group, part in zip(self._groups(), features.chunk(len(self.groups), 1), strict=True):
            group.initialise(part)
