"""One chunk to bytes and back; its head alone tells how long it is, so that a scan can step from chunk to chunk."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vqaudio.container.codes import ChunkCodes, channel_bytes, longest_payload, pack, unpack
from vqaudio.container.fields import Cursor, DamageError, crc16_bytes, crc32_bytes, varint
from vqaudio.container.header import Header

CHUNK, RAW, SHORT = 0xC0, 0x01, 0x02
CHUNK_START = re.compile(rb"[\xc0-\xc3]")
LONGEST_HEAD = 1 + 3 * 9
SMALLEST_CHUNK = 9


def chunk_bytes(header: Header, index: int, n_frames: int, codes: ChunkCodes) -> bytes:
    """Chunk number ``index``; ``codes`` must fit the header and ``n_frames``."""
    short = n_frames < header.chunk_frames
    channels = channel_bytes(codes)
    payload = pack(header, codes, channels)
    data = bytes([CHUNK | SHORT if short else CHUNK]) + varint(index)
    data += (varint(n_frames) if short else b"") + varint(len(payload)) + payload
    data += crc16_bytes(b"".join(channels))
    return data + crc32_bytes(data)


def longest_chunk(header: Header) -> int:
    """No chunk has more bytes."""
    return LONGEST_HEAD + longest_payload(header, header.chunk_frames) + 6


@dataclass(frozen=True)
class ChunkHead:
    """The fields before a chunk's payload, and the size in bytes that they give the chunk."""

    index: int
    n_frames: int
    payload_size: int
    size: int


def parse_head(header: Header, cursor: Cursor) -> ChunkHead:
    """The head at ``cursor``; DamageError where no chunk of this file can start so."""
    kind = cursor.take(1)[0]
    allowed = (CHUNK, CHUNK | SHORT) if header.entropy == "none" else range(CHUNK, CHUNK + 4)
    if kind not in allowed:
        raise DamageError(f"it starts with byte {kind:02x}, which no chunk of this file does")
    index, n_frames = cursor.varint(), header.chunk_frames
    if kind & SHORT:
        n_frames = cursor.varint()
        if not 1 <= n_frames < header.chunk_frames:
            raise DamageError(f"it is marked short but holds {n_frames} frames, a full chunk {header.chunk_frames}")
    payload_size = cursor.varint()
    longest = longest_payload(header, n_frames)
    if payload_size > longest:
        raise DamageError(f"its payload is said to have {payload_size} bytes, and at most {longest} are possible")
    return ChunkHead(index, n_frames, payload_size, cursor.position + payload_size + 6)


def is_intact(chunk: bytes) -> bool:
    """Whether the bytes of a chunk match the CRC-32 at its end."""
    return crc32_bytes(chunk[:-4]) == chunk[-4:]


def parse_chunk(header: Header, data: bytes, index: int, n_frames: int) -> ChunkCodes:
    """The codes in ``data``, which must be all of chunk ``index`` and nothing else; or DamageError."""
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
    codes = unpack(header, cursor.take(head.payload_size), n_frames)
    if cursor.take(2) != crc16_bytes(b"".join(channel_bytes(codes))):
        raise DamageError("its codes do not match their digest")
    return codes
