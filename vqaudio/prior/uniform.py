"""The VQ-VAE's prior while it trains: every code is as likely as any other, log2 K bits each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqaudio.container import Stream
from vqaudio.intnet.intervals import Integers, frequencies_of
from vqaudio.prior.base import NONE, Prior, Stepper


class UniformPrior(Prior):
    """The prior that knows nothing. Source: van den Oord et al., "Neural discrete representation learning", 2017."""

    def __init__(self, streams: Sequence[Stream]):
        self.streams = tuple(streams)

    def begin(self, batch_size: int, n_streams: int, condition: str = NONE) -> Stepper:
        """See :meth:`Prior.begin`."""
        self.labels(condition)
        return _Uniform(batch_size, self.streams[:n_streams])


class _Uniform(Stepper):
    def __init__(self, batch_size: int, streams: Sequence[Stream]):
        self._frequencies = [frequencies_of(np.ones((batch_size, stream.alphabet), np.int64)) for stream in streams]

    def frequencies(self, stream: int) -> Integers:
        return self._frequencies[stream]

    def accept(self, stream: int, codes: Integers) -> None:
        pass

    def advance(self) -> None:
        pass
