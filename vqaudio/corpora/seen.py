"""Which ids were there before, in 8 bytes each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class SeenIds:
    """A set of ids that holds 64 bits of each one's digest, in sorted runs that are merged as they grow.

    Of a million ids two are taken for one with a probability of 3e-8, of a hundred million of 3e-4.
    """

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def add(self, ids: Sequence[str]) -> list[bool]:
        """Whether each was there before, in earlier calls or before it in this one."""
        digests = [hashlib.blake2b(id.encode(errors="surrogatepass"), digest_size=8).digest() for id in ids]
        values = np.frombuffer(b"".join(digests), np.uint64)
        fresh, first = np.unique(values, return_index=True)
        again = np.ones(len(values), bool)
        again[first] = False
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, values), len(run) - 1)
            again |= run[places] == values
        self._keep(fresh)
        return [bool(each) for each in again]

    def _keep(self, run: NDArray[np.uint64]) -> None:
        """Each run is more than twice as long as the next, so that there are few."""
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        if len(run):
            self._runs.append(run)
