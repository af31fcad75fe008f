"""Bytes to damaged bytes: bits, bytes, numbers at their limits, pieces lost, doubled, moved, or from another file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
LIMITS = (0, 1, 2, 2**7 - 1, 2**8, 2**15, 2**16 - 1, 2**20, 2**24, 2**31 - 1, 2**32 - 1, 2**53, 2**62, 2**63 - 1)
"""Numbers at which fields end, or which no reader should make room for."""
LONGEST_PIECE = 64


def span(size: int, random: Random) -> tuple[int, int]:
    """A short piece of so many bytes: from, to."""
    start = random.randrange(size + 1)
    return start, min(size, start + random.randint(1, LONGEST_PIECE))


def flip_bits(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    """One to eight bits anywhere."""
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def set_bytes(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    """One to four neighbours, at random or to the ends of their range."""
    start = random.randrange(len(data))
    for place in range(start, min(len(data), start + random.randint(1, 4))):
        data[place] = random.choice(BYTES) if random.random() < 0.5 else random.randrange(256)


def set_number(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    """A field of two to eight bytes in either order."""
    size = random.choice((2, 4, 8))
    value = random.choice(LIMITS) + random.randint(-1, 1)
    start = random.randrange(len(data))
    field = (value % 2 ** (8 * size)).to_bytes(size, random.choice(("little", "big")))
    data[start : start + size] = field[: len(data) - start]


def cut_out(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    """A piece less."""
    start, stop = span(len(data), random)
    del data[start:stop]


def insert(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    """Noise, or a piece of the file once more, where it does not belong."""
    start, stop = span(len(data), random)
    piece = data[start:stop] if random.random() < 0.5 else random.randbytes(stop - start)
    place = random.randrange(len(data) + 1)
    data[place:place] = piece


def swap(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    """Two pieces in each other's place."""
    (a, b), (c, d) = sorted((span(len(data), random), span(len(data), random)))
    if b <= c:
        data[:] = data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def truncate(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    """The end is missing, or rarely the beginning."""
    place = random.randrange(len(data))
    if random.random() < 0.9:
        del data[place:]
    else:
        del data[:place]


def splice(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    """The beginning of one file and the end of another, from the same place on or from any."""
    other = random.choice(others)
    place = random.randrange(len(data))
    data[place:] = other[place if random.random() < 0.5 else random.randrange(len(other)) :]


def append(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    """Something more behind the end."""
    data += random.choice((bytes(random.randint(1, 40)), random.randbytes(20), random.choice(others)))


MUTATIONS: tuple[Callable[[bytearray, Sequence[bytes], Random], None], ...] = (
    *(flip_bits, flip_bits, set_bytes, set_bytes, set_number, set_number),
    *(cut_out, insert, swap, truncate, splice, append),
)


def mutated(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """``data`` after one to three mutations; ``others`` are files of its kind."""
    made = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if made:
            random.choice(MUTATIONS)(made, others, random)
    return bytes(made)
