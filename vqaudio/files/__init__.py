"""Files in and out: inputs that can always be searched, outputs that are whole or not there at all.

``-`` stands for standard input or output. Every failure is one sentence in a :class:`vqaudio.errors.FileError`.
"""

from __future__ import annotations

import errno
import os
import pathlib
import secrets
import stat
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from vqaudio.errors import FileError

Path = str | os.PathLike[str]

_COPY_BYTES = 1 << 20

_READ_REASONS = {
    errno.ENOENT: "no such file; check the name",
    errno.ENOTDIR: "no such file; check the name",
    errno.EISDIR: "is a folder; name a file in it",
    errno.EACCES: "you are not allowed to read it; change its permissions",
}
_WRITE_REASONS = {
    errno.ENOENT: "its folder does not exist; create the folder or write elsewhere",
    errno.ENOTDIR: "its folder is a file; write elsewhere",
    errno.EISDIR: "is a folder; add a file name",
    errno.EACCES: "you are not allowed to write there; choose another folder",
    errno.EPERM: "you are not allowed to write there; choose another folder",
    errno.EROFS: "that disk is read-only; choose another folder",
    errno.ENOSPC: "the disk is full; free some space or write elsewhere",
    errno.EDQUOT: "your share of the disk is used up; free some space or write elsewhere",
    errno.EFBIG: "the file grew beyond what this system allows; write elsewhere or in parts",
    errno.EPIPE: "the program reading it stopped early; the output is incomplete",
}


def _sentence(name: str, error: OSError, reasons: dict[int, str]) -> FileError:
    reason = reasons.get(error.errno or 0, f"{error.strerror or error}; try another place")
    return FileError(f"{name}: {reason}")


# ------------------------------------------------------------------------------------------------------------ folders


def files_below(folder: pathlib.Path, suffixes: Collection[str]) -> list[pathlib.Path]:
    """The files in a folder and in those below it whose names end with one of some suffixes, in order.

    Capitals do not matter. Names that begin with a dot are left out: some systems put such a file beside each other.
    """
    found = (path for path in folder.rglob("*") if path.suffix.lower() in suffixes and not path.name.startswith("."))
    return sorted(path for path in found if path.is_file())


# ------------------------------------------------------------------------------------------------------------- input


def input_name(path: Path) -> str:
    """What messages call an input."""
    return "standard input" if os.fspath(path) == "-" else os.fspath(path)


def open_unread(path: Path) -> IO[bytes]:
    """Open a file, a pipe or ``-`` for reading as it is, whether it can seek or not; the caller closes it.

    Raises:
        FileError: no such file, a folder, or not readable.
    """
    if os.fspath(path) == "-":
        return open(_standard_input().fileno(), "rb", closefd=False)
    try:
        return open(path, "rb")
    except OSError as error:
        raise _sentence(input_name(path), error, _READ_REASONS) from None


def open_input(path: Path) -> IO[bytes]:
    """Open a file, a pipe or ``-`` for reading; the caller closes it.

    The result can always seek: what arrives through a pipe is first copied to an unnamed temporary file.

    Raises:
        FileError: no such file, a folder, not readable, or no room for the copy.
    """
    if os.fspath(path) == "-":
        return copy_to_temporary(_standard_input(), input_name(path))
    file = open_unread(path)
    if file.seekable():
        return file
    with file:
        return copy_to_temporary(file, input_name(path))


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise FileError("standard input: is closed; name a file, or pipe something into this command")
    return sys.stdin.buffer


class Readable(Protocol):
    """What bytes come from."""

    def read(self, count: int, /) -> bytes:
        """At most ``count`` bytes; none at the end."""


def copy_to_temporary(pipe: Readable, name: str) -> IO[bytes]:
    """What is left to read of ``pipe`` as an unnamed file, which the caller closes.

    It is copied 1 MiB at a time, so that memory does not grow with it.

    Raises:
        FileError: there is no room for it.
    """
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        while data := pipe.read(_COPY_BYTES):
            copy.write(data)
        copy.seek(0)
    except BaseException as error:
        copy.close()
        if isinstance(error, OSError):
            place = tempfile.gettempdir()
            raise FileError(
                f"{name}: cannot be copied to {place} ({error.strerror}); set TMPDIR to a folder with more room"
            ) from None
        raise
    return copy


# ------------------------------------------------------------------------------------------------------------ output


def writes_in_place(path: Path) -> bool:
    """Whether output streams straight through: standard output, devices and named pipes.

    Renaming a finished file over those would replace the device itself.
    """
    return os.fspath(path) == "-" or (os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path))


def refuse_existing(path: Path, force: bool) -> None:
    """Do nothing if ``path`` may be written: it is new, a device or pipe, or ``force`` is set.

    Raises:
        FileError: a file stands there already.
    """
    if not force and not writes_in_place(path) and os.path.lexists(path):
        raise FileError(f"{os.fspath(path)}: exists already; add --force to overwrite it, or choose another name")


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file for output that appears under its name only when the ``with`` block ends well.

    Until then it has no name, or that of a temporary file beside the target; after any exception it is gone, and a file
    that stood under the name stays as it was. A symbolic link is followed, a replaced file's permissions are kept, a
    new file's follow the umask. Devices, named pipes and ``-`` are written directly and cannot seek.

    Raises:
        FileError: the folder is missing or not writable, the target is a folder, the disk is full, a pipe was closed.
    """
    if writes_in_place(path):
        with _stream(path) as file:
            yield file
        return
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise FileError(f"{os.fspath(path)}: {_WRITE_REASONS[errno.EISDIR]}")
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".vqaudio-{secrets.token_hex(8)}.part")
    with _explained(os.fspath(path), temporary, folder):
        try:
            with _unnamed(folder) or open(temporary, "x+b") as file:
                if os.path.exists(target):
                    os.chmod(file.fileno(), stat.S_IMODE(os.stat(target).st_mode))
                yield file
                file.flush()
                if not os.path.exists(temporary):
                    opened = file.fileno()
                    os.link(
                        f"/proc/self/fd/{opened}", temporary, src_dir_fd=opened
                    )  # with which Python follows the link
            os.replace(temporary, target)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise


def _unnamed(folder: str) -> IO[bytes] | None:
    """A file in a folder that has no name yet, so that nothing is left of it if this process is killed.

    Linux alone has such, and not on every file system: None elsewhere.
    """
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return open(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666), "w+b")
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
            return None
        raise


@contextmanager
def _stream(path: Path) -> Iterator[IO[bytes]]:
    if os.fspath(path) != "-":
        with _explained(os.fspath(path), os.fspath(path)), open(path, "wb") as file:
            yield file
        return
    with _explained("standard output"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()


@contextmanager
def _explained(name: str, *paths: str) -> Iterator[None]:
    """Turn an ``OSError`` of this output into a sentence; one that names another file is not ours and passes."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and error.filename not in paths:
            raise
        raise _sentence(name, error, _WRITE_REASONS) from None
