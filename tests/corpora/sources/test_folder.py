"""Folders of sound files."""

from __future__ import annotations

import numpy as np
from made_corpora import RATE, make_sounds, utterances
from tools import synthetic

from vqaudio.audio.recordings import list_recordings
from vqaudio.corpora.sources.folder import Folder


def test_a_folder_is_its_sound_files_in_order(tmp_path):
    folder = make_sounds(tmp_path / "speech")
    (folder / "notes.txt").write_text("no sound")
    (folder / "._a.wav").touch()
    (folder / ".trash").mkdir()
    (folder / ".trash" / "old.wav").touch()
    found = utterances(folder)
    assert [(u.id, u.path, u.corpus, u.split) for u, _ in found] == [
        ("a.wav", "a.wav", "audio", "train"),
        ("deep/b.wav", "deep/b.wav", "deep", "train"),
        ("deep/er/c.flac", "deep/er/c.flac", "deep", "valid"),
    ]
    assert [len(sound) for _, sound in found] == [8000, 6400, 4800]
    np.testing.assert_array_equal(found[1][1], synthetic(0.4, RATE, 2).mean(axis=0))


def test_splits_and_corpora_are_those_that_training_finds(tmp_path):
    for index in range(45):
        path = tmp_path / ("b" if index % 3 else "a-1") / f"{index}.wav"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    recordings = [(r.path.relative_to(tmp_path).as_posix(), r.corpus, r.split) for r in list_recordings(tmp_path)]
    assert [(u.id, u.corpus, u.split) for u, _ in utterances(tmp_path)] == recordings


def test_an_empty_folder_says_so(tmp_path):
    (tmp_path / "a.txt").touch()
    assert Folder(str(tmp_path)).is_empty


def test_a_name_that_is_no_text_is_a_sentence(tmp_path):
    make_sounds(tmp_path / "speech")
    (tmp_path / "speech" / "a.wav").rename(tmp_path / "speech" / "\udcff.wav")
    *_, (heard, said) = utterances(tmp_path / "speech")
    assert (heard.id, heard.path) == ("\\udcff.wav", "\\udcff.wav")
    assert said == "\\udcff.wav: is no text in UTF-8, or what is known of it is none; correct it"
