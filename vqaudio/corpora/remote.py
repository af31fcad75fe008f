"""What is behind a URL, by fsspec: file systems, and their failures in sentences."""

from __future__ import annotations

import errno
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from vqaudio.errors import FileError, VqaudioError, install

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "hdfs": "hdfs", "http": "http", "https": "http"}
"""The extra that brings what a protocol needs."""
WAITS = (0.2, 1.0)
"""Seconds between attempts to read: S3's and Google's file systems wait for longer by themselves, others do not."""
_BUSY = (408, 429)  # of HTTP, beside 500 and above
_GONE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)

Result = TypeVar("Result")


def file_system(url: str, protocol: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and what it calls the file.

    Raises:
        FileError: nobody knows the protocol, or a package that it needs is missing.
    """
    extra = EXTRAS.get(protocol, "s3")
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
        how = install(extra) if protocol in EXTRAS else "install what it names"
        raise FileError(f"{url}: cannot be reached ({reason}); {how}") from None
    return files, inner


@contextmanager
def explained(url: str, done: str = "read") -> Iterator[None]:
    """Turn a failure of whoever is at the other end of a URL into a sentence.

    Each protocol's library has exceptions of its own; nothing of ours runs within.

    Raises:
        FileError: whatever it was.
    """
    try:
        yield
    except VqaudioError:
        raise
    except FileNotFoundError as error:
        if _may_pass(error):
            raise FileError(f"{url}: cannot be {done} ({error.__cause__}); see whether its server is well") from None
        raise FileError(f"{url}: no such file; check the name") from None
    except PermissionError:
        raise FileError(f"{url}: may not be {done} with these credentials; check them and the name") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise FileError(f"{url}: the disk there is full; free some space or write elsewhere") from None
        said = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"{url}: cannot be {done} ({said[:300]}); check the address and the credentials") from None


def patiently(url: str, read: Callable[[], Result]) -> Result:
    """What ``read`` gives, tried again after a while where it fails of what may pass; see :func:`explained`.

    Raises:
        FileError: it failed of something else, or to the last.
    """
    with explained(url):
        for seconds in WAITS:
            try:
                return read()
            except Exception as error:
                if not _may_pass(error):
                    raise
            time.sleep(seconds)
        return read()


def _may_pass(error: BaseException) -> bool:
    """Whether a failure is one of the way there, as of a server that is busy, and not of what is asked for."""
    if isinstance(error, FileNotFoundError) and error.__cause__:  # of the web, any answer but a file is said so
        return _may_pass(error.__cause__)
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status >= 500 or status in _BUSY
    if isinstance(error, OSError):
        return not isinstance(error, _GONE) and error.errno != errno.ENOSPC
    return type(error).__module__.partition(".")[0] == "aiohttp"


class RemoteFile(io.RawIOBase):
    """A file that fsspec has opened for reading, whose failures are sentences."""

    def __init__(self, file: Any, url: str):
        self._file, self._url = file, url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = 0) -> int:
        with explained(self._url):
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        if self.seekable():
            at = self.tell()
            data = patiently(self._url, lambda: self._read(len(buffer), at))
        else:  # nobody knows where it would go on
            with explained(self._url):
                data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _read(self, count: int, at: int) -> bytes:
        if self._file.tell() != at:
            self._file.seek(at)
        data: bytes = self._file.read(count)
        return data

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
