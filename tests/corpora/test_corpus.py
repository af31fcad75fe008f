"""Corpora in parts, by which a run may go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_corpora import RATE, make_sounds, utterances
from tools import synthetic, wav_bytes

from vqaudio.corpora import open_corpus
from vqaudio.errors import CorpusError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_sounds(tmp_path / "speech")


def test_parts_have_so_many_utterances_and_names_that_tell_them_apart(folder):
    parts = list(open_corpus(str(folder)).parts(2))
    found = [(part.index, part.name, len(list(part.read(RATE)))) for part in parts]
    assert found == [(0, "000000", 2), (1, "000001", 1)]
    singly = [(found.id, [u.id for u, _ in one.read(RATE)]) for found, one in parts[0].singly()]
    assert singly == [("a.wav", ["a.wav"]), ("deep/b.wav", ["deep/b.wav"])]


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
