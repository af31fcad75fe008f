"""What a file with a table says of itself before its first chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vqaudio.container.fields import Cursor, DamageError, crc32_bytes, varint
from vqaudio.container.header import MAGIC, SERIES_VERSION, holds_table
from vqaudio.errors import ContainerError
from vqaudio.series.encodings.base import EncodedColumn
from vqaudio.series.meta import packed, unpacked
from vqaudio.series.table import Column

MOST_CHUNK_ROWS = 1 << 16
CHUNK_CELLS = 1 << 20
MOST_CELLS, CELLS_PER_BYTE = 1 << 26, 256
"""Cells that any file may hold, and more for each of its bytes; writers of emptier tables make shorter chunks."""
MOST_PIECES, BYTES_PER_PIECE = 1 << 20, 4
"""Columns times chunks that any file may have, and the bytes that each takes at least."""


@dataclass(frozen=True)
class TableHeader:
    """Rows, the chunks that hold them, and in ``meta`` (JSON) all that is not a number in a chunk."""

    n_rows: int
    chunk_rows: int
    meta: dict[str, Any]
    sizes: Sequence[int] = ()

    @property
    def version(self) -> int:
        """Of the format."""
        return SERIES_VERSION

    @property
    def n_chunks(self) -> int:
        """Chunks that the rows take."""
        return -(-self.n_rows // self.chunk_rows)

    def rows_of(self, index: int) -> slice:
        """The rows of a chunk."""
        return slice(index * self.chunk_rows, min(self.n_rows, (index + 1) * self.chunk_rows))

    def to_bytes(self) -> bytes:
        """The header as it stands in a file."""
        described = packed(self.meta)
        data = MAGIC + bytes([SERIES_VERSION]) + varint(len(described)) + described
        data += b"".join(map(varint, (self.n_rows, self.chunk_rows, *self.sizes)))
        return data + crc32_bytes(data)

    def check_amount(self, n_columns: int, n_bytes: int) -> None:
        """Refuse what would take much more memory and time than a file of so many bytes can be worth.

        Raises:
            ContainerError: more cells, or more columns times chunks, than it can hold.
        """
        n_cells, n_pieces = self.n_rows * n_columns, self.n_chunks * n_columns
        if n_cells > most_cells(n_bytes) or n_pieces > max(MOST_PIECES, n_bytes // BYTES_PER_PIECE):
            raise ContainerError(
                f"the header is damaged: {n_cells} cells in {self.n_chunks} chunks are more than {n_bytes} bytes hold; "
                "get the file again from its source"
            )

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[TableHeader, int]:
        """The header at the start of ``data``, and its size in bytes.

        Raises:
            ContainerError: not a table's ``.vq`` file, or a damaged header.
        """
        if not holds_table(data):
            raise ContainerError("holds no table: name a .vq file that was made from one")
        cursor = Cursor(data)
        cursor.take(len(MAGIC) + 1)
        try:
            described = cursor.take(cursor.varint())
            header = cls(cursor.varint(), max(1, cursor.varint()), {})
            too_many = header.n_rows > most_cells(len(data)) or header.n_chunks > len(data)
            if header.chunk_rows > MOST_CHUNK_ROWS or too_many:
                raise DamageError(f"{header.n_rows} rows in chunks of {header.chunk_rows} are more than it can hold")
            sizes = [cursor.varint() for _ in range(header.n_chunks)]
            if cursor.take(4) != crc32_bytes(data[: cursor.position - 4]):
                raise DamageError("its checksum does not match its bytes")
            meta = unpacked(described, header.n_rows, len(data))
        except DamageError as damage:
            raise ContainerError(f"the header is damaged: {damage}; get the file again from its source") from None
        return cls(header.n_rows, header.chunk_rows, meta, sizes), cursor.position


def most_cells(n_bytes: int) -> int:
    """Cells that a file of so many bytes may hold, so that no small one takes all memory."""
    return max(MOST_CELLS, CELLS_PER_BYTE * n_bytes)


def chunk_rows_for(n_columns: int) -> int:
    """Rows of a chunk: so many that learning what a chunk is like pays, and that what one damage takes is bounded."""
    return max(1 << 10, min(MOST_CHUNK_ROWS, CHUNK_CELLS // max(1, n_columns)))


def column_as_json(column: Column, encoded: EncodedColumn) -> dict[str, Any]:
    """All of a column but its cells."""
    encoding = [encoded.encoding.kind, encoded.encoding.as_json()]
    about = {"name": column.name, "dtype": column.dtype, "stored": column.values.dtype.name, "way": encoding}
    extras = {"zone": column.zone, "notes": column.notes, "style": column.style, "bound": encoded.bound}
    if column.dictionary is not None:
        extras["dictionary"] = {"index": column.dictionary.index, "ordered": column.dictionary.ordered}
    extras = {key: value for key, value in extras.items() if value}
    return about | extras | ({} if column.nullable else {"nullable": False})
