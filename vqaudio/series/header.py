"""What a file with a table says of itself before its first chunk."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vqaudio.container.fields import Cursor, DamageError, crc32_bytes, varint
from vqaudio.container.header import MAGIC, SERIES_VERSION
from vqaudio.errors import ContainerError
from vqaudio.series.table import Column

MOST_CHUNK_ROWS = 1 << 16
CHUNK_CELLS = 1 << 20
MOST_META = 1 << 28
"""Bytes of JSON that a reader unpacks at most."""


@dataclass(frozen=True)
class Header:
    """Rows, the chunks that hold them, and in ``meta`` (JSON) all that is not a number in a chunk."""

    n_rows: int
    chunk_rows: int
    meta: dict[str, Any]
    sizes: Sequence[int] = ()

    @property
    def n_chunks(self) -> int:
        """Chunks that the rows take."""
        return -(-self.n_rows // self.chunk_rows)

    def rows_of(self, index: int) -> slice:
        """The rows of a chunk."""
        return slice(index * self.chunk_rows, min(self.n_rows, (index + 1) * self.chunk_rows))

    def to_bytes(self) -> bytes:
        """The header as it stands in a file."""
        text = json.dumps(self.meta, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        packed = zlib.compress(text, 9)
        data = MAGIC + bytes([SERIES_VERSION]) + varint(len(packed)) + packed
        data += b"".join(map(varint, (self.n_rows, self.chunk_rows, *self.sizes)))
        return data + crc32_bytes(data)

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[Header, int]:
        """The header at the start of ``data``, and its size in bytes.

        Raises:
            ContainerError: not a table's ``.vq`` file, or a damaged header.
        """
        if not is_series(data):
            raise ContainerError("holds no table: name a .vq file that was made from one")
        cursor = Cursor(data)
        cursor.take(len(MAGIC) + 1)
        try:
            packed = cursor.take(cursor.varint())
            header = cls(cursor.varint(), max(1, cursor.varint()), {})
            if header.chunk_rows > MOST_CHUNK_ROWS or header.n_chunks > len(data):
                raise DamageError(f"{header.n_rows} rows in chunks of {header.chunk_rows} are more than it can hold")
            sizes = [cursor.varint() for _ in range(header.n_chunks)]
            if cursor.take(4) != crc32_bytes(data[: cursor.position - 4]):
                raise DamageError("its checksum does not match its bytes")
            meta = json.loads(zlib.decompressobj().decompress(packed, MOST_META).decode("utf-8", "surrogatepass"))
        except (DamageError, zlib.error, ValueError) as damage:
            raise ContainerError(f"the header is damaged: {damage}; get the file again from its source") from None
        return cls(header.n_rows, header.chunk_rows, meta, sizes), cursor.position


def is_series(data: bytes) -> bool:
    """Whether a file that starts so holds a table."""
    return data[:4] == MAGIC + bytes([SERIES_VERSION])


def chunk_rows_for(n_columns: int) -> int:
    """Rows of a chunk: so many that learning what a chunk is like pays, and that what one damage takes is bounded."""
    return max(1 << 10, min(MOST_CHUNK_ROWS, CHUNK_CELLS // max(1, n_columns)))


def column_as_json(column: Column, way: str, arguments: dict[str, Any], bound: float) -> dict[str, Any]:
    """All of a column but its cells."""
    about = {"name": column.name, "dtype": column.dtype, "stored": column.values.dtype.name, "way": [way, arguments]}
    extras = {"zone": column.zone, "notes": column.notes, "style": column.style, "bound": bound}
    return about | {key: value for key, value in extras.items() if value}
