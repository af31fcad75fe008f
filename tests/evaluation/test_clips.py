"""Which clips are evaluated."""

import csv

import numpy as np
import pytest
import soundfile

from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.clips import select
from vqaudio.evaluation.metrics import SAMPLE_RATE


def test_without_a_manifest_every_audio_file_long_enough_is_taken(folder):
    chosen = select(folder, min_seconds=1.0)
    assert [chosen.name(path) for path in chosen.paths] == ["a.wav", "b/c.flac", "quiet.wav"]
    assert chosen.too_short == 1


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (None, ["a.wav"]),
        ("train", ["b/c.flac"]),
        ("test", ["quiet.wav"]),
        ("all", ["a.wav", "b/c.flac", "quiet.wav"]),
    ],
)
def test_a_manifest_with_splits_chooses(folder, split, names):
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = [("path", "split"), ("b/c.flac", "train"), ("a.wav", "valid"), ("quiet.wav", "test")]
        csv.writer(file).writerows(rows)
    chosen = select(folder, split)
    assert [chosen.name(path) for path in chosen.paths] == names


def test_a_limit_is_spread_over_the_folder(tmp_path):
    for index in range(10):
        soundfile.write(tmp_path / f"{index}.wav", np.zeros(100), SAMPLE_RATE)
    assert [path.stem for path in select(tmp_path, limit=3).paths] == ["0", "3", "6"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "valid"}, "manifest.csv.*leave --split out"),
        ({"min_seconds": 60.0}, "all 4 recordings are shorter than 60 s.*--min-seconds"),
    ],
)
def test_a_choice_that_leaves_nothing_is_refused(folder, options, message):
    with pytest.raises(EvaluationError, match=message):
        select(folder, **options)


def test_a_folder_without_recordings_or_that_is_missing_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="holds no recordings"):
        select(tmp_path)
    with pytest.raises(EvaluationError, match="no such folder"):
        select(tmp_path / "absent")
