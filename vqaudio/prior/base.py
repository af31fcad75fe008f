"""The contract of priors: how likely each code is, given the codes before it, in integers.

Codes come frame by frame, and within a frame stream by stream; a stream of stride *s* has a code at every *s*-th frame.
A :class:`Stepper` goes along them: for each code it gives the intervals that the range coder divides its range into,
and is then told the code. Whoever encodes knows all codes beforehand, so that :meth:`Prior.intervals` may look at them
side by side; whoever decodes or samples steps.

A batch is of sequences that are independent of each other (channels, chunks of a file, what is to be sampled) but go in
step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vqaudio.container import Stream
from vqaudio.errors import ModelError, choice
from vqaudio.intnet.intervals import Integers, intervals_of

NONE = "none"


class Stepper(ABC):
    """A walk along the codes of a batch."""

    @abstractmethod
    def frequencies(self, stream: int) -> Integers:
        """Frequencies of the next code of a stream: int64 ``(batch, alphabet)``, adding up to ``TOTAL``."""

    def cumulative(self, stream: int) -> NDArray[np.integer]:
        """Sums along these frequencies, ``(batch, alphabet)``: where the interval of each code ends."""
        return self.frequencies(stream).cumsum(-1)

    @abstractmethod
    def accept(self, stream: int, codes: Integers) -> None:
        """The code that came, ``(batch,)``."""

    @abstractmethod
    def advance(self) -> None:
        """All codes of this frame have come."""


class Prior(ABC):
    """A distribution over the codes of ``streams``, of all of them or of the first few.

    Attributes:
        streams: alphabet and stride of each.
        fields: what codes may be conditioned on: names of labels by field, as in ``{"speaker": ("p225", "p226")}``.
    """

    streams: tuple[Stream, ...]
    fields: Mapping[str, Sequence[str]] = {}

    @abstractmethod
    def begin(self, batch_size: int, n_streams: int, *, condition: str = NONE) -> Stepper:
        """A walk from the start, over the first ``n_streams`` streams; see :meth:`labels` for ``condition``."""

    def intervals(self, codes: Sequence[Integers], condition: str = NONE) -> list[tuple[Integers, Integers]]:
        """Starts and frequencies of the intervals of known codes.

        ``codes`` and each start and frequency: for each stream an int64 array ``(batch, codes)``.
        """
        stepper = self.begin(len(codes[0]), len(codes), condition=condition)
        found = [(np.zeros_like(known), np.zeros_like(known)) for known in codes]
        for frame in range(n_frames_of(codes, self.streams)):
            for stream, at in due(self.streams[: len(codes)], frame):
                now = codes[stream][:, at]
                for part, values in zip(found[stream], intervals_of(stepper.frequencies(stream), now), strict=True):
                    part[:, at] = values
                stepper.accept(stream, now)
            stepper.advance()
        return found

    def labels(self, condition: str) -> NDArray[np.int64]:
        """A condition as numbers, one for each field: 0 for none, else 1 and up.

        ``condition`` is ``none``, or ``field=label`` with commas between fields.

        Raises:
            ModelError: an unknown field or label; the message says which are like it.
        """
        chosen = dict.fromkeys(self.fields, 0)
        for part in filter(None, [] if condition == NONE else condition.split(",")):
            field, equals, label = part.partition("=")
            if not equals or field not in self.fields:
                known = ", ".join(self.fields) or "nothing"
                raise ModelError(f"the condition {part!r} does not fit a prior that knows {known}: give FIELD=LABEL")
            if label not in self.fields[field]:
                raise ModelError(f"{field} {label!r} is not known; {choice(label, self.fields[field])}")
            chosen[field] = 1 + list(self.fields[field]).index(label)
        return np.array(list(chosen.values()), np.int64)


def due(streams: Sequence[Stream], frame: int) -> Iterator[tuple[int, int]]:
    """The streams that have a code at a frame, and the number of that code."""
    return ((index, frame // stream.stride) for index, stream in enumerate(streams) if frame % stream.stride == 0)


def n_frames_of(codes: Sequence[NDArray[np.integer]], streams: Sequence[Stream]) -> int:
    """Frames that codes stand for: as many as the finest stream has codes."""
    return next(int(known.shape[-1]) for known, stream in zip(codes, streams, strict=False) if stream.stride == 1)
