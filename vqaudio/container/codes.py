"""Codes to bits and back: what stands between a chunk's head and its checksums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.container.header import Header, Stream

ChunkCodes = list[NDArray[np.int32]]
"""The codes of one chunk: for each stream an array of shape ``(channels, codes)``."""


def _bits(header: Header, n_frames: int) -> int:
    """Packed bits of one channel."""
    return sum(stream.bits * stream.codes_in(n_frames) for stream in header.streams)


def longest_payload(header: Header, n_frames: int) -> int:
    """No payload is longer: a coder that would expand its codes falls back to raw ones."""
    return 2 * (header.channels - 1) + (header.channels * _bits(header, n_frames) + 7) // 8


def channel_bytes(codes: ChunkCodes) -> list[bytes]:
    """Each channel's codes as little-endian uint16, stream after stream: what the digest is taken over."""
    return [b"".join(stream[channel].astype("<u2").tobytes() for stream in codes) for channel in range(len(codes[0]))]


def pack(header: Header, codes: ChunkCodes, channels: list[bytes]) -> bytes:
    """The raw payload; ``channels`` is :func:`channel_bytes`, by which equal channels are found."""
    first: dict[bytes, int] = {}
    equals = [first.setdefault(content, channel) for channel, content in enumerate(channels)]
    stored = list(first.values())
    columns = []
    for stream, block in zip(header.streams, codes, strict=True):
        places = np.arange(stream.bits - 1, -1, -1, dtype=np.int32)
        columns.append((block[stored, :, None] >> places & 1).astype(np.uint8).reshape(len(stored), -1))
    return b"".join(map(varint, equals[1:])) + np.packbits(np.concatenate(columns, axis=1)).tobytes()


def unpack(header: Header, payload: bytes, n_frames: int) -> ChunkCodes:
    """The codes in all of a raw payload; DamageError where it breaks a rule."""
    cursor = Cursor(payload)
    equals = [0]
    for channel in range(1, header.channels):
        earlier = cursor.varint()
        if earlier > channel or (earlier < channel and equals[earlier] != earlier):
            raise DamageError(f"channel {channel} is said to equal channel {earlier}, which is not stored before it")
        equals.append(earlier)
    stored = sorted(set(equals))
    row_bits = _bits(header, n_frames)
    n_bits = len(stored) * row_bits
    packed = np.frombuffer(payload, np.uint8, offset=cursor.position)
    if len(packed) != (n_bits + 7) // 8:
        raise DamageError(f"its codes take {len(packed)} bytes, expected {(n_bits + 7) // 8}")
    bits = np.unpackbits(packed)
    if bits[n_bits:].any():
        raise DamageError("the bits after its last code are not zero")
    rows = bits[:n_bits].reshape(len(stored), row_bits)
    row_of_channel = np.searchsorted(stored, equals)
    codes, start = [], 0
    for stream in header.streams:
        stop = start + stream.bits * stream.codes_in(n_frames)
        codes.append(_join_bits(rows[:, start:stop], stream)[row_of_channel])
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
