"""Makes vowels.wav: five vowels sung by rule, so that there is something to compress without any recording.

A glottal pulse train with a moving pitch goes through resonators at each vowel's formants (Peterson & Barney, 1952,
averages for men); breath noise comes before each vowel. Needs scipy (in the extra ``test``).
"""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE = 16000
VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
BANDWIDTHS = (80, 100, 140)  # Hz


def resonate(sound: NDArray[np.float64], frequency: float, bandwidth: float) -> NDArray[np.float64]:
    """Two poles at a frequency (Hz), scaled to gain 1 at 0 Hz."""
    radius = np.exp(-np.pi * bandwidth / RATE)
    poles = [1.0, -2.0 * radius * np.cos(2.0 * np.pi * frequency / RATE), radius**2]
    return np.asarray(lfilter([sum(poles)], poles, sound))


def vowel(formants: tuple[int, ...], seconds: float, pitch: float, random: np.random.Generator) -> NDArray[np.float64]:
    """One vowel whose pitch falls from ``pitch`` (Hz) by a fifth, after a breath."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = np.cumsum(pitch * (1.0 - 0.2 * time / seconds) * (1.0 + 0.02 * np.sin(2 * np.pi * 5 * time))) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    source = np.asarray(lfilter([1.0], [1.0, -0.96], pulses)) + 0.004 * random.standard_normal(len(time))
    envelope = np.clip(np.minimum((time - 0.06) / 0.05, (seconds - time) / 0.08), 0.0, 1.0)
    breath = 0.02 * random.standard_normal(len(time)) * np.exp(-(((time - 0.05) / 0.03) ** 2))
    sound = source * envelope + breath
    for frequency, bandwidth in zip(formants, BANDWIDTHS, strict=True):
        sound = resonate(sound, frequency, bandwidth)
    return np.diff(sound, prepend=0.0)


def main() -> None:
    """Write the file beside this script."""
    random = np.random.default_rng(1)
    pieces = [vowel(formants, 0.55, 120.0 + 12.0 * n, random) for n, formants in enumerate(VOWELS)]
    sound = np.concatenate([np.zeros(RATE // 10), *pieces, np.zeros(RATE // 10)])
    soundfile.write(Path(__file__).with_name("vowels.wav"), 0.5 * sound / np.abs(sound).max(), RATE)


if __name__ == "__main__":
    main()
