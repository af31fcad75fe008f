"""What a file with a table says of itself before its first chunk."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vqaudio.container.fields import Cursor, DamageError, crc32_bytes, varint
from vqaudio.container.header import MAGIC, SERIES_VERSION, holds_table
from vqaudio.errors import ContainerError

MOST_CHUNK_ROWS = 1 << 16
CHUNK_CELLS = 1 << 20
MOST_CELLS, CELLS_PER_BYTE = 1 << 26, 256
"""Cells that any file may hold, and more for each of its bytes; writers of emptier tables make shorter chunks."""
MOST_PIECES, BYTES_PER_PIECE = 1 << 20, 4
"""Columns times chunks that any file may have, and the bytes that each takes at least."""
MOST_TEXT, TEXT_PER_BYTE = 1 << 22, 128
"""Bytes of JSON that are unpacked for any file, and for each of its bytes: alike descriptions of columns pack well."""
MOST_CONTAINERS, CONTAINERS_PER_BYTE = 1 << 12, 4
"""Lists and objects: about ten a column, which takes four bytes or more of each chunk."""
MOST_ITEMS, ITEMS_PER_BYTE, ROWS_PER_ITEM = 1 << 16, 8, 8
"""What stands in them: words, and cells that are kept as they stood."""
MOST_DEPTH = 8
LATER_NAME = "fields"
"""What ``columns`` are called where a key is used that the first readers would pass over; so they refuse the file."""
LATER_KEYS = {
    "bom",
    "quotes",
    "blank_lines",
    "ends",
    "bare",
    "nullable",
    "dictionary",
    "point",
    "pattern",
    "stretches",
    "exceptions",
}

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


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
        described = _pack(self.meta)
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
            meta = _unpack(described, header.n_rows, len(data))
        except DamageError as damage:
            raise ContainerError(f"the header is damaged: {damage}; get the file again from its source") from None
        return cls(header.n_rows, header.chunk_rows, meta, sizes), cursor.position


def most_cells(n_bytes: int) -> int:
    """Cells that a file of so many bytes may hold, so that no small one takes all memory."""
    return max(MOST_CELLS, CELLS_PER_BYTE * n_bytes)


def chunk_rows_for(n_columns: int) -> int:
    """Rows of a chunk: so many that learning what a chunk is like pays, and that what one damage takes is bounded."""
    return max(1 << 10, min(MOST_CHUNK_ROWS, CHUNK_CELLS // max(1, n_columns)))


def _pack(meta: Mapping[str, Any]) -> bytes:
    """``meta`` as it stands in a file."""
    used = {*meta["origin"]}.union(*(set(column) | set(column.get("style", {})) for column in meta["columns"]))
    if used & LATER_KEYS:
        meta = {LATER_NAME if key == "columns" else key: value for key, value in meta.items()}
    text = json.dumps(meta, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return zlib.compress(text, 9)


def _unpack(data: bytes, n_rows: int, n_bytes: int) -> Any:
    """What :func:`_pack` was given, in a file of so many rows and bytes; DamageError for more than it can be worth."""
    most = MOST_TEXT + TEXT_PER_BYTE * n_bytes
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, most)
    except zlib.error as error:
        raise DamageError(str(error)) from None
    if unpacker.unconsumed_tail:
        raise DamageError(f"it describes itself in more than {most} bytes")
    _check_amount(_STRING.sub(b"", text), n_rows, n_bytes)
    try:
        meta = json.loads(text.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise DamageError(str(error)) from None
    if isinstance(meta, dict) and LATER_NAME in meta and "columns" not in meta:
        meta["columns"] = meta.pop(LATER_NAME)
    return meta


def _check_amount(bare: bytes, n_rows: int, n_bytes: int) -> None:
    """Refuse what would take much more memory than the file; ``bare`` is JSON without its strings."""
    signs = np.frombuffer(bare, np.uint8)
    steps = np.isin(signs, np.frombuffer(b"[{", np.uint8)).astype(np.int8)
    n_containers = int(np.count_nonzero(steps))
    steps[np.isin(signs, np.frombuffer(b"]}", np.uint8))] = -1
    depth = int(steps.cumsum(dtype=np.int32).max(initial=0))
    if depth > MOST_DEPTH:
        raise DamageError(f"it describes itself in lists {depth} deep, expected {MOST_DEPTH} at most")
    most_containers = MOST_CONTAINERS + CONTAINERS_PER_BYTE * n_bytes
    most_items = MOST_ITEMS + ITEMS_PER_BYTE * n_bytes + n_rows // ROWS_PER_ITEM
    if n_containers > most_containers or bare.count(b",") > most_items:
        raise DamageError(f"it describes itself in more parts than a file of {n_bytes} bytes needs")
