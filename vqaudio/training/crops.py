"""Crops of tokens: which crops a step of a prior's training sees is a function of seed, step and rank alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio import tokens
from vqaudio.config.prior import TokenDataConfig
from vqaudio.container import Stream
from vqaudio.errors import ModelError
from vqaudio.prior.text import Unit
from vqaudio.tokens import Origin, Tokens
from vqaudio.training.texts import Texts

Rows = NDArray[np.integer[Any]]
"""Numbers of rows."""
Codes = NDArray[np.signedinteger[Any]]
TOGETHER = 1 << 20  # rows that are looked at at once
FROM_START = 0.25
"""Share of crops that begin where their recording does, as the first chunk of a file."""


@dataclass
class TokenBatch:
    """Crops side by side.

    Attributes:
        codes: for each stream in use, that of a text among them, a LongTensor ``(batch, codes)``, zeros after the end
            of a recording.
        labels: LongTensor ``(batch, fields)``, 0 for none.
        inside: float ``(batch, frames)``, 0 after the end of a recording.
    """

    codes: list[Tensor]
    labels: Tensor
    inside: Tensor


class TokenCrops:
    """Batches of crops from the training tokens, each of recordings coded with the same number of codebooks.

    Where texts are learned, most batches have them (``texts``, then not None) as their last stream: all codebooks, and
    recordings from their start on, as a text has no other.

    Codes stay in a file that is mapped (:func:`vqaudio.tokens.open_tokens`); rows are numbers, of which each takes some
    twenty bytes.

    Raises:
        VqaudioError: no tokens, tokens of another codec, or none to train on or to validate with.
    """

    def __init__(
        self,
        config: TokenDataConfig,
        origin: Origin,
        fields: Sequence[str],
        corpora: Sequence[str],
        *,
        seed: int = 0,
        text: Unit | None = None,
        codebooks: int | None = None,
    ):
        self.config, self.seed, self.streams = config, seed, origin.streams[:codebooks]
        self.frame_rate = origin.frame_rate
        found = tokens.open_tokens(Path(config.folder), cache=None if config.cache is None else Path(config.cache))
        if found.origin != origin:
            raise ModelError(
                f"{config.folder}: holds tokens of the codec {found.origin.codec}, expected {origin.codec}: set "
                "`codec` to the one that wrote them, or write them again"
            )
        self.tokens = found
        strides = [stream.stride for stream in self.streams]
        self.least = 1 + strides.index(1)  # streams in use: frames are those of the finest one
        self.step = int(np.lcm.reduce(strides))  # frames after which all streams have a code again
        self.frames = max(1, round(config.crop_seconds * origin.frame_rate / self.step)) * self.step
        self.n_streams = np.minimum(_in_use(found), len(self.streams)).astype(np.int8)
        self.train = self._rows_of("train")
        self.valid = self._rows_of("valid")
        self.valid = self.valid[found.versions[self.valid] == 0]
        if not len(self.train) or not len(self.valid):
            lacking = "to validate with" if len(self.train) else "to train on"
            raise ModelError(f"{config.folder}: holds no tokens {lacking}; give the manifest both splits")
        unknown = set(config.weights) - set(found.names["corpus"])
        if unknown:
            raise ModelError(
                f"data.weights names {', '.join(sorted(unknown))}, but {config.folder} holds no such corpus"
            )
        self._labelled = np.array([not corpora or name in corpora for name in found.names["corpus"]])
        self.fields = {name: self._known(name) for name in fields}
        self._numbers = {name: self._numbers_of(name, known) for name, known in self.fields.items()}
        self.counts = np.unique(self.n_streams[self.train]).tolist()
        plain = self.train[found.versions[self.train] == 0]
        heard = int(found.lengths[plain, 0].sum(dtype=np.int64)) * self.streams[0].stride
        self.seconds = heard / origin.frame_rate / len(self.counts)
        self._by_count = {
            count: _Group(found, self.train[self.n_streams[self.train] == count], config) for count in self.counts
        }

        self.texts: Texts | None = None
        if text is not None:
            whole = self._coded_whole(self.train)
            lengths = self._lengths(whole)
            self.texts = Texts(found, whole, text, lengths=lengths, lead_seconds=config.lead_seconds)

    def _coded_whole(self, rows: Rows) -> Rows:
        """Those of some rows that have all codebooks."""
        whole: Rows = rows[self.n_streams[rows] == len(self.streams)]
        return whole

    def _rows_of(self, split: str) -> Rows:
        """Those of a split that hold codes."""
        names = self.tokens.names["split"]
        number = names.index(split) if split in names else -1
        return np.flatnonzero((self.tokens.columns["split"] == number) & (self.n_streams > 0)).astype(np.int32)

    def _known(self, field: str) -> tuple[str, ...]:
        """The labels in a field that count, of rows to train on."""
        column, names = self.tokens.columns[field], self.tokens.names[field]
        counted = self.train[self._labelled[self.tokens.columns["corpus"][self.train]]]
        return tuple(sorted(names[number] for number in np.unique(column[counted]) if names[number]))

    def _numbers_of(self, field: str, known: Sequence[str]) -> NDArray[np.int64]:
        """For each number of a field's texts the label that the prior is told, 0 for none."""
        numbers = {name: number for number, name in enumerate(known, start=1)}
        return np.array([numbers.get(name, 0) for name in self.tokens.names[field]], np.int64)

    def labels(self, row: int) -> list[int]:
        """A row's label in each field, 0 for none."""
        if not self._labelled[self.tokens.columns["corpus"][row]]:
            return [0] * len(self.fields)
        return [int(self._numbers[name][self.tokens.columns[name][row]]) for name in self.fields]

    def batch(self, step: int, rank: int = 0) -> TokenBatch:
        """The crops of one step, always the same for the same seed, step and rank."""
        random = np.random.default_rng([self.seed, step, rank])
        if self.texts is not None and random.random() >= self.config.text_dropout:
            return self._told(self.texts, random)
        every = len(self.streams)
        n_streams = (
            int(random.choice(self.counts)) if random.random() < 0.5 else int(random.integers(self.least, every + 1))
        )
        coded = min((count for count in self.counts if count >= n_streams), default=self.counts[-1])
        n_streams = min(n_streams, coded)
        cut, labels = [], []
        for row in self._by_count[coded].sample(self.config.batch_size, random):
            cut.append(self._cut(row, n_streams, random))
            labels.append(self._some_labels(row, random))
        return stacked(cut, labels, self.streams[:n_streams], self.frames)

    def _told(self, texts: Texts, random: np.random.Generator) -> TokenBatch:
        rows = texts.sample(self.config.batch_size * self.frames, self.frames, random)
        return self.told(texts, rows, [self._some_labels(row, random) for row in rows])

    def told(self, texts: Texts, rows: Sequence[int], labels: Sequence[Sequence[int]]) -> TokenBatch:
        """The beginnings of rows with their texts, as long as the longest of them."""
        cut, longest = [], 0
        for row, n_frames in zip(rows, self._lengths(np.array(rows)).tolist(), strict=True):
            text = texts.stream(row, n_frames=n_frames, frame_rate=self.frame_rate)
            cut.append([*self.crop(row, 0, len(self.streams)), text[: self.frames]])
            longest = max(longest, min(n_frames, self.frames))
        frames = -(-longest // self.step) * self.step
        return stacked(cut, labels, (*self.streams, texts.alphabet.stream), frames)

    def _some_labels(self, row: int, random: np.random.Generator) -> list[int]:
        left_out = random.random(len(self.fields)) < self.config.label_dropout
        return [0 if out else label for label, out in zip(self.labels(row), left_out, strict=True)]

    def _cut(self, row: int, n_streams: int, random: np.random.Generator) -> list[Codes]:
        spare = (int(self._lengths(np.array([row]))[0]) - self.frames) // self.step
        at = 0 if spare <= 0 or random.random() < FROM_START else int(random.integers(spare + 1)) * self.step
        return self.crop(row, at, n_streams)

    def _lengths(self, rows: Rows) -> NDArray[np.int64]:
        """Whole frames of rows."""
        strides = np.array([stream.stride for stream in self.streams])
        codes = self.tokens.lengths[rows][:, : len(self.streams)]
        whole: NDArray[np.int64] = np.where(codes > 0, codes * strides, np.iinfo(np.int64).max).min(1)
        return whole

    def crop(self, row: int, at: int, n_streams: int) -> list[Codes]:
        """The codes of at most ``frames`` frames from the frame ``at`` on, of the first ``n_streams`` streams."""
        return [
            known[at // stream.stride : (at + self.frames) // stream.stride]
            for known, stream in zip(self.tokens.codes(row)[:n_streams], self.streams, strict=False)
        ]

    def validation(self, rows: Rows) -> tuple[Rows, NDArray[np.int64]]:
        """All of some rows as crops, as files hold them, each from a cold start: of which row, from which frame."""
        count = -(-self._lengths(rows) // self.frames)
        row = np.repeat(rows, count)
        return row, (np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)) * self.frames

    def shortest_first(self, rows: Rows) -> list[tuple[int, int]]:
        """What :meth:`validation` gives, in an order in which crops of one length follow one another."""
        row, at = self.validation(rows)
        stride = self.streams[0].stride
        codes = np.minimum(self.tokens.lengths[row, 0], (at + self.frames) // stride) - at // stride
        order = np.argsort(codes, kind="stable")
        return list(zip(row[order].tolist(), at[order].tolist(), strict=True))


class _Group:
    """Rows with as many codebooks each, sampled by corpus and then by length."""

    def __init__(self, found: Tokens, rows: Rows, config: TokenDataConfig):
        of = found.columns["corpus"][rows]
        corpora = sorted((found.names["corpus"][number], number) for number in np.unique(of).tolist())
        self.rows = [rows[of == number] for _, number in corpora]
        lengths = [found.lengths[group, 0].astype(float) for group in self.rows]
        total = sum(length.sum() for length in lengths)
        named = zip(corpora, lengths, strict=True)
        share = [config.weights.get(name, length.sum() / total) for (name, _), length in named]
        if not any(share):
            raise ModelError("data.weights gives every corpus the share 0; raise one")
        self.share = np.array(share) / np.sum(share)
        self._cumulative = [_cumulative(length) for length in lengths]

    def sample(self, size: int, random: np.random.Generator) -> list[int]:
        corpora = random.choice(len(self.rows), size, p=self.share)
        return [int(self.rows[c][self._cumulative[c].searchsorted(random.random(), side="right")]) for c in corpora]


def _cumulative(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """By which numpy's ``choice`` finds one by its share: once for all times."""
    cumulative: NDArray[np.float64] = (lengths / lengths.sum()).cumsum()
    cumulative /= cumulative[-1]
    return cumulative


def _in_use(found: Tokens) -> NDArray[np.int8]:
    """How many streams each row has codes in."""
    used = np.empty(len(found), np.int8)
    for begin in range(0, len(found), TOGETHER):
        used[begin : begin + TOGETHER] = (found.lengths[begin : begin + TOGETHER] > 0).sum(1)
    return used


def stacked(
    cut: Sequence[Sequence[Codes]], labels: Sequence[Sequence[int]], streams: Sequence[Stream], frames: int
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
