"""Files by path or by URL alike: what there is, bytes in and out, and each failure one sentence.

A URL is ``PROTOCOL://...`` of whatever fsspec knows: ``s3://``, ``gs://``, ``hdfs://``, ``https://``, ``memory://``.
Each of the first four has an extra of its own. ``file://`` is the plain path that it holds, and plain paths go through
:mod:`vqaudio.files`.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from vqaudio.corpora.remote import RemoteFile, explained, file_system, patiently
from vqaudio.errors import FileError
from vqaudio.files import atomic_write, copy_to_temporary, open_input

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_PLAIN = {"file", "local"}
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
    """The path that a plain path or a ``file://`` is.

    Raises:
        FileError: it cannot be that of a file.
    """
    if "\0" in path:
        raise FileError(f"{path!r}: no such file, as its name has a zero byte in it; correct the name")
    found = _URL.match(path)
    return Path(path[found.end() :] if found else path)


def join(folder: str, name: str) -> str:
    """``name`` in ``folder``; a name that is absolute or a URL is taken as it is, and all are without a folder."""
    if not folder or _URL.match(name) or os.path.isabs(name):
        return name
    joined = f"{folder.rstrip('/')}/{name}" if folder != "/" else f"/{name}"
    if ".." in name.split("/") and is_url(folder):  # object stores would look for a folder of that name
        start = joined.index("://") + 3
        return joined[:start] + posixpath.normpath(joined[start:])
    return joined


# ------------------------------------------------------------------------------------------------------- what is there


def exists(path: str) -> bool:
    """Whether there is a file or folder of that name.

    Raises:
        FileError: nobody who could tell answers.
    """
    if not is_url(path):
        return os.path.exists(plain(path))
    with explained(path):
        files, inner = _file_system(path)
        files.invalidate_cache()
        return bool(files.exists(inner))


def is_folder(path: str) -> bool:
    """Whether there is a folder of that name, or, where folders are but the beginnings of names, such names.

    Raises:
        FileError: nobody who could tell answers.
    """
    if not is_url(path):
        return os.path.isdir(plain(path))
    if protocol_of(path) in ("http", "https"):  # which would call a page with links a folder
        return path.endswith("/")
    with explained(path):
        files, inner = _file_system(path)
        return bool(files.isdir(inner))


def list(folder: str) -> dict[str, int]:
    """The files right in a folder: their names, in order, and their sizes in bytes.

    Names that begin with a dot are left out. There are none where the folder does not exist.

    Raises:
        FileError: nobody answers, or the folder must not be read.
    """
    return dict(walk(folder, depth=1))


def walk(folder: str, *, depth: int | None = None) -> Iterator[tuple[str, int]]:
    """The files in a folder and in those below it, or only ``depth`` deep: their names and their sizes in bytes.

    Names are relative to the folder, with ``/`` in them, and in the order of their parts. Those with a part that begins
    with a dot are left out, and links to folders are not followed. Of what is here one folder at a time is in memory;
    of what is elsewhere all names are, because asking for each folder would take longer than anything else.

    Raises:
        FileError: nobody answers, or a folder must not be read.
    """
    if is_url(folder):
        yield from _found(folder, depth)
    elif plain(folder).is_dir():
        yield from _walked(str(plain(folder)), "", depth)


def _walked(folder: str, before: str, depth: int | None) -> Iterator[tuple[str, int]]:
    try:
        with os.scandir(folder) as entries:
            shown = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise FileError(f"{folder}: cannot be listed ({error.strerror}); change its permissions") from None
    for entry in shown:
        if entry.is_dir(follow_symlinks=False):
            if depth is None or depth > 1:
                yield from _walked(entry.path, f"{before}{entry.name}/", depth and depth - 1)
        elif entry.is_file():
            yield before + entry.name, entry.stat().st_size


def _found(url: str, depth: int | None) -> Iterator[tuple[str, int]]:
    with explained(url):
        files, inner = _file_system(url)
        files.invalidate_cache()
        try:
            facts = files.find(inner, maxdepth=depth, detail=True)
        except FileNotFoundError:
            return
        inner = inner.rstrip("/") + "/"
        found = {
            name.removeprefix(inner): int(fact.get("size") or 0)
            for name, fact in facts.items()
            if fact["type"] == "file" and name.startswith(inner) and name != inner
        }
    shown = (name for name in found if not any(part.startswith(".") for part in name.split("/")))
    for name in sorted(shown, key=lambda name: name.split("/")):
        yield name, found[name]


# ----------------------------------------------------------------------------------------------------- bytes in and out


def open_read(path: str) -> IO[bytes]:
    """Open a file to read it from its beginning on, piece after piece; the caller closes it.

    Raises:
        FileError: no such file, or it cannot be read, now or later.
    """
    if not is_url(path):
        return open_input(plain(path))
    files, inner = _file_system(path)
    file = patiently(path, lambda: files.open(inner, "rb"))
    return io.BufferedReader(RemoteFile(file, path), _BUFFER)


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
        with explained(path, "written"):
            files, inner = _file_system(path)
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
    with explained(path, "removed"):
        files, inner = _file_system(path)
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


def _file_system(url: str) -> tuple[Any, str]:
    return file_system(url, protocol_of(url))
