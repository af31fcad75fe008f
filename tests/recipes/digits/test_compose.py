"""Strings of digits: what is said where, as if it had been said in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from recipes.digits import compose
from recipes.digits.strings import LONGEST_PAUSE, MOST, WORDS, Noise, Takes, say
from vqaudio.corpora import open_corpus

RATE = 8000


def takes(quiet: float = 1e-3) -> Takes:
    """Two takes of each digit, which tell by their pitch which it is."""
    random, of = np.random.default_rng(0), {}
    for digit in range(10):
        sounds = []
        for seconds in (0.3, 0.5):
            time = np.arange(int(seconds * RATE)) / RATE
            sound = 0.2 * np.sin(2 * np.pi * (400 + 300 * digit) * time) + quiet * random.standard_normal(len(time))
            sounds.append(np.float32(sound))
        of[str(digit)] = sounds
    noise = Noise([np.float32(quiet * random.standard_normal(RATE))], sample_rate=RATE)
    return Takes(of, noise)


def pitch(sound: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(power.argmax() * RATE / len(sound))


@pytest.mark.parametrize("varied", [False, True])
def test_each_digit_is_where_its_time_says(varied):
    for seed in range(8):
        spoken = say("31459", takes(), sample_rate=RATE, random=np.random.default_rng(seed), varied=varied)
        assert spoken.text == "three one four five nine"
        assert spoken.end <= len(spoken.sound) / RATE
        for digit, start, end in zip(spoken.digits, spoken.starts, [*spoken.starts[1:], spoken.end], strict=True):
            middle = round((start + 0.1) * RATE)
            expected = 400 + 300 * int(digit)
            assert pitch(spoken.sound[middle : middle + 1200]) == pytest.approx(expected, rel=0.18 if varied else 0.02)
            assert 0.25 < end - start < 0.56 * 1.2 + LONGEST_PAUSE * 1.2


def test_there_is_noise_wherever_nobody_speaks():
    spoken = say("12", takes(1e-2), sample_rate=RATE, random=np.random.default_rng(1), varied=False)
    lead = spoken.sound[: round(spoken.starts[0] * RATE)]
    assert np.sqrt(np.mean(lead**2)) == pytest.approx(1e-2, rel=0.3)


def test_strings_are_listed_with_their_texts_and_times(tmp_path, capsys):
    folder = tmp_path / "fsdd"
    folder.mkdir()
    for speaker in ("ann", "bob"):
        for digit, sounds in takes().of.items():
            for take, sound in zip((0, 7), sounds, strict=True):
                soundfile.write(folder / f"{digit}_{speaker}_{take}.wav", sound, RATE)
    from recipes.digits import prepare

    assert prepare.main([str(folder), str(tmp_path / "data")]) == 0
    assert compose.main([str(tmp_path / "data"), str(tmp_path / "out"), "--train", "12", "--valid", "4"]) == 0
    assert "16 strings" in capsys.readouterr().out
    found = [pair for part in open_corpus(str(tmp_path / "out")).parts(8) for pair in part.read(RATE)]
    assert [(u.split, u.speaker) for u, _ in found] == [
        (split, speaker)
        for split, count in (("train", 6), ("valid", 2))
        for _ in range(count)
        for speaker in ("ann", "bob")
    ]
    for utterance, sound in found:
        words = utterance.text.split()
        assert 1 <= len(words) == len(utterance.starts) <= MOST
        assert set(words) <= set(WORDS)
        assert utterance.seconds == pytest.approx(len(sound) / RATE, abs=1e-3)
        length = 0.3 if utterance.split == "valid" else 0.5  # which take it is
        if len(words) == 1 and utterance.split == "valid":
            assert len(sound) / RATE - utterance.starts[0] >= length
    assert Path(tmp_path / "out" / "train-00000.flac").is_file()
