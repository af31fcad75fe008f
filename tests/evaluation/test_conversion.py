"""The judge of voices, the distance of words and the intervals; and the report on conversions from end to end."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_models import RATE, spectral_config

from vqaudio.evaluation.conversion import (
    Estimate,
    SpeakerIdentifier,
    cepstra,
    content_distance,
    estimate,
    warped_distance,
)
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder

RANDOM = np.random.default_rng(0)
VOICES = {"low": 120, "middle": 310, "high": 800}
WORDS = {"0": (1, 6, 3), "1": (8, 2, 5)}  # where the energy is, one part after the other


def spoken(voice, word, seconds=0.6):
    """Bands of noise one after the other, over a hum that is the voice's."""
    size = round(seconds * RATE)
    time = np.arange(size) / RATE
    hum = sum(np.sin(2 * np.pi * VOICES[voice] * k * time + RANDOM.uniform(0, 6)) / k for k in range(1, 9))
    bands = np.fft.rfft(RANDOM.standard_normal((len(word), size)))
    bins = np.fft.rfftfreq(size, 1 / RATE)
    for spectrum, place in zip(bands, word, strict=True):
        spectrum[(bins < 500 * place) | (bins > 500 * (place + 1))] = 0
    part = np.minimum(np.arange(size) * len(word) // size, len(word) - 1)
    noise = np.fft.irfft(bands, size)[part, np.arange(size)]
    return (0.1 * hum + noise).astype(np.float32) * np.float32(RANDOM.uniform(0.1, 0.5))


# -------------------------------------------------------------------------------------------------------------- voices


def test_the_judge_names_voices_whatever_they_say_and_among_those_allowed():
    judge = SpeakerIdentifier(RATE)
    learned = [(spoken(voice, RANDOM.integers(1, 9, 3)), voice) for voice in VOICES for _ in range(12)]
    judge.fit(*zip(*learned, strict=True))
    asked = [(spoken(voice, RANDOM.integers(1, 9, 3)), voice) for voice in VOICES for _ in range(4)]
    sounds, voices = zip(*asked, strict=True)
    assert judge.identify(sounds) == list(voices)
    named = judge.identify(sounds, ["high", "middle"])
    assert set(named[:4]) <= {"high", "middle"}
    assert named[4:] == list(voices[4:])


def test_cepstra_do_not_tell_the_level():
    sound = spoken("low", (1, 6, 3))
    np.testing.assert_allclose(cepstra(sound, RATE), cepstra(0.1 * sound, RATE), atol=1e-2)
    assert cepstra(sound, RATE).shape == (61, 19)


# --------------------------------------------------------------------------------------------------------------- words


def slow_distance(first, second):
    """The recurrence as it is written, cell by cell."""
    costs = np.linalg.norm(first[:, None] - second[None], axis=2)
    total = np.full((len(first) + 1, len(second) + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(1, len(first) + 1):
        for j in range(1, len(second) + 1):
            cost = costs[i - 1, j - 1]
            total[i, j] = min(total[i - 1, j] + cost, total[i, j - 1] + cost, total[i - 1, j - 1] + 2 * cost)
    return total[-1, -1] / (len(first) + len(second))


@pytest.mark.parametrize("lengths", [(1, 1), (1, 7), (7, 1), (5, 5), (4, 11), (11, 4)])
def test_the_warped_distance_is_that_of_the_recurrence(lengths):
    first, second = (RANDOM.standard_normal((length, 3)) for length in lengths)
    assert warped_distance(first, second) == pytest.approx(slow_distance(first, second), rel=1e-9)
    assert warped_distance(second, first) == pytest.approx(warped_distance(first, second), rel=1e-9)


def test_a_sequence_is_no_distance_from_itself_at_another_pace():
    sequence = RANDOM.standard_normal((20, 12))
    assert warped_distance(sequence, np.repeat(sequence, 3, axis=0)) == pytest.approx(0.0, abs=1e-6)
    assert warped_distance(sequence, sequence[::-1]) > 1.0


def test_a_word_in_another_voice_is_nearer_than_another_word_in_its_own():
    same = content_distance(spoken("low", WORDS["0"]), spoken("high", WORDS["0"], 0.8), sample_rate=RATE)
    other = content_distance(spoken("low", WORDS["0"]), spoken("low", WORDS["1"]), sample_rate=RATE)
    assert same < 0.8 * other


# ----------------------------------------------------------------------------------------------------------- intervals


def test_an_interval_takes_groups_for_independent():
    values = [0.0, 1.0] * 20
    one_each = estimate(values, [str(index) for index in range(40)])
    assert one_each.mean == 0.5
    assert 0.3 < one_each.low < 0.4 < 0.6 < one_each.high < 0.7
    alike = estimate(values, [str(index // 2) for index in range(40)])  # every group has the same mean
    assert (alike.low, alike.high) == (0.5, 0.5)
    apart = estimate(values, [str(index % 2) for index in range(40)])  # two groups, of zeros and of ones
    assert (apart.low, apart.high) == (0.0, 1.0)


def test_an_estimate_leaves_out_what_is_undefined():
    assert estimate([0.0, math.nan, 1.0, 2.0], ["a", "a", "b", "b"]).mean == 1.0
    alone = estimate([1.0, 3.0], ["a", "a"])
    assert alone.mean == 2.0
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)
    assert all(math.isnan(value) for value in vars(estimate([math.nan], ["a"])).values())


# ---------------------------------------------------------------------------------------------------------- the report


@pytest.fixture
def report(monkeypatch):
    """The recipe's script as a module; dataclasses look theirs up by name."""
    path = Path(__file__).parents[2] / "recipes" / "voices16k" / "report.py"
    spec = importlib.util.spec_from_file_location("voices16k_report", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def tiny_voices(path, speakers):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Autoencoder(spectral_config().model_copy(update={"speakers": speakers}))
    checkpoint.save(model, path)
    return str(path)


@pytest.fixture
def recordings(tmp_path):
    """Two speakers in training and two in validation, one of these with a single recording; digits beside them."""
    folder = tmp_path / "speech"
    (folder / "digits").mkdir(parents=True)
    rows = []
    people = [("low", "vctk", "train", 4), ("middle", "vctk", "train", 4), ("high", "vctk", "valid", 4)]
    for name, corpus, split, count in [*people, ("low", "librispeech", "valid", 1)]:
        for index in range(count):
            speaker = name if count > 1 else "alone"
            path = f"{speaker}_{index}.wav"
            soundfile.write(folder / path, spoken(name, RANDOM.integers(1, 9, 8), 2.5), RATE)
            rows.append((path, corpus, speaker, split))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "corpus", "speaker", "split"), *rows])
    for voice in VOICES:
        for digit, word in WORDS.items():
            for take in range(3):
                soundfile.write(folder / "digits" / f"{digit}_{voice}_{take}.wav", spoken(voice, word), RATE)
    return folder


def test_the_report_judges_a_model_from_recordings_to_tables(report, recordings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "TARGET_SECONDS", 5.0)
    model, out = tiny_voices(tmp_path / "tiny.safetensors", ("low", "middle")), tmp_path / "out"
    assert report.main([model, str(out), "--folder", str(recordings)]) == 0
    figures = json.loads((out / "report.json").read_text())
    voices = figures["voices"]
    assert (voices["targets"], voices["sources"]) == (2, 2)
    clips = {kind: one["clips"] for kind, one in voices["kinds"].items()}
    assert clips == {
        "target recordings": 4,
        "reconstructions": 4,
        "source recordings": 3,
        "no voice asked for": 3,
        "conversions": 6,
    }
    assert voices["kinds"]["target recordings"]["target"]["mean"] == 1.0
    assert voices["kinds"]["source recordings"]["target"]["mean"] is None
    parts = [voices["kinds"]["conversions"][part]["mean"] for part in ("target", "source", "other")]
    assert sum(parts) == pytest.approx(1.0, abs=1e-3)
    assert set(voices["by_target"]) == {"low", "middle"}
    assert figures["words"]["conversions"]["stoi"]["mean"] is None
    assert -1 <= figures["words"]["reconstructions"]["stoi"]["mean"] <= 1
    assert figures["probe"]["recordings"] == 18
    assert figures["probe"]["mel"]["speaker"]["mean"] == 1.0
    names = {path.name for path in (out / "sounds").iterdir()}
    assert {"target_low.wav", "source_high.wav", "high_to_low.wav", "alone_to_middle.wav"} <= names
    text = (out / "report.md").read_text()
    assert "| conversions | 6 |" in text
    assert "What the codes know" in text
    assert capsys.readouterr().out.strip() == text.strip()


def test_the_report_tells_who_was_heard(report):
    silence = np.zeros(1, np.float32)

    def verdict(source, target, *names):
        return report.verdict(report.JudgedClip("conversions", source, target, silence, silence), *names)

    assert verdict("s", "t", "t", "t") == (True, False, False, True)
    assert verdict("s", "t", "s", "u") == (False, True, False, False)
    assert verdict("s", "t", "u", "t") == (False, False, True, True)
    assert verdict("s", "", "s", "u")[1:3] == (True, False)
    assert math.isnan(verdict("s", "", "s", "u")[0])
    assert math.isnan(verdict("t", "t", "t", "t")[1])


def test_a_model_that_knows_no_speakers_is_refused(report, recordings, tmp_path, capsys):
    silent = tiny_voices(tmp_path / "nobody.safetensors", ())
    assert report.main([silent, str(tmp_path / "out"), "--folder", str(recordings)]) == 1
    assert "knows 0 speakers" in capsys.readouterr().err
    others = tiny_voices(tmp_path / "others.safetensors", ("p1", "p2"))
    assert report.main([others, str(tmp_path / "out"), "--folder", str(recordings)]) == 1
    assert "0 training speakers" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_estimate_is_shown_with_its_interval_where_there_is_one(report):
    shown = report.shown
    assert shown(Estimate(0.5, 0.25, 0.75), "{:.0%}") == "50% (25% to 75%)"
    assert shown(Estimate(0.5, math.nan, math.nan), "{:.3f}") == "0.500"
    assert shown(Estimate(math.nan, math.nan, math.nan), "{:.3f}") == "-"
