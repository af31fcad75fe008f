"""Counts: how often a code came (order 0), and how often it followed the one before it in its stream (order 1).

Two uses. Without learned counts the distribution adapts to the sequence alone, and needs no file: it is what the
entropy mode ``context`` codes with, and it pays where codes repeat, as in silence and hum. With counts learned from a
training set it is the baseline that any learned prior has to beat.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from vqaudio.container import Stream
from vqaudio.intnet.intervals import Integers, frequencies_of
from vqaudio.prior.base import NONE, Prior, Stepper

ONE = 1 << 10
"""The weight of a code that was never seen. Each time that it was seen in the sequence adds as much again."""
FOLLOWED = 1 << 9
"""What each time adds that a code followed the same code, times the alphabet: as half of all the unseen."""
BACKING = 32
"""Learned counts of order 1 are mixed with order 0, which weighs as much as so many observations."""


class ContextPrior(Prior):
    """Adaptive counts within a sequence, on top of learned ones where there are any.

    Args:
        streams: of the codes.
        order: 0 counts codes alone, 1 also pairs of successive codes of a stream.
    """

    def __init__(self, streams: Sequence[Stream], order: int = 1):
        self.streams, self.order = tuple(streams), order
        self.learned: list[Integers] = []
        self.pairs: list[Integers] = []

    def learn(self, codes: Sequence[Sequence[Integers]]) -> None:
        """Count the codes of a training set: for each stream the arrays ``(codes,)`` of its recordings."""
        for stream, parts in zip(self.streams, codes, strict=True):
            size = stream.alphabet
            self.learned.append(_counts(parts, size))
            if self.order:
                self.pairs.append(_counts([part[:-1] * size + part[1:] for part in parts], size**2).reshape(size, size))

    def begin(self, batch_size: int, n_streams: int, *, condition: str = NONE) -> Stepper:
        """See :meth:`Prior.begin`."""
        self.labels(condition)
        return _Counting(self, batch_size, n_streams)

    def expected(self, stream: int, before: int | None) -> Integers:
        """Weights ``(alphabet,)`` from what was learned, after the code ``before`` (None at the start)."""
        if not self.learned:
            return np.full(self.streams[stream].alphabet, ONE, np.int64)
        alone: Integers = 1 + self.learned[stream] * ONE * self.streams[stream].alphabet // max(
            1, self.learned[stream].sum()
        )
        if not self.order or before is None:
            return alone
        share = BACKING * alone // self.streams[stream].alphabet
        mixed: Integers = 1 + share + ONE * self.pairs[stream][before]
        return mixed


def _counts(parts: Sequence[Integers], size: int) -> Integers:
    """How often each number below ``size`` is in some arrays."""
    counts: Integers = np.bincount(np.concatenate([np.zeros(0, np.int64), *parts]), minlength=size).astype(np.int64)
    return counts


class _Counting(Stepper):
    def __init__(self, prior: ContextPrior, batch_size: int, n_streams: int):
        self.prior, self.sequences = prior, range(batch_size)
        self.adapts = not prior.learned
        self.before: list[list[int | None]] = [[None] * batch_size for _ in range(n_streams)]
        self.seen = [np.zeros((batch_size, stream.alphabet), np.int64) for stream in prior.streams[:n_streams]]
        self.followed: list[list[defaultdict[int | None, Counter[int]]]] = [
            [defaultdict(Counter) for _ in self.sequences] for _ in range(n_streams)
        ]

    def frequencies(self, stream: int) -> Integers:
        weights = np.stack([self.prior.expected(stream, self.before[stream][sequence]) for sequence in self.sequences])
        if self.adapts:
            weights += ONE * self.seen[stream]
            for sequence in self.sequences if self.prior.order else ():
                for code, times in self.followed[stream][sequence][self.before[stream][sequence]].items():
                    weights[sequence, code] += FOLLOWED * times * self.prior.streams[stream].alphabet
        return frequencies_of(weights)

    def accept(self, stream: int, codes: Integers) -> None:
        for sequence, code in zip(self.sequences, codes.tolist(), strict=True):
            self.seen[stream][sequence, code] += 1
            self.followed[stream][sequence][self.before[stream][sequence]][code] += 1
            self.before[stream][sequence] = code

    def advance(self) -> None:
        pass
