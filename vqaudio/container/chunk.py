"""One chunk to bytes and back; its head alone tells how long it is, so that a scan can step from chunk to chunk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.codes import (
    ChunkCodes,
    CodedPayload,
    Coder,
    channel_bytes,
    longest_payload,
    pack,
    unpack,
    unpack_channels,
)
from vqaudio.container.fields import Cursor, DamageError, crc16_bytes, crc32_bytes, varint
from vqaudio.container.header import SoundHeader
from vqaudio.container.levels import PLAIN, Level, level_bytes, parse_levels

CHUNK, RAW, SHORT, LEVELS = 0xC0, 0x01, 0x02, 0x04
CHUNK_START = re.compile(rb"[\xc0-\xc7]")
LONGEST_HEAD = 1 + 3 * 9
SMALLEST_CHUNK = 9


def chunk_bytes(
    header: SoundHeader,
    codes: ChunkCodes,
    *,
    index: int,
    n_frames: int,
    coder: Coder | None = None,
    levels: Sequence[Level] = (),
) -> bytes:
    """Chunk number ``index``; ``codes`` and ``levels`` must fit the header and ``n_frames``."""
    channels = channel_bytes(codes)
    payload, is_raw = pack(header, codes, channels=channels, coder=coder)
    short, head = n_frames < header.chunk_frames, level_bytes(levels)
    kind = CHUNK | (SHORT if short else 0) | (RAW if is_raw and coder is not None else 0) | (LEVELS if head else 0)
    payload = head + payload
    data = bytes([kind]) + varint(index)
    data += (varint(n_frames) if short else b"") + varint(len(payload)) + payload
    data += crc16_bytes(b"".join(channels))
    return data + crc32_bytes(data)


def longest_chunk(header: SoundHeader) -> int:
    """No chunk has more bytes."""
    return LONGEST_HEAD + longest_payload(header, header.chunk_frames, with_levels=header.version > 1) + 6


@dataclass(frozen=True)
class ChunkHead:
    """The fields before a chunk's payload, and the size in bytes that they give the chunk."""

    is_raw: bool
    has_levels: bool
    index: int
    n_frames: int
    payload_size: int
    size: int


def parse_head(header: SoundHeader, cursor: Cursor) -> ChunkHead:
    """The head at ``cursor``; DamageError where no chunk of this file can start so."""
    kind = cursor.take(1)[0]
    allowed = SHORT | (RAW if header.entropy != "none" else 0) | (LEVELS if header.version > 1 else 0)
    if kind & ~allowed != CHUNK:
        raise DamageError(f"it starts with byte {kind:02x}, which no chunk of this file does")
    index, n_frames = cursor.varint(), header.chunk_frames
    if kind & SHORT:
        n_frames = cursor.varint()
        if not 1 <= n_frames < header.chunk_frames:
            raise DamageError(f"it is marked short but holds {n_frames} frames, a full chunk {header.chunk_frames}")
    payload_size = cursor.varint()
    longest = longest_payload(header, n_frames, with_levels=bool(kind & LEVELS))
    if payload_size > longest:
        raise DamageError(f"its payload is said to have {payload_size} bytes, and at most {longest} are possible")
    is_raw = header.entropy == "none" or bool(kind & RAW)
    return ChunkHead(is_raw, bool(kind & LEVELS), index, n_frames, payload_size, cursor.position + payload_size + 6)


def is_intact(chunk: bytes) -> bool:
    """Whether the bytes of a chunk match the CRC-32 at its end."""
    return crc32_bytes(chunk[:-4]) == chunk[-4:]


@dataclass(frozen=True)
class ParsedChunk:
    """A chunk whose bytes are right: the codes of its stored channels, raw or still coded.

    ``rows`` has for each channel the stored one that it equals, ``levels`` its level.
    """

    stored: ChunkCodes | CodedPayload
    rows: NDArray[np.intp]
    levels: tuple[Level, ...]
    digest: bytes

    def channels(self, stored: ChunkCodes) -> ChunkCodes:
        """All channels' codes from those of the stored ones; DamageError where they are not what was coded."""
        codes = [block[self.rows] for block in stored]
        if self.digest != crc16_bytes(b"".join(channel_bytes(codes))):
            raise DamageError("its codes do not match their digest")
        return codes


def parse_chunk(header: SoundHeader, data: bytes, *, index: int, n_frames: int) -> ParsedChunk:
    """What is in ``data``, which must be all of chunk ``index`` and nothing else; or DamageError."""
    if not is_intact(data):
        raise DamageError("its checksum does not match its bytes")
    cursor = Cursor(data)
    head = parse_head(header, cursor)
    for what, found, expected in (
        ("number", head.index, index),
        ("count of frames", head.n_frames, n_frames),
        ("size in bytes", head.size, len(data)),
    ):
        if found != expected:
            raise DamageError(f"its {what} is {found}, expected {expected}")
    payload = Cursor(cursor.take(head.payload_size))
    levels = parse_levels(payload, header.channels) if head.has_levels else (PLAIN,) * header.channels
    rows = unpack_channels(header, payload)
    n_stored = int(rows.max()) + 1
    rest = payload.data[payload.position :]
    if head.is_raw:
        stored: ChunkCodes | CodedPayload = unpack(header, rest, n_channels=n_stored, n_frames=n_frames)
    else:
        stored = CodedPayload(rest, n_stored, n_frames)
    return ParsedChunk(stored, rows, levels, cursor.take(2))
