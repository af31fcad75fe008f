"""Offset and overload, taken out of a sound before it is coded and put back after.

Models learn from sound around zero and within full scale. A constant offset, or a sound far above full scale or far
below, is none of what they know: it comes back distorted, and at another level. So each channel of a block is ``gain *
(coded + offset)``, with a gain that is a power of two; that of ordinary sound is 1, and the offset 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.source import Window
from vqaudio.container import PLAIN, Level
from vqaudio.container.levels import MAX_OFFSET, MIN_EXPONENT

MOST_PEAK = 1.25
"""Coded as it is: at this peak speech-16k-v3 loses 0.6 dB, at 2 it loses 1.2, at 4 3.6. MP3s overshoot so far."""
LEAST_PEAK = 2.0**-9
"""-54 dB. Sound that has not been louder yet is lifted: a peak of -60 dB loses 2 dB, and one of -80 dB loses 9."""
MOST_OFFSET = 0.5
"""Coded as it is, in parts of the RMS of what remains: offsets of such a size cost nothing that can be measured."""
OFFSET_STEPS = 2.0**16


def measure(samples: Window, loudest: float) -> tuple[Level, float]:
    """The level of one channel, from all the samples that its codes depend on, and its peak.

    ``loudest`` is the highest peak before: a pause after something louder is left as quiet as it is.
    """
    mean = float(samples.mean(dtype=np.float64))
    if abs(mean) <= MOST_OFFSET * float(samples.std(dtype=np.float64)):
        mean = 0.0
    peak = max(float(samples.max()) - mean, mean - float(samples.min()))
    loudest = max(loudest, peak)
    exponent = 0
    if peak > MOST_PEAK:
        exponent = _power_above(peak / MOST_PEAK)
    elif 0.0 < loudest < LEAST_PEAK:
        exponent = max(MIN_EXPONENT, _power_above(loudest) + 1)
    while abs(offset := round(mean / 2.0**exponent * OFFSET_STEPS)) > MAX_OFFSET:
        exponent += 1
    return Level(exponent, offset), peak


def _power_above(value: float) -> int:
    """The least power of two that is not below ``value``."""
    mantissa, exponent = math.frexp(value)
    return exponent - 1 if mantissa == 0.5 else exponent


def gain_and_offset(level: Level) -> tuple[float, float]:
    """The gain, and the offset at full scale: ``gain * coded + offset`` is the sound."""
    gain = 2.0**level.exponent
    return gain, gain * level.offset / OFFSET_STEPS


def remove_level(channel: Window, level: Level) -> Window:
    """Samples of one channel as they are coded."""
    if level == PLAIN:
        return channel
    gain, offset = gain_and_offset(level)
    return ((channel.astype(np.float64) - offset) / gain).astype(np.float32)


def restore_level(coded: Window, levels: Sequence[Level], *, hop_length: int) -> Window:
    """The samples of one channel of a block, ``(samples,)``, from what was decoded.

    ``levels`` are those of the block before, of the block, and of the block after. Where they differ, the samples at a
    border come from frames on both of its sides, whose shares a raised cosine over ``hop_length`` samples to either
    side follows: the sound goes from one level to the other without a step.
    """
    if all(level == levels[1] for level in levels):
        if levels[1] == PLAIN:
            return coded
        gain, offset = gain_and_offset(levels[1])
        return (coded * gain + offset).astype(np.float32)
    since = _step(np.arange(len(coded)), hop_length)
    until = _step(np.arange(len(coded)) - len(coded), hop_length)
    total, shares = coded.astype(np.float64), np.zeros(len(coded))
    for weight, level in zip((1.0 - since, since - until, until), levels, strict=True):
        gain, offset = gain_and_offset(level)
        total += weight * (offset / gain)
        shares += weight / gain
    return (total / shares).astype(np.float32)


def _step(places: NDArray[np.int64], reach: int) -> NDArray[np.float64]:
    """From 0 to 1 around place 0, within ``reach`` samples to either side."""
    return (1.0 + np.sin(np.clip((places + 0.5) / reach, -1.0, 1.0) * (np.pi / 2.0))) / 2.0
