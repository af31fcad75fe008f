"""What the report counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recipes.digits.judge import DigitJudge, Draw, Judge, Judges, SpeakerJudge, train
from recipes.digits.report import accuracy, longest_pause
from recipes.digits.strings import Spoken

RATE = 8000


def test_digits_are_counted_by_the_least_number_of_changes():
    texts = ["one two three", "four", "five six"]
    assert accuracy(texts, texts) == (1.0, 1.0)
    right, whole = accuracy(texts, ["one three", "four", "six five"])
    assert right == pytest.approx(1 - (1 + 0 + 2) / 6)
    assert whole == pytest.approx(1 / 3)
    assert accuracy(["one"], [""]) == (0.0, 0.0)


def test_the_longest_pause_is_the_longest_quiet_stretch():
    sound = np.concatenate([np.zeros(1600), np.ones(800), np.full(3200, 1e-3), -np.ones(800), np.zeros(160)])
    assert longest_pause(np.float32(sound)) == pytest.approx(0.4)


def string_of(digits: str) -> Spoken:
    """Ten tones, with pauses between."""
    parts = [np.zeros(800)]
    for digit in digits:
        parts += [0.2 * np.sin(2 * np.pi * (300 + 330 * int(digit)) * np.arange(1600) / RATE), np.zeros(800)]
    return Spoken(np.float32(np.concatenate(parts)), tuple(digits), (0.0,) * len(digits), 0.0)


def heard_by(judge: Judge, draw: Draw, steps: int) -> None:
    with torch.random.fork_rng(devices=[]):
        train(judge, draw, steps=steps, batch_size=8)


@pytest.mark.slow
def test_a_judge_learns_which_digits_follow_one_another():
    strings = [string_of(digits) for digits in ("3", "14", "159", "26", "7")]
    judge = DigitJudge(sample_rate=RATE, channels=64)
    heard_by(judge, lambda random: (strings[random.integers(5)], "ann"), 200)
    assert [judge.listen(string.sound) for string in strings] == [string.text for string in strings]


def test_a_judge_learns_who_speaks_whatever_is_said():
    """Bob's voice trembles."""

    def said(digits: str, speaker: str) -> Spoken:
        string = string_of(digits)
        trembling = np.float32(1 + np.sin(0.3 * np.arange(len(string.sound))))
        return string if speaker == "ann" else string.replaced(string.sound * trembling)

    def draw(random: np.random.Generator) -> tuple[Spoken, str]:
        speaker = ("ann", "bob")[random.integers(2)]
        return said("".join(map(str, random.integers(10, size=3))), speaker), speaker

    judge = SpeakerJudge(["ann", "bob"], sample_rate=RATE, channels=64)
    heard_by(judge, draw, 80)
    assert [judge.name(said("8159", speaker).sound) for speaker in ("ann", "bob")] == ["ann", "bob"]


def test_judges_go_through_a_file(tmp_path):
    judges = Judges(DigitJudge(sample_rate=RATE), SpeakerJudge(["ann", "bob"], sample_rate=RATE))
    judges.save(tmp_path / "judge.pt")
    again, sound = Judges.load(tmp_path / "judge.pt"), string_of("14").sound
    assert again.of_speakers.speakers == ["ann", "bob"]
    for one, other in ((judges.of_digits, again.of_digits), (judges.of_speakers, again.of_speakers)):
        assert torch.equal(one.scores(sound), other.scores(sound))
