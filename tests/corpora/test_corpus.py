"""Sources of every kind as corpora: which utterances in which parts, and what they sound like."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from tools import synthetic, wav_bytes

from vqaudio.corpora import open_corpus
from vqaudio.errors import CorpusError, FileError

RATE = 16000


def utterances(source: Path | str, size: int = 128, **choice: list[str]):
    """All utterances, each with its sound or its sentence."""
    corpus = open_corpus(str(source), **choice)
    return [heard for part in corpus.parts(size) for heard in pickle.loads(pickle.dumps(part)).read(RATE)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings: a mono one, one of two channels, one at another rate."""
    there = tmp_path / "speech"
    (there / "deep" / "er").mkdir(parents=True)
    (there / "a.wav").write_bytes(wav_bytes(synthetic(0.5, RATE), RATE))
    (there / "deep" / "b.wav").write_bytes(wav_bytes(synthetic(0.4, RATE, 2), RATE))
    (there / "deep" / "er" / "c.flac").write_bytes(wav_bytes(synthetic(0.3, 8000), 8000, "FLAC", "PCM_16"))
    (there / "notes.txt").write_text("no sound")
    return there


def test_a_folder_is_its_sound_files_in_order(folder):
    found = utterances(folder)
    assert [(u.id, u.corpus, u.split) for u, _ in found] == [
        ("a.wav", "audio", "train"),
        ("deep/b.wav", "deep", "train"),
        ("deep/er/c.flac", "deep", "valid"),
    ]
    assert [len(sound) for _, sound in found] == [8000, 6400, 4800]
    np.testing.assert_array_equal(found[1][1], synthetic(0.4, RATE, 2).mean(axis=0))


def test_parts_have_so_many_utterances_and_names_that_tell_them_apart(folder):
    parts = list(open_corpus(str(folder)).parts(2))
    assert [(part.index, part.name, len(list(part.read(RATE)))) for part in parts] == [
        (0, "000000", 2),
        (1, "000001", 1),
    ]
    singly = [(found.id, [u.id for u, _ in one.read(RATE)]) for found, one in parts[0].singly()]
    assert singly == [("a.wav", ["a.wav"]), ("deep/b.wav", ["deep/b.wav"])]


def test_a_folder_with_a_manifest_is_what_that_lists(folder):
    rows = "path,split,speaker,seconds\ndeep/b.wav,test,ann,0.4\nmissing.wav,train,,\n"
    (folder / "manifest.csv").write_text(rows)
    (heard, sound), (_, missing) = utterances(folder)
    assert (heard.id, heard.corpus, heard.split, heard.speaker, heard.seconds) == (
        "deep/b.wav",
        "deep",
        "test",
        "ann",
        0.4,
    )
    assert len(sound) == 6400
    assert missing == f"{folder}/missing.wav: no such file; check the name"


def test_only_the_corpora_that_are_named(folder):
    assert [u.id for u, _ in utterances(folder, corpora=["deep"])] == ["deep/b.wav", "deep/er/c.flac"]
    with pytest.raises(CorpusError, match=r"has no corpus dep; did you mean deep\?"):
        open_corpus(str(folder), corpora=["dep"])


def test_the_digest_tells_sources_apart_and_not_places(folder, tmp_path):
    digest = open_corpus(str(folder)).digest
    assert open_corpus(str(folder)).digest == digest != open_corpus(str(folder), corpora=["deep"]).digest
    folder.rename(tmp_path / "moved")
    assert open_corpus(str(tmp_path / "moved")).digest == digest
    (tmp_path / "moved" / "d.wav").write_bytes(wav_bytes(synthetic(0.1, RATE), RATE))
    assert open_corpus(str(tmp_path / "moved")).digest != digest


def test_what_is_no_source_is_refused(folder):
    with pytest.raises(FileError, match="no such file or folder"):
        open_corpus(str(folder / "absent"))
    with pytest.raises(CorpusError, match="is no source of recordings; expected a folder"):
        open_corpus(str(folder / "notes.txt"))
    (folder / "deep" / "none").mkdir()
    with pytest.raises(CorpusError, match="holds no files, expected sound, a manifest or a tar"):
        open_corpus(str(folder / "deep" / "none"))
