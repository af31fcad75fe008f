"""Which recordings a folder holds, with a manifest and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE

from vqaudio.audio.recordings import Recording, data_folder, list_recordings, manifest_of
from vqaudio.errors import AudioError

MANIFEST = "path,corpus,split\nhigh/a.wav,high,train\nlow/a.wav,low,train\nlow/b.wav,low,valid\n"


def write(path: Path, sound: np.ndarray, **options: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, RATE, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings in two folders, which a manifest lists."""
    for name in ("high/a.wav", "low/a.wav", "low/b.wav"):
        write(tmp_path / name, np.zeros(10))
    (tmp_path / "manifest.csv").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


def test_a_manifest_names_files_corpora_and_splits(folder):
    found = [(item.path.name, item.corpus, item.split) for item in list_recordings(folder)]
    assert found == [("a.wav", "high", "train"), ("a.wav", "low", "train"), ("b.wav", "low", "valid")]
    assert all(item.path.is_file() for item in list_recordings(folder))


def test_only_path_and_split_must_be_there(tmp_path):
    rows = [
        "path,split,speaker,seconds,licence",
        "a.wav,train,ann,1.5,CC0",
        "deep/er/b.wav,test,,,",
        "/far/c.wav,valid",
    ]
    (tmp_path / "manifest.csv").write_text("\ufeff" + "\r\n".join(rows), encoding="utf-8")
    assert list_recordings(tmp_path) == [
        Recording(tmp_path / "a.wav", "audio", "train", "ann", "", 1.5),
        Recording(tmp_path / "deep" / "er" / "b.wav", "deep", "test"),
        Recording(Path("/far/c.wav"), "audio", "valid"),
    ]


def test_a_manifest_that_is_written_is_read_as_it_was(tmp_path):
    listed = [
        Recording(tmp_path / "a.wav", "one, or two", "train", 'the "first"', "7", 1.5),
        Recording(Path("/elsewhere/b.wav"), "other", "valid", "second"),
    ]
    text = manifest_of(listed, tmp_path)
    assert text.splitlines()[0] == "path,corpus,speaker,label,split,seconds"
    assert text.splitlines()[2] == "/elsewhere/b.wav,other,second,,valid,"
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
    assert list_recordings(tmp_path) == listed
    assert manifest_of(listed[1:], tmp_path, columns=("path", "split")) == "path,split\n/elsewhere/b.wav,valid\n"


def test_without_a_manifest_folders_are_corpora_and_every_twentieth_file_is_for_validation(tmp_path):
    for index in range(41):
        write(tmp_path / f"{index:02}.wav", np.zeros(10))
    write(tmp_path / "speech" / "deep" / "x.flac", np.zeros(10))
    write(tmp_path / "._99.wav", np.zeros(10), format="WAV")  # what some systems leave beside a file is no recording
    (tmp_path / "notes.txt").write_text("no audio")
    found = list_recordings(tmp_path)
    assert [item.path.stem for item in found if item.split == "valid"] == ["19", "39"]
    assert {item.corpus for item in found if item.path.suffix == ".wav"} == {"audio"}
    assert [item.corpus for item in found if item.path.suffix == ".flac"] == ["speech"]
    assert len(found) == 42


def test_a_few_files_leave_one_for_validation(tmp_path):
    for name in "abc":
        write(tmp_path / f"{name}.wav", np.zeros(10))
    assert [item.split for item in list_recordings(tmp_path)] == ["train", "train", "valid"]


def test_the_default_folder(monkeypatch):
    monkeypatch.delenv("VQAUDIO_DATA", raising=False)
    assert data_folder("mine") == Path("mine")
    assert data_folder() == Path("../shared/data/speech")
    monkeypatch.setenv("VQAUDIO_DATA", "/recordings")
    assert data_folder() == Path("/recordings/speech")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b"", "expected rows with the columns path and split"),
        (b"path,corpus\na.wav,low\n", "expected rows with the columns path and split"),
        (b"path,split\n", "expected rows with the columns path and split"),
        (MANIFEST.encode() + b"low/c.wav,low\n", "row 5 lacks a path or split"),
        (b"path,split,seconds\na.wav,train,1\nb.wav,train,1:02\n", "row 3 says 1:02 in the column seconds, expected a"),
        (b"path,split\n\xffa.wav,train\n", "is no CSV file in UTF-8"),
    ],
)
def test_manifests_that_lack_something_are_refused(folder, manifest, message):
    (folder / "manifest.csv").write_bytes(manifest)
    with pytest.raises(AudioError, match=message):
        list_recordings(folder)


def test_folders_without_recordings_are_refused(tmp_path):
    with pytest.raises(AudioError, match=r"no such folder; set data\.folder or VQAUDIO_DATA"):
        list_recordings(tmp_path / "absent")
    with pytest.raises(AudioError, match="holds 0 audio files"):
        list_recordings(tmp_path)
    write(tmp_path / "only.wav", np.zeros(10))
    with pytest.raises(AudioError, match="holds 1 audio files, expected two or more"):
        list_recordings(tmp_path)
