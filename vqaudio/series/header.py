"""What a file with a table says of itself before its first chunk, in version 4; docs/format.md specifies it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

from vqaudio.container.fields import Cursor, DamageError, crc32_bytes, varint
from vqaudio.container.header import MAGIC, TABLE_VERSION
from vqaudio.errors import ContainerError
from vqaudio.series.described import as_text, pack, unpack

MOST_CELLS, CELLS_PER_BYTE = 1 << 26, 256
"""Cells that are taken into memory at once of any file, and more for each of its bytes."""
MOST_CHUNK_ROWS, MOST_CHUNK_CELLS, FEWEST_CHUNK_ROWS = 1 << 20, 1 << 22, 1 << 10
"""A chunk has no more rows, nor more cells unless it has few rows."""
KNOWN_TEXT = (
    b'{"origin":{"suffix":".npz","arrays":{"":[2,"suffix":".npy","suffix":".parquet","metadata":{"suffix":".csv",'
    b'"delimiter":"\\t","header":false,"newline":"\\r\\n"},"bom":true,"bare":true,"quotes":{"names":[],"columns":[0]}'
    b'"delimiter":";","header":true,"newline":"\\n"},"delimiter":",","header":true,"newline":"\\n"},"columns":[{"name":"'
    b'","dtype":"duration[ns]","dictionary":{"index":"int32","ordered":false,"words":["","nullable":false,"notes":{"'
    b'"zone":"UTC","dtype":"decimal128(10, 2)","dtype":"bool"},"dtype":"uint8"},"dtype":"int16"},"dtype":"int32"},'
    b'"dtype":"float32","bound":0.01},{"name":"time","dtype":"timestamp[ms]"},{"name":"date","dtype":"timestamp[s]"},'
    b'{"name":"id","dtype":"string"},{"name":"x","dtype":"int64"},{"name":"0","dtype":"float64"}],"model":"'
)
"""The preset dictionary of the header's text."""


@dataclass(frozen=True)
class TableHeader:
    """All of a table but its rows, in ``meta`` (JSON)."""

    meta: dict[str, Any]
    version = TABLE_VERSION

    @cached_property
    def text(self) -> bytes:
        """What it says, as JSON."""
        return as_text(self.meta)

    def to_bytes(self) -> bytes:
        """The header as it stands in a file."""
        described = pack(self.text, KNOWN_TEXT)
        data = MAGIC + bytes([TABLE_VERSION]) + varint(len(described)) + described
        return data + crc32_bytes(data)

    @classmethod
    def from_file(cls, file: IO[bytes], n_bytes: int) -> tuple[TableHeader, int]:
        """The header at the start of an open file of so many bytes, and its size.

        Raises:
            ContainerError: a damaged header.
        """
        start = file.read(len(MAGIC) + 1 + 9)
        cursor = Cursor(start)
        try:
            cursor.take(len(MAGIC) + 1)
            size = cursor.varint() + 4
            if size > n_bytes:
                raise DamageError("it ends too early")
            data = start + file.read(max(0, cursor.position + size - len(start)))
            cursor.data = data
            described = cursor.take(size - 4)
            if cursor.take(4) != crc32_bytes(data[: cursor.position - 4]):
                raise DamageError("its checksum does not match its bytes")
            meta, text = unpack(described, 0, n_bytes, known=KNOWN_TEXT)
        except DamageError as damage:
            raise ContainerError(f"the header is damaged: {damage}; get the file again from its source") from None
        header = cls(meta)
        header.__dict__["text"] = text  # as it stands there, on which chunks depend
        return header, cursor.position


def most_cells(n_bytes: int) -> int:
    """Cells of a file of so many bytes that are taken into memory at once, so that no small one takes all of it."""
    return max(MOST_CELLS, CELLS_PER_BYTE * n_bytes)


def most_rows(n_columns: int) -> int:
    """Rows that a chunk may have."""
    return max(FEWEST_CHUNK_ROWS, min(MOST_CHUNK_ROWS, MOST_CHUNK_CELLS // max(1, n_columns)))
