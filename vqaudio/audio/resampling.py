"""Sound at another rate, the same to the bit in windows of any size."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from vqaudio.audio.file_source import FileSource
from vqaudio.audio.source import Source, Window, check_rate, padded_window
from vqaudio.errors import AudioWarning

BLOCK_SECONDS = 4
FILTER_REACH = 128
"""Samples at the lower rate that a sample may depend on, to either side: the filter of soxr's HQ sees 105."""
_REACH = 2 * FILTER_REACH
_CACHED_BLOCKS = 3


class Resampled:
    """A source at another rate (soxr, quality HQ: flat to 0.91 of the band, 20 bits).

    Blocks of 4 whole seconds are resampled each with a margin longer than the filter, so that they join without a seam
    and a sample's value is the same in every window. Whole seconds, and the left margin, lie on samples of both rates.
    No more of the source is read than the window takes, give or take soxr's delay (40 ms at 44.1 kHz): what is still
    arriving is not waited for.

    ``n_samples`` tells the length; without it, every sample that starts before the source's end is there.
    """

    def __init__(self, source: Source, sample_rate: int, *, n_samples: Callable[[], int] | None = None):
        self.source = source
        self.sample_rate = check_rate(sample_rate, "resampling")
        self.channels = source.channels
        self._length = n_samples
        reach = math.ceil(_REACH * source.sample_rate / min(sample_rate, source.sample_rate))
        grid = source.sample_rate // math.gcd(source.sample_rate, sample_rate)
        self._left, self._right = -(-reach // grid) * grid, reach
        self._blocks: OrderedDict[int, _Block] = OrderedDict()

    @property
    def n_samples(self) -> int:
        """Samples in each channel: see :attr:`vqaudio.audio.source.Source.n_samples`."""
        if self._length is None:
            return -(-self.source.n_samples * self.sample_rate // self.source.sample_rate)
        return self._length()

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop``: see :meth:`vqaudio.audio.source.Source.read`."""
        return padded_window(self, self._inside, start=start, stop=stop)

    def _inside(self, first: int, last: int) -> Window:
        size = BLOCK_SECONDS * self.sample_rate
        pieces = []
        for index in range(first // size, (last - 1) // size + 1):
            origin = index * size
            pieces.append(self._block(index).read(max(first - origin, 0), min(last - origin, size)))
        return np.concatenate(pieces, axis=1)

    def _block(self, index: int) -> _Block:
        if index in self._blocks:
            self._blocks.move_to_end(index)
            return self._blocks[index]
        size = BLOCK_SECONDS * self.source.sample_rate
        block = _Block(self.source, self.sample_rate, index * size, self._left, self._right)
        self._blocks[index] = block
        if len(self._blocks) > _CACHED_BLOCKS:
            self._blocks.popitem(last=False)
        return block


class _Block:
    """Four seconds at the new rate from the sample ``origin`` of the source on, made as far as they are asked for."""

    def __init__(self, source: Source, sample_rate: int, origin: int, left: int, right: int):
        self._source = source
        rate = source.sample_rate
        self._start = self._fed = origin - left
        self._end = origin + BLOCK_SECONDS * rate + right
        self._margin, self._step = left + right, right
        self._lead = left * sample_rate // rate  # samples that come before the block's first
        self._per_sample = rate / sample_rate
        self._stream = soxr.ResampleStream(rate, sample_rate, source.channels, dtype="float32", quality="HQ")
        self._made: list[NDArray[np.float32]] = []
        self._n_made = -self._lead

    def read(self, first: int, last: int) -> Window:
        """Samples ``first`` to ``last`` of the block."""
        while self._n_made < last and self._fed < self._end:
            lacking = math.ceil((last - self._n_made) * self._per_sample)
            self._feed(min(self._end, self._fed + max(lacking, self._step)))
        if len(self._made) > 1:
            self._made = [np.concatenate(self._made)]
        return np.ascontiguousarray(self._made[0][self._lead + first : self._lead + last].T)

    def _feed(self, stop: int) -> None:
        # The window reaches back further than it need: files keep their last one, and the next block starts in it.
        start = max(self._start, self._fed - self._margin)
        window = self._source.read(start, stop)[:, self._fed - start :]
        made = self._stream.resample_chunk(np.ascontiguousarray(window.T), last=stop == self._end)
        self._made.append(made)
        self._n_made += len(made)
        self._fed = stop


def resample(source: Source, sample_rate: int, *, n_samples: Callable[[], int] | None = None) -> Source:
    """``source`` at ``sample_rate`` (Hz): itself where nothing changes, else :class:`Resampled`."""
    return source if sample_rate == source.sample_rate else Resampled(source, sample_rate, n_samples=n_samples)


def read_mono(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """A whole file as float32 ``(samples,)`` at ``sample_rate`` (Hz): the mean of its channels.

    Warns with :class:`vqaudio.errors.AudioWarning` of what the file lacks.

    Raises:
        FileError, AudioError: it cannot be read, or holds values that are no sound.
    """
    with FileSource(path) as file:
        sound = resample(file, sample_rate)
        mono: NDArray[np.float32] = sound.read(0, sound.n_samples).mean(axis=0)
    for problem in file.problems:
        warnings.warn(problem, AudioWarning, stacklevel=2)
    return mono
