"""Which tars a corpus is made of."""

from __future__ import annotations

import pytest

from vqaudio.corpora import open_corpus
from vqaudio.errors import CorpusError


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """Two folders of tars, which are empty: nothing opens them here."""
    for name in ("train/x-08", "train/x-09", "train/x-10", "dev/x-08"):
        path = tmp_path / "shards" / f"{name}.tar"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0" * len(name))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shards"


def tars(source, **choice):
    return [(part.index, part.name, part.tar, part.corpus) for part in open_corpus(str(source), **choice).parts()]


def test_numbers_in_braces(shards):
    expected = [
        (0, "000000", "x-08.tar", "audio"),
        (1, "000001", "x-09.tar", "audio"),
        (2, "000002", "x-10.tar", "audio"),
    ]
    for folder in (shards, "shards", f"file://{shards}"):
        assert tars(f"{folder}/train/x-{{08..10}}.tar") == expected
    (part, *_) = open_corpus("shards/train/x-{08..10}.tar").parts()
    assert part.path == f"{shards}/train/x-08.tar"


def test_a_folder_of_tars_and_its_corpora(shards):
    assert tars(shards)[0] == (0, "000000", "dev/x-08.tar", "dev")
    assert [tar for _, _, tar, _ in tars(shards)] == [
        f"{name}.tar" for name in ("dev/x-08", "train/x-08", "train/x-09", "train/x-10")
    ]
    assert tars("shards/{train,dev}/x-08.tar") == [
        (0, "000000", "train/x-08.tar", "train"),
        (1, "000001", "dev/x-08.tar", "dev"),
    ]
    assert [tar for _, _, tar, _ in tars(shards, corpora=["dev"])] == ["dev/x-08.tar"]
    with pytest.raises(CorpusError, match="has no corpus test; choose one of dev, train"):
        open_corpus(str(shards), corpora=["test"])


def test_what_is_not_there_is_refused(shards):
    with pytest.raises(CorpusError, match=r"2 of 4 files are not there, the first of them shards/train/x-11\.tar"):
        open_corpus("shards/train/x-{09..12}.tar")
    (shards / "1.wav").touch()
    with pytest.raises(CorpusError, match=r"1\.wav: is no tar; names in braces are for files that end in \.tar, "):
        open_corpus(f"{shards}/{{1,1}}.wav")


def test_the_digest_is_that_of_names_and_sizes(shards, tmp_path):
    digest = open_corpus(str(shards)).digest
    assert digest != open_corpus(str(shards), corpora=["dev"]).digest
    shards.rename(tmp_path / "moved")
    assert open_corpus(str(tmp_path / "moved")).digest == digest
    (tmp_path / "moved" / "dev" / "x-08.tar").write_bytes(b"longer than before")
    assert open_corpus(str(tmp_path / "moved")).digest != digest
