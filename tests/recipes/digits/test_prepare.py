"""The dataset becomes a manifest."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from recipes.digits import prepare
from vqaudio.audio.recordings import list_recordings
from vqaudio.errors import VqaudioError


def test_digits_are_listed_by_their_names(tmp_path, capsys):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("7_jackson_3.wav", "7_jackson_5.wav", "0_theo_12.flac", "notes.txt", "7_jackson.wav"):
        (folder / name).touch()
    assert prepare.main([str(folder), str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(Path(r["path"]).name, r["speaker"], r["label"], r["split"]) for r in rows] == [
        ("0_theo_12.flac", "theo", "0", "train"),
        ("7_jackson_3.wav", "jackson", "7", "valid"),
        ("7_jackson_5.wav", "jackson", "7", "train"),
    ]
    assert "3 recordings of 2 speakers" in capsys.readouterr().out
    assert [item.path.name for item in prepare.recordings(folder, takes=[5])] == ["7_jackson_5.wav"]
    with pytest.raises(VqaudioError, match="holds no recordings named like"):
        prepare.recordings(tmp_path / "out")


def test_more_speech_is_listed_for_the_codec_but_none_that_is_kept_for_tests(tmp_path, capsys):
    digits, speech = tmp_path / "digits", tmp_path / "speech"
    digits.mkdir()
    (digits / "7_jackson_5.wav").touch()
    speech.mkdir()
    rows = ["a.flac,words,train", "b.flac,words,test", "c.flac,digits,train", "d.flac,librispeech,valid"]
    (speech / "manifest.csv").write_text("\n".join(["path,corpus,split", *rows]))
    assert prepare.main([str(digits), str(tmp_path / "out"), "--speech", str(speech)]) == 0
    found = list_recordings(tmp_path / "out")
    assert [(item.path.name, item.corpus, item.split) for item in found] == [
        ("7_jackson_5.wav", "digits", "train"),
        ("a.flac", "words", "train"),
        ("d.flac", "librispeech", "valid"),
    ]
    assert "1 recordings of 1 speakers, and 2 of other speech, in" in capsys.readouterr().out
