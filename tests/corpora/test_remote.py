"""Corpora behind URLs: in fsspec's memory, and on a local server that speaks S3."""

from __future__ import annotations

import errno
import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from made_corpora import break_off_writing, make_sounds, utterances

from vqaudio.corpora import Unreached, open_corpus, remote, storage
from vqaudio.errors import CorpusError, FileError

pytest.importorskip("fsspec")


@pytest.fixture
def memory() -> Iterator[str]:
    from fsspec.implementations.memory import MemoryFileSystem

    yield "memory://bucket"
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def send(folder: Path, url: str) -> None:
    """Put all files of a folder behind a URL."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with storage.write_atomically(f"{url}/{path.relative_to(folder).as_posix()}") as file:
                file.write(path.read_bytes())


def make_sources(folder: Path) -> None:
    """The three sounds as every kind of source lists them, all in one folder."""
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    make_sounds(folder / "speech")
    names = ["speech/a.wav", "speech/deep/b.wav", "speech/deep/er/c.flac"]
    (folder / "list.csv").write_text("\n".join(["path", *names]))
    (folder / "list.tsv").write_text("\n".join(["path", *names]))
    (folder / "list.jsonl").write_text("\n".join(json.dumps({"audio_filepath": name}) for name in names))
    parquet.write_table(pyarrow.table({"file": names}), folder / "list.parquet")
    (folder / "kaldi").mkdir()
    (folder / "kaldi" / "wav.scp").write_text("".join(f"u{number} ../{name}\n" for number, name in enumerate(names)))
    (folder / "kaldi" / "text").write_text("u1 one\nu2 two\n")
    recordings = [{"id": name, "sources": [{"type": "file", "channels": [0], "source": name}]} for name in names]
    (folder / "recordings.jsonl").write_text("\n".join(map(json.dumps, recordings)))
    (folder / "tars").mkdir()
    for number, name in enumerate(names):
        with tarfile.open(folder / "tars" / f"x-{number}.tar", "w") as tar:
            tar.add(folder / name, name)


LISTS = ("list.csv", "list.tsv", "list.jsonl", "list.parquet", "recordings.jsonl")
SOURCES = ("speech", *LISTS, "kaldi", "kaldi/wav.scp", "tars", "tars/x-{0..2}.tar")


def check(folder: Path, url: str, names: Sequence[str]) -> None:
    """Each source behind a URL is what it is in a folder."""
    for name in names:
        here, there = utterances(folder / name), utterances(f"{url}/{name}")
        assert [u for u, _ in there] == [u for u, _ in here], name
        for (_, one), (_, other) in zip(there, here, strict=True):
            assert not isinstance(one, str), one
            np.testing.assert_array_equal(one, other)
        assert open_corpus(f"{url}/{name}").digest == open_corpus(str(folder / name)).digest


def test_sources_in_memory(tmp_path, memory):
    make_sources(tmp_path)
    send(tmp_path, memory)
    check(tmp_path, memory, ("speech", "list.jsonl", "kaldi", "tars/x-{0..2}.tar"))


def test_a_local_list_may_name_what_is_elsewhere(tmp_path, memory):
    make_sounds(tmp_path / "speech")
    send(tmp_path, memory)
    (tmp_path / "list.csv").write_text(f"path\n{memory}/speech/a.wav\n{memory}/speech/no.wav\n")
    (first, sound), (_, said) = utterances(tmp_path / "list.csv")
    assert (first.path, first.corpus, len(sound)) == (f"{memory}/speech/a.wav", "audio", 8000)
    assert said == f"{memory}/speech/no.wav: no such file; check the name"


def test_what_is_not_there_is_a_sentence(memory):
    with pytest.raises(FileError, match="no such file or folder; check the name"):
        open_corpus(f"{memory}/list.csv")
    with pytest.raises(CorpusError, match="2 of 2 files are not there"):
        open_corpus(f"{memory}/x-{{1..2}}.tar")


class Busy(io.BytesIO):
    """A file whose server fails so many times before each read."""

    def __init__(self, failures: list[Exception]):
        super().__init__(b"0123456789")
        self.failures = failures

    def read(self, count: int | None = -1) -> bytes:
        if self.failures:
            super().read(3)  # of which nothing arrives
            raise self.failures.pop(0)
        return super().read(min(4, count or 4))


class Answer(Exception):
    def __init__(self, status: int):
        super().__init__(f"status {status}")
        self.status = status


def missing(cause: Exception) -> Exception:
    """As fsspec has it for the web, whatever the cause."""
    error = FileNotFoundError("it")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("failure", "left"),
    [
        (TimeoutError("slow"), 0),
        (ConnectionResetError("gone"), 0),
        (Answer(503), 0),
        (missing(Answer(503)), 0),
        (Answer(401), 2),
        (missing(Answer(404)), 2),
        (PermissionError("no"), 2),
        (OSError(errno.ENOSPC, "full"), 2),
        (ValueError("odd"), 2),
    ],
    ids=str,
)
def test_a_read_that_may_do_better_is_tried_again(failure, left, monkeypatch):
    monkeypatch.setattr(remote, "WAITS", (0.0, 0.0))
    for most, expected in ((3, None), (2, b"0123")):
        file = Busy([failure] * most)
        if expected is not None and not left:
            assert remote.RemoteFile(file, "x://it").read(10) == expected
            assert remote.RemoteFile(file, "x://it").read(10) == b"4567"
        else:
            with pytest.raises(FileError, match=r"^x://it: "):
                remote.RemoteFile(file, "x://it").read(10)
            assert len(file.failures) == (left if most == 3 else left - 1)


def test_what_can_be_read_but_once_is_not_tried_again(monkeypatch):
    file = Busy([TimeoutError("slow")])
    monkeypatch.setattr(file, "seekable", lambda: False)
    with pytest.raises(FileError, match=r"^x://it: cannot be read \(slow\)"):
        remote.RemoteFile(file, "x://it").read(10)


# ------------------------------------------------------------------------------------------------------------- the web


class QuietHandler(SimpleHTTPRequestHandler):
    """Files of a folder; those in ``busy`` are there once they were asked for so many times."""

    busy: ClassVar[dict[str, int]] = {}

    def send_head(self) -> Any:
        if self.busy.get(self.path, 0) > 0:
            self.busy[self.path] -= 1
            self.send_error(503)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.slow
def test_sources_on_the_web(tmp_path):
    pytest.importorskip("aiohttp")
    make_sources(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for name in (*LISTS, "kaldi/wav.scp", "tars/x-{0..2}.tar"):
            here, there = utterances(tmp_path / name), utterances(f"{url}/{name}")
            assert [u for u, _ in there] == [u for u, _ in here], name
            assert [len(sound) for _, sound in there] == [8000, 6400, 4800], name
        lost, said = utterances(f"{url}/tars/x-{{2..3}}.tar")[-1]
        assert (lost.id, said) == ("x-3.tar", f"{url}/tars/x-3.tar: no such file; check the name")
        with pytest.raises(FileError, match="no such file or folder"):
            open_corpus(f"{url}/absent.csv")
        names = ("speech/a.wav", "speech/deep/b.wav")
        (tmp_path / "web.csv").write_text("\n".join(["path", *(f"{url}/{name}" for name in names)]))
        QuietHandler.busy = {f"/{names[0]}": 2, f"/{names[1]}": 99}
        (_, sound), (_, said) = utterances(tmp_path / "web.csv")
        assert len(sound) == 8000
        assert isinstance(said, Unreached)
        assert re.fullmatch(r"http://.*b\.wav: cannot be read \(503, .*\); see whether its server is well", said)
        server.shutdown()


# ------------------------------------------------------------------------------------------------------------------ S3


@pytest.mark.slow
def test_every_kind_of_source_on_s3(tmp_path, s3):
    make_sources(tmp_path)
    send(tmp_path, f"{s3}/corpus")
    check(tmp_path, f"{s3}/corpus", SOURCES)


@pytest.mark.slow
def test_what_s3_refuses_is_a_sentence(s3, monkeypatch):
    with pytest.raises(FileError, match="no such file or folder; check the name"):
        open_corpus(f"{s3}/absent.csv")
    with pytest.raises(FileError, match=r"absent\.csv: no such file; check the name"):
        storage.open_read(f"{s3}/absent.csv")
    with (
        pytest.raises(FileError, match=r"s3://no-such-bucket/x: .*check the"),
        storage.write_atomically("s3://no-such-bucket/x") as file,
    ):
        file.write(b"1")


@pytest.mark.slow
def test_files_on_s3(s3):
    """As :mod:`test_storage` has it for other places."""
    place = f"{s3}/files"
    for name, data in (("b", b"12"), ("a-1/c", b"123"), ("a/c", b""), (".hidden", b"")):
        with storage.write_atomically(f"{place}/{name}") as file:
            file.write(data)
    assert storage.list(place) == {"b": 2}
    assert list(storage.walk(place)) == [("a/c", 0), ("a-1/c", 3), ("b", 2)]
    assert storage.exists(f"{place}/b")
    assert storage.is_folder(f"{place}/a-1")
    storage.remove(f"{place}/b")
    assert not storage.exists(f"{place}/b")
    break_off_writing(f"{place}/a/c")
    assert storage.list(f"{place}/a") == {"c": 0}
