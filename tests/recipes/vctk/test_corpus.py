"""The corpus is found, or downloaded, in either release."""

from __future__ import annotations

import hashlib
import shutil
import zipfile

import pytest
from vctk_release import SPEAKERS, release_080, release_092

from recipes.vctk import corpus


def test_both_releases_are_found(tmp_path, capsys):
    new = corpus.find(release_092(tmp_path / "new"))
    assert new.release.version == "0.92"
    assert new.speakers == list(SPEAKERS)
    assert len(new.utterances) == 4 * 8
    first = new.utterances[0]
    assert (first.path.name, first.speaker, first.number) == ("p225_001_mic1.flac", "p225", "001")
    assert (first.name, first.text) == ("p225_001", "Sentence 0")

    old = corpus.find(release_080(tmp_path / "old" / "VCTK-Corpus").parent)
    assert old.root == tmp_path / "old" / "VCTK-Corpus"
    assert old.release.version == "0.80"
    assert [utterance.name for utterance in old.utterances] == ["p225_001", "p225_366", "s5_001", "s5_366"]

    assert corpus.main([str(tmp_path / "new")]) == 0
    assert corpus.main([str(tmp_path / "old")]) == 0
    said = capsys.readouterr().out
    assert "VCTK 0.92, 4 of 110 speakers, 32 recordings, 0 of them without transcript; licence CC BY 4.0" in said
    assert "VCTK 0.80, 2 of 109 speakers, 4 recordings, 4 of them without transcript; licence ODC-By 1.0" in said


def test_what_is_no_corpus_is_refused_in_one_sentence(tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "p225_001.wav").touch()
    for root, reason in (("missing", "no such folder"), ("other", "holds neither wav48_silence_trimmed/p225/p225_001")):
        assert corpus.main([str(tmp_path / root)]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"error: {tmp_path / root}: {reason}")
        assert "set VCTK_ROOT" in error
        assert "--download fetches" in error
        assert error.count("\n") == 1


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small archive in place of the one that is published; returns its file."""
    folder, archive = release_092(tmp_path / "folder"), tmp_path / "published.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    monkeypatch.setattr(corpus, "URL", archive.as_uri())
    monkeypatch.setattr(corpus, "SIZE", archive.stat().st_size)
    monkeypatch.setattr(corpus, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    return archive


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="downloads need curl")


@needs_curl
@pytest.mark.parametrize("before", [None, 0, 1000], ids=["new", "empty", "resumed"])
def test_a_download_ends_with_the_recordings_of_one_microphone(published, tmp_path, capsys, before):
    root = tmp_path / "root"
    if before is not None:
        root.mkdir()
        (root / corpus.ARCHIVE).write_bytes(published.read_bytes()[:before])
    assert corpus.main([str(root), "--download"]) == 0
    said = capsys.readouterr().out
    assert "CC BY 4.0" in said
    assert "VCTK 0.92, 4 of 110 speakers, 32 recordings" in said
    assert not list(root.rglob("*_mic2*"))
    assert {path.name for path in root.iterdir()} == {corpus.ARCHIVE, corpus.UNPACKED}
    published.unlink()
    assert corpus.main([str(root), "--download"]) == 0  # it is there: nothing is fetched


@needs_curl
def test_a_broken_download_is_kept_and_said(published, tmp_path, capsys):
    root = tmp_path / "root"
    data = published.read_bytes()
    published.unlink()
    root.mkdir()
    (root / corpus.ARCHIVE).write_bytes(data[:1000])
    assert corpus.main([str(root), "--download"]) == 1
    assert "call the same again to go on where it stopped" in capsys.readouterr().err
    assert (root / corpus.ARCHIVE).read_bytes() == data[:1000]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(lambda data: data + b"more", "bytes, expected"), (lambda data: data[:-1] + b"\x7f", "its SHA-256 is")],
)
def test_a_damaged_archive_is_not_unpacked(published, tmp_path, capsys, damage, reason):
    root = tmp_path / "root"
    root.mkdir()
    (root / corpus.ARCHIVE).write_bytes(damage(published.read_bytes()))
    assert corpus.main([str(root), "--download"]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert "remove it and download it again" in error
    assert [path.name for path in root.iterdir()] == [corpus.ARCHIVE]


def test_a_full_disk_is_told_of_before_the_download(published, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(corpus, "SIZE", 10**18)
    assert corpus.main([str(tmp_path / "root"), "--download"]) == 1
    assert "1000000000.0 GB are needed" in capsys.readouterr().err
