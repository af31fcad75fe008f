"""Clips in babble: other clips of the selection talking at once, at a signal-to-noise ratio, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vqaudio.audio.resampling import read_mono
from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.clips import Selection
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave, is_silent

TALKERS = 6


def babble(selection: Selection, path: Path, *, n_samples: int) -> Wave:
    """Up to six other clips, evenly spread over the selection, equally loud, each looped from a place of its own.

    Returns:
        float32 ``(n_samples,)``, of any level.

    Raises:
        EvaluationError: there is no other clip, or all others are silent. AudioError: one cannot be read.
    """
    at, count = selection.paths.index(path), len(selection.paths)
    talkers = min(TALKERS, count - 1)
    total = np.zeros(n_samples, dtype=np.float32)
    for talker in range(talkers):
        voice = read_mono(selection.paths[(at + 1 + talker * (count - 1) // talkers) % count], SAMPLE_RATE)
        if not is_silent(voice):
            total += np.resize(np.roll(voice, -len(voice) * talker // TALKERS), n_samples) / np.sqrt(np.mean(voice**2))
    if not total.any():
        raise EvaluationError(
            f"{selection.name(path)}: there is no other clip to make noise of; choose more clips, or leave --noise out"
        )
    return total


def mix_noise(clip: Wave, noise: Wave, *, snr_db: float) -> tuple[Wave, Wave]:
    """A clip ``(samples,)`` in noise, and the clip alone, both at a level at which the sum stays within full scale.

    ``snr_db``: mean power of the clip over that of the noise, dB.
    """
    power, disturbance = (float(np.mean(np.square(wave, dtype=np.float64))) for wave in (clip, noise))
    noisy = clip + noise * np.float32(np.sqrt(power / disturbance) * 10.0 ** (-snr_db / 20.0))
    level = np.float32(1.0 / max(1.0, float(np.abs(noisy).max(initial=0.0))))
    return noisy * level, clip * level
