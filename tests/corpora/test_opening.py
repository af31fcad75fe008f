"""Which kind a source is, by its name and by what it holds."""

from __future__ import annotations

import sys

import pytest
from made_corpora import make_sounds, utterances

from vqaudio.corpora import open_corpus
from vqaudio.errors import CorpusError, FileError


def test_a_folder_with_a_manifest_is_what_that_lists(tmp_path):
    make_sounds(tmp_path / "speech")
    rows = "path,split,speaker,seconds\ndeep/b.wav,test,ann,0.4\nmissing.wav,train,,\n"
    (tmp_path / "speech" / "manifest.csv").write_text(rows)
    (heard, sound), (_, missing) = utterances(tmp_path / "speech")
    known = (heard.id, heard.corpus, heard.split, heard.speaker, heard.seconds)
    assert known == ("deep/b.wav", "deep", "test", "ann", 0.4)
    assert len(sound) == 6400
    assert missing == f"{tmp_path}/speech/missing.wav: no such file; check the name"


def test_a_folder_with_neither_is_its_sound(tmp_path, monkeypatch):
    make_sounds(tmp_path / "speech")
    monkeypatch.chdir(tmp_path)
    for name in ("speech", "speech/", f"file://{tmp_path}/speech"):
        assert [u.id for u, _ in utterances(name)] == ["a.wav", "deep/b.wav", "deep/er/c.flac"]


def test_what_is_no_source_is_refused(tmp_path):
    with pytest.raises(FileError, match="no such file or folder"):
        open_corpus(str(tmp_path / "absent"))
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(CorpusError, match=r"is no source of recordings; expected .* ends in \.csv"):
        open_corpus(str(tmp_path / "notes.txt"))
    with pytest.raises(CorpusError, match=r"holds neither sound nor manifest\.csv, wav\.scp or tars$"):
        open_corpus(str(tmp_path))
    (tmp_path / "cuts.jsonl").write_text("{}")
    with pytest.raises(CorpusError, match=r"or tars; there is cuts\.jsonl: name that file"):
        open_corpus(str(tmp_path))
    with pytest.raises(CorpusError, match="is a command, and commands are not run"):
        open_corpus("pipe:aws s3 cp s3://b/x.tar -")


def test_the_web_is_asked_through_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.http", raising=False)
    with pytest.raises(FileError, match=r"pip install 'vqaudio\[http\]'"):
        open_corpus("https://example.org/list.csv")
