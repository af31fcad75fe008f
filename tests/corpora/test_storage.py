"""Files by path and by URL: the same answers, and failures in sentences."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from made_corpora import break_off_writing

from vqaudio.corpora import storage
from vqaudio.errors import FileError

pytest.importorskip("fsspec")


@pytest.fixture(params=["plain", "file", "memory"])
def place(request, tmp_path) -> Iterator[str]:
    """A folder that is empty, by each kind of name."""
    if request.param != "memory":
        yield str(tmp_path) if request.param == "plain" else f"file://{tmp_path}"
        return
    from fsspec.implementations.memory import MemoryFileSystem

    yield "memory://here"
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def put(path: str, data: bytes) -> None:
    storage.make_folder(path.rpartition("/")[0])
    with storage.write_atomically(path) as file:
        file.write(data)


def test_what_is_written_is_listed_and_read(place):
    assert storage.list(place) == {}
    put(f"{place}/b", b"12")
    put(f"{place}/a-1/c", b"123")
    put(f"{place}/a/c", b"")
    put(f"{place}/.hidden", b"")
    assert storage.list(place) == {"b": 2}
    assert list(storage.walk(place)) == [("a/c", 0), ("a-1/c", 3), ("b", 2)]
    assert storage.exists(f"{place}/b")
    assert not storage.exists(f"{place}/c")
    assert storage.is_folder(f"{place}/a-1")
    assert not storage.is_folder(f"{place}/b")
    for opened in (storage.open_read, storage.open_local):
        with opened(f"{place}/a-1/c") as file:
            assert file.read(2) == b"12"
            assert file.read() == b"3"
            assert file.seek(1) == 1
            assert file.read() == b"23"
    storage.remove(f"{place}/b")
    storage.remove(f"{place}/b")
    assert not storage.exists(f"{place}/b")


def test_a_failure_leaves_what_was_there(place):
    put(f"{place}/a", b"old")
    break_off_writing(f"{place}/a")
    assert storage.list(place) == {"a": 3}
    put(f"{place}/a", b"newer")
    assert storage.list(place) == {"a": 5}


def test_what_is_not_there_is_a_sentence(place):
    for opened in (storage.open_read, storage.open_local):
        with pytest.raises(FileError, match="absent: no such file; check the name"):
            opened(f"{place}/absent")


@pytest.mark.parametrize(
    ("folder", "name", "path"),
    [
        ("a", "b", "a/b"),
        ("a/", "b/c", "a/b/c"),
        ("/", "b", "/b"),
        ("", "b", "b"),
        ("s3://x", "b", "s3://x/b"),
        ("a", "/b", "/b"),
        ("a", "../b", "a/../b"),
        ("s3://x/a", "../b/c", "s3://x/b/c"),
        ("a", "s3://x/b", "s3://x/b"),
    ],
)
def test_names_are_joined_to_folders(folder, name, path):
    assert storage.join(folder, name) == path


def test_protocols_that_nobody_knows_or_whose_package_is_missing_are_a_sentence(monkeypatch):
    with pytest.raises(FileError, match=r"^nope://x: nope:// is not known; expected a path, or a URL of s3, gs"):
        storage.exists("nope://x")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(FileError, match=r"^gs://bucket/x: cannot be reached .*; pip install 'vqaudio\[gcs\]'$"):
        storage.open_read("gs://bucket/x")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(FileError, match=r"through fsspec, which is not installed: pip install 'vqaudio\[s3\]'"):
        storage.exists("s3://bucket/x")
