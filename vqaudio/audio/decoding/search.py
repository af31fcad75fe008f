"""Marks in a file, found without holding it in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

_FIRST_PIECE, _PIECE = 1 << 12, 1 << 20  # bytes: marks that are close are found without reading on


def find_all(file: IO[bytes], mark: re.Pattern[bytes], *, start: int, stop: int, longest: int) -> Iterator[int]:
    """Where ``mark``, of at most ``longest`` bytes, stands in bytes ``start`` to ``stop``."""
    at, size = start, _FIRST_PIECE
    while at < stop:
        file.seek(at)
        piece = file.read(min(size + longest, stop - at))
        for found in mark.finditer(piece):
            if found.start() < size:
                yield at + found.start()
        at, size = at + size, min(2 * size, _PIECE)


def find_first(file: IO[bytes], mark: bytes, *, start: int, stop: int) -> int:
    """The first place of ``mark`` in bytes ``start`` to ``stop``, or ``stop``."""
    return next(find_all(file, re.compile(re.escape(mark)), start=start, stop=stop, longest=len(mark)), stop)
