"""Codes to bits and back: what stands between a chunk's head and its checksums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.container.header import SoundHeader, Stream
from vqaudio.container.levels import LONGEST_LEVEL

ChunkCodes = list[NDArray[np.int32]]
"""The codes of one chunk: for each stream an array of shape ``(channels, codes)``."""


def _bits(header: SoundHeader, n_frames: int) -> int:
    """Packed bits of one channel."""
    return sum(stream.bits * stream.codes_in(n_frames) for stream in header.streams)


def longest_payload(header: SoundHeader, n_frames: int, *, with_levels: bool = False) -> int:
    """No payload is longer: a coder that would expand its codes falls back to raw ones."""
    levels = LONGEST_LEVEL * header.channels if with_levels else 0
    return levels + 2 * (header.channels - 1) + (header.channels * _bits(header, n_frames) + 7) // 8


def channel_bytes(codes: ChunkCodes) -> list[bytes]:
    """Each channel's codes as little-endian uint16, stream after stream: what the digest is taken over."""
    return [b"".join(stream[channel].astype("<u2").tobytes() for stream in codes) for channel in range(len(codes[0]))]


@dataclass(frozen=True)
class CodedPayload:
    """What an entropy coder made of some channels of a chunk."""

    data: bytes
    channels: int
    n_frames: int


class Coder(Protocol):
    """An entropy coder, for the streams of one file. Every chunk is coded by itself."""

    def encode(self, codes: ChunkCodes) -> bytes:
        """The codes of a chunk's stored channels as bytes."""

    def decode(self, chunks: Sequence[CodedPayload]) -> list[ChunkCodes]:
        """The codes in several chunks; of damaged bytes it makes some codes or other."""


def pack(header: SoundHeader, codes: ChunkCodes, *, channels: list[bytes], coder: Coder | None) -> tuple[bytes, bool]:
    """The payload, and whether it is raw; ``channels`` is :func:`channel_bytes`, by which equal channels are found.

    A coder that does not make the codes shorter is passed by.
    """
    first: dict[bytes, int] = {}
    equals = [first.setdefault(content, channel) for channel, content in enumerate(channels)]
    stored = list(first.values())
    kept = [block[stored] for block in codes]
    head = b"".join(map(varint, equals[1:]))
    raw = _join(header, kept)
    if coder is not None:
        coded = coder.encode(kept)
        if len(coded) < len(raw):
            return head + coded, False
    return head + raw, True


def _join(header: SoundHeader, codes: ChunkCodes) -> bytes:
    """All codes in as many bits as their alphabets take."""
    columns = []
    for stream, block in zip(header.streams, codes, strict=True):
        places = np.arange(stream.bits - 1, -1, -1, dtype=np.int32)
        columns.append((block[:, :, None] >> places & 1).astype(np.uint8).reshape(len(block), -1))
    return np.packbits(np.concatenate(columns, axis=1)).tobytes()


def unpack_channels(header: SoundHeader, cursor: Cursor) -> NDArray[np.intp]:
    """For each channel the row of the stored codes that are its own; DamageError where that breaks a rule."""
    equals = [0]
    for channel in range(1, header.channels):
        earlier = cursor.varint()
        if earlier > channel or (earlier < channel and equals[earlier] != earlier):
            raise DamageError(f"channel {channel} is said to equal channel {earlier}, which is not stored before it")
        equals.append(earlier)
    return np.searchsorted(sorted(set(equals)), equals)


def unpack(header: SoundHeader, packed: bytes, *, n_channels: int, n_frames: int) -> ChunkCodes:
    """The raw codes of so many stored channels, which are all of ``packed``; DamageError where it breaks a rule."""
    row_bits = _bits(header, n_frames)
    n_bits = n_channels * row_bits
    if len(packed) != (n_bits + 7) // 8:
        raise DamageError(f"its codes take {len(packed)} bytes, expected {(n_bits + 7) // 8}")
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))
    if bits[n_bits:].any():
        raise DamageError("the bits after its last code are not zero")
    rows = bits[:n_bits].reshape(n_channels, row_bits)
    codes, start = [], 0
    for stream in header.streams:
        stop = start + stream.bits * stream.codes_in(n_frames)
        codes.append(_join_bits(rows[:, start:stop], stream))
        start = stop
    return codes


def _join_bits(bits: NDArray[np.uint8], stream: Stream) -> NDArray[np.int32]:
    """``(rows, codes * stream.bits)`` bits to ``(rows, codes)`` integers."""
    columns = bits.reshape(len(bits), -1, stream.bits)
    values = np.zeros(columns.shape[:2], np.int32)
    for place in range(stream.bits):
        values <<= 1
        values |= columns[:, :, place]
    if values.max() >= stream.alphabet:
        raise DamageError(f"it holds code {values.max()} of an alphabet of {stream.alphabet}")
    return values
