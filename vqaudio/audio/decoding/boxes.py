"""MPEG-4 and Matroska: where their first levels of boxes say that the file ends."""

from __future__ import annotations

from typing import IO

_MOST_BOXES = 1 << 16
_SEGMENT = b"\x18\x53\x80\x67"


def mpeg4_end(file: IO[bytes], start: int, *, stop: int) -> int:
    """Where the last box ends that begins in bytes ``start`` to ``stop``; ``stop`` where it only ends with the file."""
    at = start
    for _ in range(_MOST_BOXES):
        if at + 8 > stop:
            break
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4])
        if size == 1:
            size = int.from_bytes(head[8:16])
        if size < 8:
            return stop
        at += size
    return max(at, stop)


def matroska_end(file: IO[bytes], start: int, *, stop: int) -> int:
    """Where the segment behind the header at ``start`` ends; ``stop`` where it does not say."""
    file.seek(start + 4)
    head = file.read(128)
    size, length = _number(head)
    at = length + size
    if size < 0 or head[at : at + 4] != _SEGMENT:
        return stop
    size, length = _number(head[at + 4 :])
    return stop if size < 0 else start + 4 + at + 4 + length + size


def _number(data: bytes) -> tuple[int, int]:
    """An EBML number, -1 where all its bits are set and so it is unknown, and how many bytes it takes."""
    length = 9 - data[0].bit_length() if data and data[0] else 8
    value = int.from_bytes(data[:length]) & (1 << 7 * length) - 1
    return (-1 if value == (1 << 7 * length) - 1 else value), length
