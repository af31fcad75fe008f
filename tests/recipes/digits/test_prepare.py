"""The dataset becomes a manifest."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from recipes.digits import prepare
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
