"""A part of an open file as a file of its own, with some of its bytes corrected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any


class Section:
    """Bytes ``start`` to ``stop`` of a file that can seek; ``patches`` are bytes to see in place of the file's own.

    The keys of ``patches`` are places in the file. The file itself is left as it is, but for its position.
    """

    def __init__(self, file: IO[bytes], *, start: int, stop: int, patches: Mapping[int, bytes] | None = None):
        self._file, self._start, self._stop = file, start, stop
        self._patches = dict(patches or {})
        self._position = start

    def __len__(self) -> int:
        return self._stop - self._start

    def tell(self) -> int:
        """The place, counted from the section's start."""
        return self._position - self._start

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place as a file does; returns it."""
        origin = (self._start, self._position, self._stop)[whence]
        self._position = max(self._start, origin + offset)
        return self.tell()

    def read(self, count: int = -1) -> bytes:
        """At most ``count`` bytes, or all that are left."""
        left = max(0, self._stop - self._position)
        data = bytearray(left if count < 0 else min(count, left))
        return bytes(data[: self.readinto(data)])

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the section goes; returns how many bytes that was."""
        view = memoryview(buffer).cast("B")
        view = view[: max(0, self._stop - self._position)]
        self._file.seek(self._position)
        count: int = self._file.readinto(view) if len(view) else 0  # type: ignore[attr-defined]
        first, last = self._position, self._position + count
        for place, data in self._patches.items():
            for index in range(max(first, place), min(last, place + len(data))):
                view[index - first] = data[index - place]
        self._position = last
        return count
