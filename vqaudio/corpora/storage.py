"""Files by path or by URL alike: what there is, bytes in and out, and each failure one sentence.

A URL is ``PROTOCOL://...`` of whatever fsspec knows: ``s3://``, ``gs://``, ``hdfs://``, ``https://``, ``memory://``.
Each of the first four has an extra of its own. ``file://`` is the plain path that it holds, and plain paths go through
:mod:`vqaudio.files`.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from vqaudio.errors import FileError, VqaudioError, install
from vqaudio.files import atomic_write, copy_to_temporary, open_input

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_PLAIN = {"file", "local"}
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "hdfs": "hdfs", "http": "http", "https": "http"}
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "http", "https", "oss"}
"""A file is there as a whole or not at all, so that it need not be renamed."""
_BUFFER = 1 << 20  # bytes read at once


# -------------------------------------------------------------------------------------------------------------- names


def is_url(path: str) -> bool:
    """Whether fsspec is asked for a path: not for a plain one, nor for ``file://``."""
    return protocol_of(path) not in _PLAIN


def protocol_of(path: str) -> str:
    """The protocol that a URL begins with, in small letters; ``file`` for a plain path."""
    found = _URL.match(path)
    return found[1].lower() if found else "file"


def plain(path: str) -> Path:
    """The path that a plain path or a ``file://`` is."""
    found = _URL.match(path)
    return Path(path[found.end() :] if found else path)


def join(folder: str, name: str) -> str:
    """``name`` in ``folder``; a name that is absolute or a URL is taken as it is, and all are without a folder."""
    if not folder or _URL.match(name) or os.path.isabs(name):
        return name
    return f"{folder.rstrip('/')}/{name}" if folder != "/" else f"/{name}"


# ------------------------------------------------------------------------------------------------------- what is there


def exists(path: str) -> bool:
    """Whether there is a file or folder of that name.

    Raises:
        FileError: nobody who could tell answers.
    """
    if not is_url(path):
        return plain(path).exists()
    with _explained(path):
        files, inner = _files(path)
        files.invalidate_cache()
        return bool(files.exists(inner))


def is_folder(path: str) -> bool:
    """Whether there is a folder of that name, or, where folders are but the beginnings of names, such names.

    Raises:
        FileError: nobody who could tell answers.
    """
    if not is_url(path):
        return plain(path).is_dir()
    if protocol_of(path) in ("http", "https"):  # which would call a page with links a folder
        return path.endswith("/")
    with _explained(path):
        files, inner = _files(path)
        return bool(files.isdir(inner))


def list(folder: str, *, below: bool = False) -> dict[str, int]:
    """The files in a folder, and with ``below`` those in the folders below it: their names and their sizes in bytes.

    Names are relative to the folder, with ``/`` in them, and in the order of their parts. Those with a part that begins
    with a dot are left out. There are none where the folder does not exist.

    Raises:
        FileError: nobody answers, or the folder must not be read.
    """
    found = _listed_by_url(folder, below) if is_url(folder) else _listed_by_path(plain(folder), below)
    shown = (name for name in found if not any(part.startswith(".") for part in name.split("/")))
    return {name: found[name] for name in sorted(shown, key=lambda name: name.split("/"))}


def _listed_by_path(folder: Path, below: bool) -> dict[str, int]:
    found = {}
    try:
        for place, folders, names in os.walk(folder, followlinks=True):
            folders[:] = [name for name in folders if below and not name.startswith(".")]
            for name in names:
                path = Path(place, name)
                if path.is_file():
                    found[path.relative_to(folder).as_posix()] = path.stat().st_size
    except OSError as error:
        raise FileError(f"{folder}: cannot be listed ({error.strerror}); change its permissions") from None
    return found


def _listed_by_url(folder: str, below: bool) -> dict[str, int]:
    with _explained(folder):
        files, inner = _files(folder)
        files.invalidate_cache()
        try:
            facts = files.find(inner, maxdepth=None if below else 1, detail=True)
        except FileNotFoundError:
            return {}
        inner = inner.rstrip("/") + "/"
        return {
            name.removeprefix(inner): int(fact.get("size") or 0)
            for name, fact in facts.items()
            if fact["type"] == "file" and name.startswith(inner) and name != inner
        }


# ----------------------------------------------------------------------------------------------------- bytes in and out


def open_read(path: str) -> IO[bytes]:
    """Open a file to read it from its beginning on, piece after piece; the caller closes it.

    Raises:
        FileError: no such file, or it cannot be read, now or later.
    """
    if not is_url(path):
        return open_input(plain(path))
    with _explained(path):
        files, inner = _files(path)
        return io.BufferedReader(_Remote(files.open(inner, "rb"), path), _BUFFER)


def open_local(path: str) -> IO[bytes]:
    """Open a file to read it from any place, often: what is not here is copied to an unnamed temporary file first.

    Raises:
        FileError: no such file, it cannot be read, or there is no room for the copy.
    """
    if not is_url(path):
        return open_input(plain(path))
    with open_read(path) as file:
        return copy_to_temporary(file, path)


@contextmanager
def write_atomically(path: str) -> Iterator[IO[bytes]]:
    """A binary file for output that appears under its name only when the ``with`` block ends well; it can seek.

    What goes to a URL is written to a temporary file here, and sent once it is complete. Where the other side could
    show a part of it, it gets its name after that.

    Raises:
        FileError: it cannot be written there, or here is no room.
    """
    if not is_url(path):
        with atomic_write(plain(path)) as file:
            yield file
        return
    with tempfile.TemporaryDirectory(prefix="vqaudio-") as folder:
        whole = os.path.join(folder, "whole")
        with atomic_write(whole) as file:
            yield file
        with _explained(path, "written"):
            files, inner = _files(path)
            if protocol_of(path) in _OBJECT_STORES:
                files.put_file(whole, inner)
                return
            place, _, _ = inner.rpartition("/")
            files.makedirs(place, exist_ok=True)
            part = f"{place}/.vqaudio-{secrets.token_hex(8)}.part"
            files.put_file(whole, part)
            if files.exists(inner):
                files.rm_file(inner)
            files.mv(part, inner)


def remove(path: str) -> None:
    """Remove a file, if it is there.

    Raises:
        FileError: it cannot be removed.
    """
    try:
        if not is_url(path):
            plain(path).unlink(missing_ok=True)
            return
    except OSError as error:
        raise FileError(f"{path}: cannot be removed ({error.strerror}); change the permissions of its folder") from None
    with _explained(path, "removed"):
        files, inner = _files(path)
        if files.exists(inner):
            files.rm_file(inner)


def make_folder(path: str) -> None:
    """Make a folder, and those that it is in, unless it is there; a URL's files need none.

    Raises:
        FileError: it cannot be made.
    """
    if is_url(path):
        return
    try:
        plain(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be made a folder ({error.strerror}); choose another") from None


# ------------------------------------------------------------------------------------------------------------ failures


def _files(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and what it calls the file."""
    protocol = protocol_of(url)
    extra = _EXTRAS.get(protocol, "s3")
    try:
        from fsspec.core import url_to_fs  # late: local files do without
        from fsspec.registry import known_implementations
    except ModuleNotFoundError:
        raise FileError(f"{url}: is reached through fsspec, which is not installed: {install(extra)}") from None
    if protocol not in known_implementations:
        known = "a path, or a URL of s3, gs, hdfs, https, file or memory"
        raise FileError(f"{url}: {protocol}:// is not known; expected {known}")
    try:
        files, inner = url_to_fs(url)
    except ImportError as error:
        reason = str(error).splitlines()[0] if str(error) else "a package is missing"
        how = install(extra) if protocol in _EXTRAS else "install what it names"
        raise FileError(f"{url}: cannot be reached ({reason}); {how}") from None
    return files, inner


@contextmanager
def _explained(url: str, done: str = "read") -> Iterator[None]:
    """Turn a failure of whoever is at the other end of a URL into a sentence.

    Each protocol's library has exceptions of its own; nothing of ours runs within.
    """
    try:
        yield
    except VqaudioError:
        raise
    except FileNotFoundError:
        raise FileError(f"{url}: no such file; check the name") from None
    except PermissionError:
        raise FileError(f"{url}: may not be {done} with these credentials; check them and the name") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise FileError(f"{url}: the disk there is full; free some space or write elsewhere") from None
        said = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"{url}: cannot be {done} ({said[:300]}); check the address and the credentials") from None


class _Remote(io.RawIOBase):
    """A file that fsspec has opened, whose failures are sentences."""

    def __init__(self, file: Any, url: str):
        self._file, self._url = file, url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = 0) -> int:
        with _explained(self._url):
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        with _explained(self._url):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
