"""Crops of tokens: which crops a step of a prior's training sees is a function of seed, step and rank alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio import tokens
from vqaudio.config.prior import TokenDataConfig
from vqaudio.container import Stream
from vqaudio.errors import ModelError
from vqaudio.tokens import Origin, Row

FROM_START = 0.25
"""Share of crops that begin where their recording does, as the first chunk of a file."""


@dataclass
class TokenBatch:
    """Crops side by side.

    Attributes:
        codes: for each stream in use a LongTensor ``(batch, codes)``, zeros after the end of a recording.
        labels: LongTensor ``(batch, fields)``, 0 for none.
        inside: float ``(batch, frames)``, 0 after the end of a recording.
    """

    codes: list[Tensor]
    labels: Tensor
    inside: Tensor


class TokenCrops:
    """Batches of crops from the training tokens, each of recordings coded with the same number of codebooks.

    Raises:
        VqaudioError: no tokens, tokens of another codec, or none to train on or to validate with.
    """

    def __init__(
        self, config: TokenDataConfig, origin: Origin, fields: Sequence[str], corpora: Sequence[str], *, seed: int = 0
    ):
        self.config, self.seed, self.streams = config, seed, origin.streams
        found, rows = tokens.read(Path(config.folder))
        if found != origin:
            raise ModelError(
                f"{config.folder}: holds tokens of the codec {found.codec}, expected {origin.codec}: set `codec` to "
                "the one that wrote them, or write them again"
            )
        strides = [stream.stride for stream in self.streams]
        self.least = 1 + strides.index(1)  # streams in use: frames are those of the finest one
        self.step = int(np.lcm.reduce(strides))  # frames after which all streams have a code again
        self.frames = max(1, round(config.crop_seconds * origin.frame_rate / self.step)) * self.step
        self.train = [row for row in rows if row.split == "train"]
        self.valid = [row for row in rows if row.split == "valid" and row.version == 0]
        if not self.train or not self.valid:
            lacking = "to validate with" if self.train else "to train on"
            raise ModelError(f"{config.folder}: holds no tokens {lacking}; give the manifest both splits")
        unknown = set(config.weights) - {row.corpus for row in rows}
        if unknown:
            raise ModelError(
                f"data.weights names {', '.join(sorted(unknown))}, but {config.folder} holds no such corpus"
            )
        self.corpora = set(corpora)
        self.fields = {
            name: tuple(sorted({label for row in self.train if (label := self._label(row, name))})) for name in fields
        }
        self.counts = sorted({len(row.codes) for row in self.train})
        heard = sum(len(row.codes[0]) * self.streams[0].stride for row in self.train if row.version == 0)
        self.seconds = heard / origin.frame_rate / len(self.counts)
        self._by_count = {
            count: _Group([r for r in self.train if len(r.codes) == count], config) for count in self.counts
        }

    def _label(self, row: Row, field: str) -> str:
        counted = not self.corpora or row.corpus in self.corpora
        return str(getattr(row, field)) if counted else ""

    def labels(self, row: Row) -> list[int]:
        """A row's label in each field, 0 for none."""
        found = []
        for name, known in self.fields.items():
            label = self._label(row, name)
            found.append(1 + known.index(label) if label in known else 0)
        return found

    def batch(self, step: int, rank: int = 0) -> TokenBatch:
        """The crops of one step, always the same for the same seed, step and rank."""
        random = np.random.default_rng([self.seed, step, rank])
        every = len(self.streams)
        n_streams = (
            int(random.choice(self.counts)) if random.random() < 0.5 else int(random.integers(self.least, every + 1))
        )
        coded = min((count for count in self.counts if count >= n_streams), default=self.counts[-1])
        n_streams = min(n_streams, coded)
        cut, labels = [], []
        for row in self._by_count[coded].sample(self.config.batch_size, random):
            cut.append(self._cut(row, n_streams, random))
            left_out = random.random(len(self.fields)) < self.config.label_dropout
            labels.append([0 if out else label for label, out in zip(self.labels(row), left_out, strict=True)])
        return stacked(cut, labels, self.streams[:n_streams], self.frames)

    def _cut(self, row: Row, n_streams: int, random: np.random.Generator) -> list[NDArray[np.int32]]:
        spare = (self._length(row) - self.frames) // self.step
        at = 0 if spare <= 0 or random.random() < FROM_START else int(random.integers(spare + 1)) * self.step
        return self.crop(row, at, n_streams)

    def _length(self, row: Row) -> int:
        """Whole frames of a row."""
        return min(len(known) * stream.stride for known, stream in zip(row.codes, self.streams, strict=False))

    def crop(self, row: Row, at: int, n_streams: int) -> list[NDArray[np.int32]]:
        """The codes of at most ``frames`` frames from the frame ``at`` on, of the first ``n_streams`` streams."""
        return [
            known[at // stream.stride : (at + self.frames) // stream.stride]
            for known, stream in zip(row.codes[:n_streams], self.streams, strict=False)
        ]

    def validation(self, rows: Sequence[Row]) -> list[tuple[list[NDArray[np.int32]], list[int]]]:
        """All of some rows as crops, with their labels: as files hold them, each from a cold start."""
        return [
            (self.crop(row, at, len(row.codes)), self.labels(row))
            for row in rows
            for at in range(0, self._length(row), self.frames)
        ]


class _Group:
    """Rows with as many codebooks each, sampled by corpus and then by length."""

    def __init__(self, rows: list[Row], config: TokenDataConfig):
        corpora = sorted({row.corpus for row in rows})
        self.rows = [[row for row in rows if row.corpus == corpus] for corpus in corpora]
        lengths = [np.array([len(row.codes[0]) for row in group], float) for group in self.rows]
        total = sum(length.sum() for length in lengths)
        share = [config.weights.get(name, length.sum() / total) for name, length in zip(corpora, lengths, strict=True)]
        if not any(share):
            raise ModelError("data.weights gives every corpus the share 0; raise one")
        self.share = np.array(share) / np.sum(share)
        self.by_length = [length / length.sum() for length in lengths]

    def sample(self, size: int, random: np.random.Generator) -> list[Row]:
        corpora = random.choice(len(self.rows), size, p=self.share)
        return [self.rows[c][random.choice(len(self.rows[c]), p=self.by_length[c])] for c in corpora]


def stacked(
    cut: Sequence[Sequence[NDArray[np.int32]]], labels: Sequence[Sequence[int]], streams: Sequence[Stream], frames: int
) -> TokenBatch:
    """Crops of at most ``frames`` frames side by side."""
    codes = []
    inside = np.zeros((len(cut), frames), np.float32)
    for index, stream in enumerate(streams):
        padded = np.zeros((len(cut), frames // stream.stride), np.int64)
        for place, crop in enumerate(cut):
            padded[place, : len(crop[index])] = crop[index]
            if stream.stride == 1:
                inside[place, : len(crop[index])] = 1
        codes.append(torch.from_numpy(padded))
    return TokenBatch(codes, torch.tensor(labels, dtype=torch.long).reshape(len(cut), -1), torch.from_numpy(inside))
