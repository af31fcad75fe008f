"""Strings of digits, put together from single takes, with pauses, levels and noise as if they had been said in one.

A string is by one speaker. Between two digits is a pause, mostly short; each digit's level is a little its own, and
sinks towards the end; edges are faded into a bed of the speaker's own noise, which goes through pauses and before and
after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr
from numpy.typing import NDArray

from vqaudio.evaluation.metrics import Wave

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MOST = 6  # digits in a string
LEAD_SECONDS = (0.06, 0.3)  # before the first digit, and after the last
PAUSE_MEDIAN, PAUSE_SPREAD, LONGEST_PAUSE = 0.09, 0.6, 0.5  # seconds, standard deviation of its logarithm, seconds
FADE_SECONDS = 0.008
LEVEL_SPREAD = 1.5  # dB, of one digit's level
DECLINATION = 0.5  # dB from a digit to the next
SPEED = 0.08  # the most that a digit, and a whole string, is quicker or slower, as a share
COLOUR = 3.0  # dB, standard deviation of what each of eight bands of a string is louder or quieter
NOISE_SPREAD = 5.0  # dB, of the noise's level
QUIET_SHARE = 0.08  # of a take's frames, the quietest, are noise


@dataclass(frozen=True)
class Spoken:
    """A string as sound.

    Attributes:
        sound: float32 ``(samples,)``.
        digits: what is said, as in ``("3", "1", "4")``.
        starts: where each digit's take begins, seconds. end: where the last one ends.
    """

    sound: Wave
    digits: tuple[str, ...]
    starts: tuple[float, ...]
    end: float

    @property
    def text(self) -> str:
        """What is said, in words."""
        return " ".join(WORDS[int(digit)] for digit in self.digits)

    def replaced(self, sound: Wave) -> Spoken:
        """The same with another sound, as long."""
        return replace(self, sound=sound)


class Noise:
    """The noise of a speaker's recordings, as a spectrum and a level."""

    def __init__(self, takes: Sequence[Wave], *, sample_rate: int):
        self.size = sample_rate // 50
        frames = []
        for take in takes:
            cut = take[: len(take) // self.size * self.size].reshape(-1, self.size)
            if len(cut):
                loud = (cut**2).mean(-1)
                frames.append(cut[np.argsort(loud)[: max(1, round(QUIET_SHARE * len(cut)))]])
        spectra = np.abs(np.fft.rfft(np.concatenate(frames) * np.hanning(self.size), axis=-1))
        self.spectrum = np.median(spectra, axis=0) / np.sqrt(0.375 * self.size)

    def make(self, n_samples: int, random: np.random.Generator) -> Wave:
        """So many samples of it."""
        size = _transformed(max(n_samples, self.size))
        white = np.fft.rfft(random.standard_normal(size))
        shape = np.interp(np.linspace(0, 1, len(white)), np.linspace(0, 1, len(self.spectrum)), self.spectrum)
        return np.fft.irfft(white * shape, size)[:n_samples].astype(np.float32)


@dataclass(frozen=True)
class Takes:
    """One speaker's takes of each digit, and the noise in them."""

    of: Mapping[str, Sequence[Wave]]
    noise: Noise


def say(
    digits: Sequence[str],
    takes: Takes,
    *,
    sample_rate: int,
    random: np.random.Generator,
    varied: bool,
) -> Spoken:
    """A string by one speaker, from one take drawn for each digit, at ``sample_rate`` (Hz).

    ``varied``: at other speeds, in another colour and more or less noise than the takes, so that few of them are many.
    """

    def quicker(sound: Wave) -> tuple[Wave, float]:
        if not varied:
            return sound, 1.0
        factor = float(random.uniform(1 - SPEED, 1 + SPEED))
        return soxr.resample(sound, sample_rate * factor, sample_rate, quality="MQ"), factor

    chosen = [quicker(takes.of[digit][random.integers(len(takes.of[digit]))])[0] for digit in digits]
    reference = float(np.median([_level(take) for take in chosen]))
    lead, tail = (round(random.uniform(*LEAD_SECONDS) * sample_rate) for _ in range(2))
    parts, starts, at = [], [], lead
    for index, take in enumerate(chosen):
        if index:
            pause = min(PAUSE_MEDIAN * float(np.exp(random.normal(0, PAUSE_SPREAD))), LONGEST_PAUSE)
            at += round(pause * sample_rate)
        wanted = reference + random.normal(0, LEVEL_SPREAD) - DECLINATION * index
        gain = np.float32(10.0 ** ((wanted - _level(take)) / 20.0))
        parts.append(_faded(take * gain, sample_rate))
        starts.append(at)
        at += len(take)
    sound = takes.noise.make(at + tail, random)
    if varied:
        sound *= np.float32(10.0 ** (random.normal(0, NOISE_SPREAD) / 20.0))
    for part, start in zip(parts, starts, strict=True):
        sound[start : start + len(part)] += part
    sound, factor = quicker(sound)
    if varied:
        sound = _coloured(sound, random)
    times = tuple(start / sample_rate / factor for start in starts)
    return Spoken(np.asarray(sound, np.float32), tuple(digits), times, at / sample_rate / factor)


def _coloured(sound: Wave, random: np.random.Generator) -> Wave:
    size = _transformed(len(sound))
    spectrum = np.fft.rfft(sound, size)
    bands = random.normal(0, COLOUR, 8)
    gain = np.interp(np.linspace(0, 1, len(spectrum)), np.linspace(0, 1, len(bands)), bands)
    return np.asarray(np.fft.irfft(spectrum * 10.0 ** (gain / 20.0), size)[: len(sound)], np.float32)


def _transformed(n_samples: int) -> int:
    """A size at least so large whose Fourier transform is quick."""
    return -(-n_samples // 1024) * 1024


def _level(take: Wave) -> float:
    """RMS of the louder half of a take, dB."""
    loud: NDArray[np.float32] = np.sort(take**2)[len(take) // 2 :]
    return 10.0 * float(np.log10(loud.mean() + 1e-12))


def _faded(take: Wave, sample_rate: int) -> Wave:
    faded, size = take.copy(), min(round(FADE_SECONDS * sample_rate), len(take) // 2)
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    faded[:size] *= ramp
    faded[len(faded) - size :] *= ramp[::-1]
    return faded
