"""Files that are read from several places at a time."""

from __future__ import annotations

import threading
from typing import IO


class Window:
    """A file from some byte on, with a position of its own, which threads may share.

    Args:
        file: an open one, which can seek.
        position: the byte that is read next.
        lock: that of all windows of the file.
    """

    closed = False

    def __init__(self, file: IO[bytes], position: int, lock: threading.Lock):
        self._file, self.position, self._lock = file, position, lock

    def read(self, count: int = -1) -> bytes:
        """The next bytes; fewer at the end."""
        with self._lock:
            self._file.seek(self.position)
            data = self._file.read(count)
        self.position += len(data)
        return data

    def close(self) -> None:
        """Nothing: the file is not its own."""

    def readable(self) -> bool:
        """For Arrow, as the next two."""
        return True

    def writable(self) -> bool:
        """See :meth:`readable`."""
        return False

    def seekable(self) -> bool:
        """See :meth:`readable`."""
        return False
