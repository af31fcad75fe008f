"""Recordings decoded once, and kept on disk for the next run."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_models import RATE, sound

from vqaudio.errors import AudioError, FileError
from vqaudio.training import corpus, corpus_writer, decoding
from vqaudio.training.corpus import Corpus, read_corpus
from vqaudio.training.corpus_files import DecodedPart

LENGTHS = (300, 1, 200)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three recordings, one of them of one sample."""
    found = [tmp_path / f"{index}.wav" for index in range(len(LENGTHS))]
    for index, (path, length) in enumerate(zip(found, LENGTHS, strict=True)):
        soundfile.write(path, sound(length, seed=index)[0], RATE, subtype="PCM_16")
    return found


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that have been read."""
    found, read = [], corpus._read_one

    def noted(path: Path, sample_rate: int) -> np.ndarray:
        found.append(path)
        return read(path, sample_rate)

    monkeypatch.setattr(corpus, "_read_one", noted)
    return found


def assert_equal(one: Corpus, other: Corpus) -> None:
    for name in ("samples", "offsets"):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_recordings_lie_one_after_another(paths):
    made = read_corpus(paths, RATE)
    assert made.offsets.tolist() == [0, 300, 301, 501]
    assert (made.samples.dtype, made.offsets.dtype) == (np.int16, np.int64)
    for index, path in enumerate(paths):
        expected = soundfile.read(path, dtype="int16")[0]
        found = made.samples[made.offsets[index] : made.offsets[index + 1]]
        assert np.abs(found.astype(int) - expected).max(initial=0) <= 1  # full scale is 32767 here, 32768 there


def test_no_recordings_are_an_empty_corpus(tmp_path):
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        made = read_corpus([], RATE, cache=cache)
        assert (made.samples.shape, made.offsets.tolist()) == ((0,), [0])


def test_no_file_is_read_a_second_time(paths, reads, tmp_path):
    plain = read_corpus(paths, RATE)
    first = read_corpus(paths, RATE, cache=tmp_path / "deep" / "cache")
    reads.clear()
    second = read_corpus(paths, RATE, cache=tmp_path / "deep" / "cache")
    assert not reads
    assert_equal(plain, first)
    assert_equal(plain, second)


def change_content(paths: list[Path]) -> list[Path]:
    soundfile.write(paths[0], sound(400)[0], RATE, subtype="PCM_16")
    return paths


def change_time(paths: list[Path]) -> list[Path]:
    os.utime(paths[0], ns=(1, 1))
    return paths


@pytest.mark.parametrize("change", [change_content, change_time, lambda paths: paths[::-1], lambda paths: paths[:2]])
def test_other_recordings_are_read_anew(paths, reads, tmp_path, change):
    read_corpus(paths, RATE, cache=tmp_path / "cache")
    changed = change(paths)
    reads.clear()
    made = read_corpus(changed, RATE, cache=tmp_path / "cache")
    assert reads == changed
    assert_equal(made, read_corpus(changed, RATE))


def test_another_rate_is_another_corpus(paths, tmp_path):
    read_corpus(paths, RATE, cache=tmp_path / "cache")
    assert_equal(read_corpus(paths, RATE // 2, cache=tmp_path / "cache"), read_corpus(paths, RATE // 2))


def test_what_is_kept_is_not_changed_by_its_users(paths, tmp_path):
    first = read_corpus(paths, RATE, cache=tmp_path / "cache")
    with pytest.raises(ValueError, match="read-only"):
        first.samples[:] = 7
    assert_equal(read_corpus(paths, RATE, cache=tmp_path / "cache"), read_corpus(paths, RATE))


@pytest.mark.parametrize("writes", [0, 1])
def test_a_run_killed_while_writing_leaves_nothing_that_is_taken_for_whole(paths, tmp_path, monkeypatch, writes):
    """Killed before the first of two files stands under its name, and before the second."""
    replace, done = os.replace, []

    def killed(old: str, new: str) -> None:
        if len(done) == writes:
            raise KeyboardInterrupt
        done.append(new)
        replace(old, new)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        read_corpus(paths, RATE, cache=tmp_path / "cache")
    monkeypatch.setattr(os, "replace", replace)
    assert [Path(name).suffix for name in done] == [".npy"] * writes
    assert_equal(read_corpus(paths, RATE, cache=tmp_path / "cache"), read_corpus(paths, RATE))


@pytest.mark.parametrize("cached", [False, True])
def test_missing_and_damaged_files_are_named(paths, tmp_path, cached):
    cache = tmp_path / "cache" if cached else None
    with pytest.raises(FileError, match=r"absent\.wav: no such file; check the name"):
        read_corpus([*paths, tmp_path / "absent.wav"], RATE, cache=cache)
    paths[2].write_text("no audio at all")
    with pytest.raises(AudioError, match=r"2\.wav: "):
        read_corpus(paths, RATE, cache=cache)
    assert not list(tmp_path.glob("cache/*.npy"))


def test_a_cache_that_cannot_be_a_folder_is_named(paths):
    with pytest.raises(FileError, match=r"data\.cache: .*0\.wav cannot be a folder .*; name another"):
        read_corpus(paths, RATE, cache=paths[0])


def test_many_files_are_read_by_other_processes_to_the_same_end(paths, reads, monkeypatch, tmp_path):
    expected = read_corpus(paths, RATE)
    damaged = tmp_path / "damaged.wav"
    damaged.write_text("no audio at all")
    monkeypatch.undo()  # a function that only tests know cannot be handed to a process
    monkeypatch.setattr(corpus, "FILES_A_PART", 1)
    monkeypatch.setattr(decoding, "MANY", 3)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert_equal(read_corpus(paths, RATE, cache=tmp_path / "cache"), expected)
    assert len(reads) == 3
    with pytest.raises(AudioError, match=r"damaged\.wav: "):
        read_corpus([*paths, damaged], RATE, cache=tmp_path / "cache")


def test_a_cache_that_was_written_before_is_read_as_it_is(paths, reads, tmp_path):
    """By a version that had all recordings in memory."""
    expected = read_corpus(paths, RATE)
    name = corpus._digest(paths, RATE)
    (tmp_path / "cache").mkdir()
    np.save(tmp_path / "cache" / f"{name}.npy", expected.samples)
    np.save(tmp_path / "cache" / f"{name}-ends.npy", expected.offsets)
    before = [path.read_bytes() for path in sorted((tmp_path / "cache").iterdir())]
    reads.clear()
    assert_equal(read_corpus(paths, RATE, cache=tmp_path / "cache"), expected)
    assert not reads
    for path in (tmp_path / "cache").iterdir():
        path.unlink()
    read_corpus(paths, RATE, cache=tmp_path / "cache")
    assert [path.read_bytes() for path in sorted((tmp_path / "cache").iterdir())] == before


def test_long_recordings_are_read_piece_by_piece_to_the_same_end(paths, monkeypatch):
    whole = read_corpus(paths, RATE // 2)
    monkeypatch.setattr(corpus, "PIECE", 50)
    assert_equal(read_corpus(paths, RATE // 2), whole)


@pytest.mark.parametrize("removed", [False, True])
def test_what_was_decoded_before_a_kill_is_not_decoded_again(paths, reads, tmp_path, monkeypatch, removed):
    """Unless somebody has removed it."""
    monkeypatch.setattr(corpus, "FILES_A_PART", 1)
    expected = read_corpus(paths, RATE)
    append = corpus_writer.CorpusWriter.append

    def killed(self: corpus_writer.CorpusWriter, part: DecodedPart) -> None:
        """In the middle of the third part: its samples are there, and nobody knows of it yet."""
        if self.parts == 2:
            self._samples.append_file(part.samples)
            raise KeyboardInterrupt
        append(self, part)

    monkeypatch.setattr(corpus_writer.CorpusWriter, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        read_corpus(paths, RATE, cache=tmp_path / "cache")
    monkeypatch.setattr(corpus_writer.CorpusWriter, "append", append)
    if removed:
        (tmp_path / "cache" / f"{corpus._digest(paths, RATE)}.part").unlink()
    reads.clear()
    assert_equal(read_corpus(paths, RATE, cache=tmp_path / "cache"), expected)
    assert reads == (paths if removed else paths[2:])
    assert len(list((tmp_path / "cache").iterdir())) == 2
