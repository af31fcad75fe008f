"""What is taken out of each channel of a chunk before it is coded: an offset, and a gain that is a power of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vqaudio.container.fields import Cursor, DamageError, unzigzag, varint, zigzag

MIN_EXPONENT, MAX_EXPONENT = -64, 63
MAX_OFFSET = 2**27 - 1
LONGEST_LEVEL = 1 + 4
"""Bytes of one channel's level."""


class Level(NamedTuple):
    """The sound of a channel is ``2^exponent * (offset / 2^16 + coded)``; ``coded`` is what its codes stand for."""

    exponent: int = 0
    offset: int = 0


PLAIN = Level()
"""Of a channel that was coded as it is."""


def level_bytes(levels: Sequence[Level]) -> bytes:
    """All channels' levels as they stand in a chunk; nothing where all are plain.

    Raises:
        ValueError: an exponent or an offset out of the format's limits.
    """
    if all(level == PLAIN for level in levels):
        return b""
    for exponent, offset in levels:
        if not MIN_EXPONENT <= exponent <= MAX_EXPONENT or abs(offset) > MAX_OFFSET:
            raise ValueError(f"the level 2^{exponent} with the offset {offset} is beyond what a chunk can hold")
    return b"".join(varint(zigzag(exponent)) + varint(zigzag(offset)) for exponent, offset in levels)


def parse_levels(cursor: Cursor, channels: int) -> tuple[Level, ...]:
    """The levels of so many channels; DamageError where they break a rule."""
    levels = tuple(Level(unzigzag(cursor.varint()), unzigzag(cursor.varint())) for _ in range(channels))
    for exponent, offset in levels:
        if not MIN_EXPONENT <= exponent <= MAX_EXPONENT or abs(offset) > MAX_OFFSET:
            raise DamageError(f"it holds the level 2^{exponent} with the offset {offset}, beyond the format's limits")
    if all(level == PLAIN for level in levels):
        raise DamageError("it is marked to hold levels, and they change nothing")
    return levels
