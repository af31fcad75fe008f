"""Where the chunks of a table's file are, whatever its version: found by its index, or looked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from vqaudio.container.fields import DamageError, crc32_bytes
from vqaudio.container.stored import Damage, Header
from vqaudio.errors import ContainerError
from vqaudio.series import chunk as chunks
from vqaudio.series import trailer
from vqaudio.series.chunk import Chunk
from vqaudio.series.coding.model import Model
from vqaudio.series.header import TableHeader, most_rows
from vqaudio.series.schema import ColumnSchema, TableSchema, parse_schema

LOOKS = 64
"""Times the file's size that is checksummed at most while chunks are looked for."""
_BLOCK = 1 << 20
_GLANCE = 256
"""Bytes that tell most of what is no chunk from one, before all of it is checksummed."""


@dataclass(frozen=True)
class Place:
    """A chunk in a file.

    Args:
        index: its number.
        rows: of the table.
        offset, size: of its bytes; none of a chunk that is lost.
        times: least and greatest value of the clock column, where the file says so.
    """

    index: int
    rows: slice
    offset: int
    size: int
    times: tuple[int, int] | None = None


class Layout(ABC):
    """What a file says before and behind its chunks.

    Attributes:
        header: as it stands there.
        origin: what restores the file that the table comes from, but for its lines.
        columns: what their rows have in common.
        model: fingerprint of the model that is needed; "" for none.
        places: all chunks, in order.
        clock: the column that ``times`` of places are those of, if they have any.
        damage: what is wrong with the file as a whole.
    """

    header: Header
    origin: dict[str, Any]
    columns: list[ColumnSchema]
    model: str
    places: list[Place]
    clock: int | None
    damage: list[Damage]

    @abstractmethod
    def decode(self, data: bytes, place: Place, model: Model | None) -> Chunk:
        """The chunk of which these are the bytes.

        Raises:
            DamageError: it cannot be read as it was written.
        """

    @property
    def n_rows(self) -> int:
        """Rows of the table, those that are lost included as far as the file tells."""
        return self.places[-1].rows.stop if self.places else 0


class Version4(Layout):
    """A file of version 4.

    Args:
        file: it can seek.
        n_bytes: of it.

    Raises:
        ContainerError: a damaged header, or one that describes no table.
    """

    def __init__(self, file: IO[bytes], n_bytes: int):
        file.seek(0)
        self.header: TableHeader
        self.header, self._start = TableHeader.from_file(file, n_bytes)
        self.schema: TableSchema = parse_schema(self.header.meta)
        self.origin = self.schema.origin.model_dump(exclude_unset=True)
        self.columns, self.model = self.schema.columns, self.schema.model
        self._file, self._n_bytes = file, n_bytes
        self.damage, self.clock = [], None
        self.ends_at = n_bytes
        """Where the trailer begins."""
        try:
            self.places = list(self._from_trailer())
        except DamageError:
            self.places = list(self._looked_for())
            said = f"its end is damaged: its chunks were looked for, and {self.n_rows} rows found"
            if self._is_cut:
                said = f"it ends early: {self.n_rows} rows of it are here"
            self.damage.append(Damage(said))
        if not self.places:
            raise ContainerError("no chunk of it can be found; get the file again from its source")

    def decode(self, data: bytes, place: Place, model: Model | None) -> Chunk:
        if not place.size:
            raise DamageError("it cannot be found")
        return chunks.decode_chunk(data, self.schema, header_text=self.header.text, rows=place.rows, model=model)

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    def _from_trailer(self) -> Iterator[Place]:
        size = int.from_bytes(self._read(max(self._start, self._n_bytes - 3), 3), "little")
        if not trailer.TAIL < size <= self._n_bytes - self._start:
            raise DamageError("it has no size")
        self.ends_at = self._n_bytes - size
        entries, self.clock = trailer.parse(self._read(self.ends_at, size), len(self.columns))
        if sum(entry.size for entry in entries) != self.ends_at - self._start:
            raise DamageError("its sizes are not those of the chunks")
        offset, row = self._start, 0
        places = []
        for index, entry in enumerate(entries):
            chunks.check_rows(entry.n_rows, len(self.columns))
            if entry.size < chunks.LEAST_SIZE:
                raise DamageError(f"chunk {index} has {entry.size} bytes in it")
            places.append(Place(index, slice(row, row + entry.n_rows), offset, entry.size, entry.times))
            offset, row = offset + entry.size, row + entry.n_rows
        return iter(places)

    # ------------------------------------------------------------------------------------- a file without its trailer

    def _looked_for(self) -> Iterator[Place]:
        """Chunk after chunk; rows between those that are found are lost."""
        offset, row, index = self._start, 0, 0
        self._budget = LOOKS * self._n_bytes
        self._is_cut = False
        while offset < self._n_bytes:
            found = self._chunk_at(offset, row)
            if found is None:
                self._is_cut = self._is_cut or self._begins_at(offset)
                offset = self._next_kind(offset + 1)
                continue
            size, rows = found
            for start in range(row, rows.start, most_rows(len(self.columns))):
                yield Place(index, slice(start, min(rows.start, start + most_rows(len(self.columns)))), offset, 0)
                index += 1
            yield Place(index, rows, offset, size)
            offset, row, index = offset + size, rows.stop, index + 1

    def _begins_at(self, offset: int) -> bool:
        """Whether a chunk begins at some byte that goes beyond the file's end."""
        try:
            before, body = chunks.parse_frame(self._read(offset, 10))
        except DamageError:
            return False
        return offset + before + body + 4 > self._n_bytes

    def _chunk_at(self, offset: int, row: int) -> tuple[int, slice] | None:
        """Size and rows of the whole chunk that begins at some byte, ``row`` or later; None where there is none."""
        try:
            before, body = chunks.parse_frame(self._read(offset, 10))
            size = before + body + 4
            if size < chunks.LEAST_SIZE or offset + size > self._n_bytes or self._budget < size:
                return None
            if not chunks.may_begin(self._read(offset, _GLANCE), header_text=self.header.text):
                return None
            self._budget -= size
            data = self._read(offset, size)
            if crc32_bytes(data[:-4]) != data[-4:]:
                return None
            cursor = chunks.check_frame(data)
            first, n_rows = cursor.varint(), cursor.varint()
            chunks.check_rows(n_rows, len(self.columns))
        except DamageError:
            return None
        most_lost = most_rows(len(self.columns)) * (self._n_bytes // chunks.LEAST_SIZE)
        return (size, slice(first, first + n_rows)) if row <= first <= row + most_lost else None

    def _next_kind(self, offset: int) -> int:
        """The next byte that a chunk may begin with, or the file's end."""
        for start in range(offset, self._n_bytes, _BLOCK):
            found = self._read(start, _BLOCK).find(bytes([chunks.KIND]))
            if found >= 0:
                return start + found
        return self._n_bytes
