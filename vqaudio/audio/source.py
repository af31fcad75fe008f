"""What sound is read from, in windows of any size.

Whatever yields sound is a :class:`Source`: a file, an array, either of them at another rate, a decoder. A window of a
source is a float32 array ``(channels, samples)`` with full scale at ±1, and a sample's value never depends on how the
windows were cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import AudioError

Window = NDArray[np.float32]

MIN_RATE, MAX_RATE = 100, 1_000_000  # Hz
MAX_CHANNELS = 1024  # libsndfile's own limit
MAX_LEVEL = 1000.0  # 60 dB above full scale: beyond, samples are integers stored as floats, or damaged


class Source(Protocol):
    """Sound to be read in windows."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

    @property
    def channels(self) -> int:
        """How many; a mono sound has 1."""

    @property
    def n_samples(self) -> int:
        """Samples in each channel; ``ENDLESS`` or more until a read has met the end of what is still arriving."""

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop`` as ``(channels, stop - start)``; zeros outside ``[0, n_samples)``.

        A sound that is still arriving is waited for, and heard once: no window begins over a second before the last.

        Raises:
            AudioError: the samples cannot be decoded, or are not finite.
        """


def padded_window(source: Source, inside: Callable[[int, int], Window], *, start: int, stop: int) -> Window:
    """The window ``[start, stop)``, with ``inside(first, last)`` for what exists of it and zeros elsewhere."""
    if stop < start:
        raise ValueError(f"a window cannot end ({stop}) before it starts ({start})")
    window = np.zeros((source.channels, stop - start), np.float32)
    first, last = max(start, 0), min(stop, source.n_samples)
    if first < last:
        window[:, first - start : last - start] = inside(first, last)
        window[:, max(0, source.n_samples - start) :] = 0  # the end may have been met only now
    return window


def check_rate(sample_rate: int, name: str) -> int:
    """``sample_rate`` as an int; ``name`` is for the message.

    Raises:
        AudioError: not a whole number of Hz, or out of range.
    """
    if not MIN_RATE <= sample_rate <= MAX_RATE or sample_rate != int(sample_rate):
        raise AudioError(
            f"{name}: the sample rate is {sample_rate} Hz, expected a whole number from {MIN_RATE} to {MAX_RATE}; "
            "resample it first"
        )
    return int(sample_rate)


def check_values(block: Window, name: str, *, start: int, sample_rate: int) -> None:
    """Do nothing where all values of ``(channels, samples)`` can be sound; ``start`` is the number of the first sample.

    Raises:
        AudioError: one is not finite, or beyond ``MAX_LEVEL``.
    """
    if max(block.max(), -block.min()) <= MAX_LEVEL:  # false for NaN too
        return
    bad = ~(np.abs(block) <= MAX_LEVEL)
    column = int(bad.any(axis=0).argmax())
    channel = int(bad[:, column].argmax())
    value, sample = block[channel, column], start + column
    advice = (
        "full scale is ±1, so these may be integers stored as floats: divide them (16-bit ones by 32768)"
        if np.isfinite(value)
        else "samples must be finite numbers: repair or replace them"
    )
    raise AudioError(
        f"{name}: channel {channel + 1} of {len(block)} holds {value} at {sample / sample_rate:.3f} s "
        f"(sample {sample}, counted from 0); {advice}"
    )
