"""The judge of who speaks and what is said."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import RATE

from vqaudio.evaluation.classifier import SoundClassifier, trim_silence

RANDOM = np.random.default_rng(0)


def hum(pitch, seconds=0.5, harmonics=8):
    """A buzz whose timbre follows from its pitch, with some noise, at a random level."""
    time = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * k * time + RANDOM.uniform(0, 6)) / k for k in range(1, harmonics + 1))
    return (RANDOM.uniform(0.05, 0.5) * (tone + 0.01 * RANDOM.standard_normal(len(time)))).astype(np.float32)


def test_the_judge_tells_timbres_apart_and_says_how_often():
    pitches = {"low": 150, "middle": 400, "high": 1100}
    sounds = {name: [hum(pitch * RANDOM.uniform(0.95, 1.05)) for _ in range(12)] for name, pitch in pitches.items()}
    judge = SoundClassifier(RATE)
    judge.fit([s for some in sounds.values() for s in some[:8]], [name for name in sounds for _ in range(8)])
    asked = [s for some in sounds.values() for s in some[8:]]
    names = [name for name in sounds for _ in range(4)]
    assert judge.predict(asked) == names
    assert judge.accuracy(asked, names) == 1.0
    assert judge.accuracy(asked, names[4:] + names[:4]) == 0.0


def test_an_order_in_time_is_heard_only_with_several_stretches():
    def word(first, second):
        return np.concatenate([hum(first), hum(second)])

    up, down = ([word(*pair) for _ in range(10)] for pair in ((200, 900), (900, 200)))
    labels = ["up"] * 10 + ["down"] * 10
    ordered = SoundClassifier(RATE, parts=4)
    ordered.fit(up + down, labels)
    assert ordered.accuracy([word(200, 900), word(900, 200)], ["up", "down"]) == 1.0
    one, other = (SoundClassifier(RATE).statistics(sound) for sound in (up[0], up[0][::-1].copy()))
    assert np.abs(one[:19] - other[:19]).max() < 1.0  # means of MFCCs: played backwards, the same but for the windows


def test_level_and_silence_at_the_ends_do_not_count():
    sound = hum(300)
    quiet = np.concatenate([np.zeros(3200, np.float32), 0.1 * sound, np.zeros(4800, np.float32)])
    judge = SoundClassifier(RATE, parts=3)
    np.testing.assert_allclose(judge.statistics(sound), judge.statistics(quiet), atol=0.05)


@pytest.mark.parametrize("n_samples", [0, 1, 100, 1600])
def test_short_and_silent_sounds_have_statistics_too(n_samples):
    for parts in (1, 5):
        assert np.isfinite(SoundClassifier(RATE, parts).statistics(np.zeros(n_samples, np.float32))).all()


def test_trimming_keeps_what_is_loud():
    sound = np.concatenate([np.full(1600, 1e-4), np.full(3200, 0.5), np.full(1600, 1e-4)]).astype(np.float32)
    assert np.array_equal(trim_silence(sound, RATE), sound[1600:4800])


# --------------------------------------------------------------------------------------------------------------- copies
