"""Counts: how often a code came (order 0), and how often it followed the one before it in its stream (order 1).

Two uses. Without learned counts the distribution adapts to the sequence alone, and needs no file: it is what the
entropy mode ``context`` codes with, and it pays where codes repeat, as in silence and hum. With counts learned from a
training set it is the baseline that any learned prior has to beat.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

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


TOGETHER = 1 << 20
"""Codes that are counted at once."""


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

    def learn(self, codes: Iterable[Iterable[Integers]]) -> None:
        """Count the codes of a training set: for each stream the arrays ``(codes,)`` of its recordings."""
        for stream, parts in zip(self.streams, codes, strict=True):
            size = stream.alphabet
            counts, pairs = np.zeros(size, np.int64), np.zeros(size**2 if self.order else 0, np.int64)
            for some in _together(parts):
                counts += np.bincount(np.concatenate(some), minlength=size)
                if self.order:
                    pairs += np.bincount(
                        np.concatenate([part[:-1] * size + part[1:] for part in some]), minlength=size**2
                    )
            self.learned.append(counts)
            if self.order:
                self.pairs.append(pairs.reshape(size, size))

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


def _together(parts: Iterable[Integers]) -> Iterator[list[Integers]]:
    """Arrays in lists of a million values each: one by one takes longer, and all at once more memory."""
    some: list[Integers] = []
    count = 0
    for part in parts:
        some.append(part)
        count += len(part)
        if count >= TOGETHER:
            yield some
            some, count = [], 0
    if some:
        yield some


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
