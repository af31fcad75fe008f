"""The corpus that speed is measured with."""

from __future__ import annotations

import csv
import io
import tarfile

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from benchmarks.made_corpus import RATE, made_utterance, main

MINUTE = 1 / 60  # hours


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_an_utterance_is_the_same_each_time_and_another_for_each_seed():
    one, again, other = made_utterance(3), made_utterance(3), made_utterance(4)
    assert (one.sound == again.sound).all()
    assert (one.speaker, one.text) == (again.speaker, again.text)
    assert one.text != other.text
    assert one.sound.dtype == np.float32
    assert 2 * RATE <= len(one.sound) <= 20 * RATE
    assert 0.09 < np.abs(one.sound).max() <= 0.6


def test_tars_repeat_under_names_of_their_own(tmp_path):
    said = run(tmp_path / "tars", "--hours", MINUTE, "--distinct", MINUTE / 3, "--tars", 2)
    tars = sorted((tmp_path / "tars").iterdir())
    count, seconds = 0, 0.0
    for path in tars:
        with tarfile.open(path) as tar:
            names = tar.getnames()
            for name in names[::3]:
                with tar.extractfile(name) as file:
                    seconds += soundfile.info(io.BytesIO(file.read())).duration
            assert [name.split(".")[1] for name in names] == ["flac", "txt", "json"] * (len(names) // 3)
            count += len(names) // 3
    assert said.startswith(f"{count} utterances, {seconds / 3600:.2f} hours")
    assert seconds >= 60
    assert len({path.stat().st_ino for path in tars}) < len(tars)


def test_files_are_those_of_the_manifest(tmp_path):
    run(tmp_path / "files", "--hours", MINUTE, "--distinct", MINUTE / 2, "--tars", 0)
    with (tmp_path / "files" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    files = sorted((tmp_path / "files").glob("*.flac"))
    assert [row["path"] for row in rows] == [path.name for path in files]
    assert sum(soundfile.info(path).duration for path in files) >= 60
    assert soundfile.info(files[0]).frames == pytest.approx(len(made_utterance(0).sound))
