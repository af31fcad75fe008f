"""The VQ-VAE's prior while it trains: every code is as likely as any other, log2 K bits each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqaudio.container import Stream
from vqaudio.intnet.intervals import Integers, sizes_of
from vqaudio.prior.base import NONE, Prior, Stepper


class UniformPrior(Prior):
    """The prior that knows nothing. Source: van den Oord et al., "Neural discrete representation learning", 2017."""

    def __init__(self, streams: Sequence[Stream]):
        self.streams = tuple(streams)

    def begin(self, lanes: int, n_streams: int, condition: str = NONE) -> Stepper:
        """See :meth:`Prior.begin`."""
        self.labels(condition)
        return _Uniform(lanes, self.streams[:n_streams])


class _Uniform(Stepper):
    def __init__(self, lanes: int, streams: Sequence[Stream]):
        self._sizes = [sizes_of(np.ones((lanes, stream.alphabet), np.int64)) for stream in streams]

    def sizes(self, stream: int) -> Integers:
        return self._sizes[stream]

    def accept(self, stream: int, codes: Integers) -> None:
        pass

    def advance(self) -> None:
        pass
