"""The trailer: sample count and seek index, at the end so that a pipe can be written."""

from __future__ import annotations

from array import array

from vqaudio.container.chunk import SMALLEST_CHUNK, longest_chunk
from vqaudio.container.fields import Cursor, DamageError, crc16_bytes, unzigzag, varint, zigzag
from vqaudio.container.header import SoundHeader
from vqaudio.errors import ContainerError

TRAILER = 0x7E
LONGEST_TRAILER = 2**24 - 1


def index_entry(size: int, size_before: int) -> bytes:
    """A chunk in the index: its size in bytes by the difference to the chunk before it (0 before the first)."""
    return varint(zigzag(size - size_before))


def trailer_bytes(n_samples: int, n_chunks: int, *, index: bytes) -> bytes:
    """The trailer for an ``index`` of ``n_chunks`` entries, each :func:`index_entry`.

    Raises:
        ContainerError: more chunks than an index of 16 MiB can list.
    """
    body = bytes([TRAILER]) + varint(n_samples) + index
    size = len(body) + 5
    if size > LONGEST_TRAILER:
        raise ContainerError(f"{n_chunks} chunks are more than a .vq file can list: use longer chunks")
    return body + crc16_bytes(body) + size.to_bytes(3, "little")


def parse_trailer(header: SoundHeader, data: bytes) -> tuple[int, array[int]]:
    """The sample count and the size of each chunk in bytes; DamageError where all of it does not agree."""
    body = data[:-5]
    if data[-5:-3] != crc16_bytes(body):
        raise DamageError("its checksum does not match its bytes")
    cursor = Cursor(body)
    cursor.take(1)
    longest = longest_chunk(header)
    n_samples = cursor.varint()
    sizes, size = array("q"), 0
    while cursor.position < len(body):
        size += unzigzag(cursor.varint())
        if not SMALLEST_CHUNK <= size <= longest:
            raise DamageError(f"it lists a chunk of {size} bytes")
        sizes.append(size)
    if header.n_chunks(n_samples) != len(sizes):
        raise DamageError(f"it lists {len(sizes)} chunks for {n_samples} samples")
    return n_samples, sizes
