"""What augmented copies of recordings are like."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import HOP, RATE, sound

from vqaudio.tokenization.augmentation import LEVELS, augmented


@pytest.mark.parametrize("gain", [0.01, 1.0])
def test_an_augmented_copy_has_another_speed_start_and_level(gain):
    wav = np.float32(gain) * sound(RATE)[0]
    lengths, levels = [], []
    for seed in range(20):
        made, _ = augmented(wav, RATE, hop_length=HOP, speed=0.1, random=np.random.default_rng(seed))
        assert made.dtype == np.float32
        assert np.abs(made).max() <= 1.0
        lengths.append(len(made))
        levels.append(10 * np.log10(np.mean(made**2)))
    low, high = LEVELS
    assert RATE / 1.1 - HOP - 2 <= min(lengths) < 0.97 * RATE < 1.03 * RATE < max(lengths) <= RATE / 0.9 + 2
    assert low - 0.1 <= min(levels) < -32 < -24 < max(levels) <= high + 0.1


def test_without_a_change_of_speed_only_level_and_start_vary():
    wav = sound(RATE)[0]
    made, _ = augmented(wav, RATE, hop_length=HOP, speed=0.0, random=np.random.default_rng(3))
    cut = len(wav) - len(made)
    assert 0 <= cut < HOP
    gain = made @ wav[cut:] / (wav[cut:] @ wav[cut:])
    np.testing.assert_allclose(made, gain * wav[cut:], atol=1e-6)


def test_times_are_those_of_the_copy():
    """Clicks are where the times say that they are."""
    clicks = np.array([0.0, 0.2, 0.75, 0.9])
    wav = np.zeros(RATE, np.float32)
    wav[np.round(clicks * RATE).astype(int)] = 1.0
    for seed in range(10):
        made, times = augmented(
            wav, RATE, starts=tuple(clicks), hop_length=HOP, speed=0.1, random=np.random.default_rng(seed)
        )
        assert times[0] == 0.0
        for time in times[1:]:
            around = np.abs(made[round(time * RATE) - 20 : round(time * RATE) + 21])
            assert abs(int(around.argmax()) - 20) <= 2
