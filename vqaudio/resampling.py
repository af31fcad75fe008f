"""Sound at another rate, the same to the bit in windows of any size."""

from __future__ import annotations

import math
from collections import OrderedDict
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from vqaudio.audio import FileSource, Source, Window, check_rate, framed

BLOCK_SECONDS = 4
FILTER_REACH = 128
"""Samples at the lower rate that a sample may depend on, to either side: the filter of soxr's HQ sees 105."""
_REACH = 2 * FILTER_REACH
_CACHED_BLOCKS = 3


class Resampled:
    """A source at another rate (soxr, quality HQ: flat to 0.91 of the band, 20 bits).

    Blocks of 4 whole seconds are resampled each in one go with a margin longer than the filter, so that they join
    without a seam and a sample's value is the same in every window. Whole seconds, and the left margin, lie on samples
    of both rates.

    ``n_samples`` fixes the length; without it, every sample that starts before the source's end is there.
    """

    def __init__(self, source: Source, sample_rate: int, n_samples: int | None = None):
        self.source = source
        self.sample_rate = check_rate(sample_rate, "resampling")
        self.channels = source.channels
        self.n_samples = -(-source.n_samples * sample_rate // source.sample_rate) if n_samples is None else n_samples
        reach = math.ceil(_REACH * source.sample_rate / min(sample_rate, source.sample_rate))
        grid = source.sample_rate // math.gcd(source.sample_rate, sample_rate)
        self._left, self._right = -(-reach // grid) * grid, reach
        self._skip = self._left * sample_rate // source.sample_rate
        self._blocks: OrderedDict[int, Window] = OrderedDict()

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop``: see :meth:`vqaudio.audio.Source.read`."""
        return framed(self, start, stop, self._inside)

    def _inside(self, first: int, last: int) -> Window:
        size = BLOCK_SECONDS * self.sample_rate
        pieces = []
        for index in range(first // size, (last - 1) // size + 1):
            origin = index * size
            pieces.append(self._block(index)[:, max(first - origin, 0) : last - origin])
        return np.concatenate(pieces, axis=1)

    def _block(self, index: int) -> Window:
        if index in self._blocks:
            self._blocks.move_to_end(index)
            return self._blocks[index]
        size = BLOCK_SECONDS * self.source.sample_rate
        window = self.source.read(index * size - self._left, (index + 1) * size + self._right)
        resampled = soxr.resample(
            np.ascontiguousarray(window.T), self.source.sample_rate, self.sample_rate, quality="HQ"
        )
        block = np.ascontiguousarray(resampled[self._skip : self._skip + BLOCK_SECONDS * self.sample_rate].T)
        self._blocks[index] = block
        if len(self._blocks) > _CACHED_BLOCKS:
            self._blocks.popitem(last=False)
        return block


def resample(source: Source, sample_rate: int, n_samples: int | None = None) -> Source:
    """``source`` at ``sample_rate`` (Hz): itself where nothing changes, else :class:`Resampled`."""
    if sample_rate != source.sample_rate:
        return Resampled(source, sample_rate, n_samples)
    if n_samples not in (None, source.n_samples):
        raise ValueError(f"at an unchanged rate there are {source.n_samples} samples, not {n_samples}")
    return source


def read_mono(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """A whole file as float32 ``(samples,)`` at ``sample_rate`` (Hz): the mean of its channels.

    Raises:
        FileError, AudioError: it cannot be read, or holds values that are no sound.
    """
    with FileSource(path) as file:
        sound = resample(file, sample_rate)
        mono: NDArray[np.float32] = sound.read(0, sound.n_samples).mean(axis=0)
    return mono
