"""What is behind a URL, by fsspec: file systems, and their failures in sentences."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vqaudio.errors import FileError, VqaudioError, install

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "hdfs": "hdfs", "http": "http", "https": "http"}
"""The extra that brings what a protocol needs."""


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
    except FileNotFoundError:
        raise FileError(f"{url}: no such file; check the name") from None
    except PermissionError:
        raise FileError(f"{url}: may not be {done} with these credentials; check them and the name") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise FileError(f"{url}: the disk there is full; free some space or write elsewhere") from None
        said = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"{url}: cannot be {done} ({said[:300]}); check the address and the credentials") from None


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
        with explained(self._url):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
