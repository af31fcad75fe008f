"""Tables to bytes and back, with a word for whatever is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np

from vqaudio.container.fields import DamageError
from vqaudio.container.stored import Damage, StoredFile
from vqaudio.errors import ContainerError, ModelError, SeriesError
from vqaudio.series.cell_style import render_cells
from vqaudio.series.chunk import ColumnChunk, decode_chunk, encode_chunk
from vqaudio.series.coding.model import Model, find
from vqaudio.series.encodings import select
from vqaudio.series.encodings.base import ColumnEncoding, EncodedColumn
from vqaudio.series.encodings.bounds import MaxError, distances, equal_bits, within
from vqaudio.series.encodings.dictionary import DictionaryEncoding
from vqaudio.series.header import TableHeader, chunk_rows_for, column_as_json, most_cells
from vqaudio.series.meta import ColumnMeta, checked
from vqaudio.series.table import FLOATS, NULL, Column, Dictionary, Table

Progress = Callable[[int], object]
Chunk = tuple[int, list[ColumnChunk] | None]
"""Its number, and its columns as integers; None for one that is lost."""
NAME_SIZE = 32
"""Bytes that the name of a model takes in the header, at most."""
MOST_NAMED = 10
"""Columns that a sentence names."""
SHORT_CHUNK_ROWS = 256
"""Rows of a chunk where longer ones would take fewer bytes than readers believe; a column takes 4 or more of each."""


def compress(
    table: Table,
    max_error: MaxError | None = None,
    *,
    lossless: bool = False,
    independent: bool = False,
    model: Model | None = None,
    name: str = "the table",
    progress: Progress = lambda rows: None,
) -> bytes:
    """A table as a ``.vq`` file, decoded again and compared before it is returned.

    Args:
        table: its columns' styles are set.
        max_error: how far numbers may be off; None for not at all.
        lossless: keep floats to the bit that have no fixed number of digits, rather than refuse them.
        independent: predict no column from others, to see what that is worth.
        model: codes a column wherever it takes fewer bytes so; the file then names it, and cannot be read without it.
        name: of the file, for errors.
        progress: told how many rows were done.

    Raises:
        SeriesError: infinity, floats that need one of the two options, or a table without cells.
    """
    if not table.n_rows:
        raise SeriesError(f"{name}: holds no rows; expected one or more")
    columns = [
        select.encode(column, max_error, lossless=lossless, is_first=number == 0, name=name)
        for number, column in enumerate(table.columns)
    ]
    meta: dict[str, Any] = {
        "origin": table.origin,
        "columns": [column_as_json(column, encoded) for column, encoded in zip(table.columns, columns, strict=True)],
    }
    data = b""
    for chunk_rows in (chunk_rows_for(len(columns)), SHORT_CHUNK_ROWS):
        header = TableHeader(table.n_rows, chunk_rows, meta)
        parts = [
            [
                ColumnChunk.of_rows(column, encoded, rows=header.rows_of(index))
                for column, encoded in zip(table.columns, columns, strict=True)
            ]
            for index in range(header.n_chunks)
        ]
        chunks, saved = _coded(parts, independent, model, progress)
        if model is not None and saved > NAME_SIZE:
            meta["model"] = model.fingerprint
        elif saved:
            chunks, _ = _coded(parts, independent, None, lambda rows: None)
        data = replace(header, sizes=[len(chunk) for chunk in chunks]).to_bytes() + b"".join(chunks)
        if table.n_cells <= most_cells(len(data)):
            break
    _check(table, StoredTable(data, name, model).table(), columns, exact_text=max_error is None, name=name)
    if max_error is not None:
        table.remarks += _exemptions(table, columns)
    return data


def _exemptions(table: Table, columns: list[EncodedColumn]) -> Iterator[str]:
    """The sentence that names the columns that a bound does not reach, if there are any."""
    exempt = [column for column, encoded in zip(table.columns, columns, strict=True) if encoded.exempt]
    if exempt:
        named = [f"{column.name!r} ({column.dtype})" for column in exempt[:MOST_NAMED]]
        more = f" and {len(exempt) - MOST_NAMED} more" if len(exempt) > MOST_NAMED else ""
        yield (
            f"--max-error does not reach {len(exempt)} of {len(columns)} columns, which stay exact: "
            f"{', '.join(named)}{more}"
        )


def _coded(
    parts: list[list[ColumnChunk]], independent: bool, model: Model | None, progress: Progress
) -> tuple[list[bytes], int]:
    """All chunks, and how many bytes the model saved."""
    chunks, all_saved = [], 0
    for index, columns in enumerate(parts):
        chunk, saved = encode_chunk(index, columns, independent=independent, model=model)
        chunks.append(chunk)
        all_saved += saved
        progress(len(columns[0].numbers))
    return chunks, all_saved


def _check(table: Table, restored: Table, columns: list[EncodedColumn], *, exact_text: bool, name: str) -> None:
    """Refuse to hand out a file that does not give back what it should."""
    for column, found, encoded in zip(table.columns, restored.columns, columns, strict=True):
        bound = encoded.bound
        good = column.name == found.name and np.array_equal(column.cells, found.cells)
        if bound and column.dtype in FLOATS:
            good = good and bool(within(column.values, found.values, bound)[column.known].all())
        elif bound:
            good = good and int(distances(column.values, found.values).max()) <= bound
        else:
            values, restored_values = column.values[column.known], found.values[column.known]
            equal = equal_bits(values, restored_values) if column.dtype in FLOATS else values == restored_values
            good = good and bool(equal.all())
            if column.texts is not None and (exact_text or encoded.exempt):
                good = good and render_cells(found) == column.texts()
        if not good:
            raise SeriesError(f"{name}: column {column.name!r} does not come back as it should: please report this")


class StoredTable(StoredFile):
    """A table in a ``.vq`` file.

    Args:
        data: all of the file.
        name: for errors.
        model: the one that wrote it, where it is not shipped; else it is found by the file's fingerprint.

    Raises:
        ContainerError: not such a file, or a damaged header.
    """

    def __init__(self, data: bytes, name: str = "the file", model: Model | None = None):
        super().__init__(name)
        self._data, self._given = data, model
        try:
            self._header, self._start = TableHeader.from_bytes(data)
            meta = checked(self.header.meta, self.header.n_rows)
            self.header.check_amount(len(meta.columns), len(data))
        except ContainerError as error:
            raise ContainerError(f"{name}: {error}") from None
        self.origin: dict[str, Any] = dict(self.header.meta["origin"])
        self._columns = [
            (_column(about, column), column.encoding)
            for about, column in zip(self.header.meta["columns"], meta.columns, strict=True)
        ]
        self._damage: list[Damage] = []

    def __repr__(self) -> str:
        shape = f"{self.header.n_rows} rows of {len(self._columns)} columns"
        return f"<StoredTable {self.name!r}: {shape}, {self.size} bytes>"

    @property
    def header(self) -> TableHeader:
        """See :attr:`StoredFile.header`."""
        return self._header

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._data)

    @property
    def damage(self) -> list[Damage]:
        """See :attr:`StoredFile.damage`; it is told anew whenever chunks are read."""
        return self._damage

    def check(self) -> None:
        """See :meth:`StoredFile.check`."""
        for _ in self.chunks():
            pass

    def facts(self) -> dict[str, Any]:
        """See :meth:`StoredFile.facts`."""
        n_rows, abouts = self.header.n_rows, self.header.meta["columns"]
        return {
            "rows": n_rows,
            "columns": list(map(_about, abouts)),
            "source_format": self.suffix.removeprefix("."),
            "chunks": self.header.n_chunks,
            "chunk_rows": self.header.chunk_rows,
            "bytes": self.size,
            "model": self.model or "none",
            "bits_per_value": round(self.size * 8 / (n_rows * len(abouts)), 3) if n_rows and abouts else 0.0,
        }

    @property
    def model(self) -> str:
        """Fingerprint of the model that is needed for its numbers; "" for none."""
        return str(self.header.meta.get("model", ""))

    @property
    def suffix(self) -> str:
        """Of the file that the table comes from."""
        return str(self.origin["suffix"])

    def table(self, progress: Progress = lambda rows: None) -> Table:
        """All of it. Rows that are lost are gaps, and told of in ``damage``.

        Raises:
            ModelError: the model that the file was written by is neither given nor shipped.
        """
        return self.assembled(self.chunks(progress))

    def assembled(self, chunks: Iterable[Chunk]) -> Table:
        """The table of all chunks, in order."""
        pairs = [(self.header.rows_of(index), parts) for index, parts in chunks]
        columns = []
        for number, (column, encoding) in enumerate(self._columns):
            pieces = [_piece(column, encoding, rows, parts[number] if parts else None) for rows, parts in pairs]
            values, cells = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
            columns.append(replace(column, values=values, cells=cells))
        return Table(columns, self.origin)

    def chunks(self, progress: Progress = lambda rows: None) -> Iterator[Chunk]:
        """The number of each chunk, and its columns as integers; None for a chunk that is lost."""
        try:
            model = find(self.model, self._given) if self.model else None
        except ModelError as error:
            raise ModelError(f"{self.name}: {error}") from None
        self._damage = []
        offset = self._start
        sizes = [column.values.dtype.itemsize if column.dtype in FLOATS else 0 for column, _ in self._columns]
        for index, size in enumerate(self.header.sizes):
            rows = self.header.rows_of(index)
            parts = None
            try:
                data = self._data[offset : offset + size]
                n_rows = rows.stop - rows.start
                parts = decode_chunk(data, index, n_rows=n_rows, literal_sizes=sizes, model=model)
            except DamageError as damage:
                self._damage.append(Damage(str(damage), index, rows.start, rows.stop, "rows"))
            offset += size
            progress(rows.stop - rows.start)
            yield index, parts
        if offset < len(self._data):
            self._damage.append(Damage(f"{len(self._data) - offset} bytes follow the last chunk"))


def _about(about: dict[str, Any]) -> str:
    zone = f" in {about['zone']}" if "zone" in about else ""
    bound = f"within {about['bound']:g}" if "bound" in about else "exact"
    words = " in a dictionary" if "dictionary" in about else ""
    return f"{about['name']}: {about['dtype']}{words}{zone}, {bound}"


def _column(about: dict[str, Any], checked: ColumnMeta) -> Column:
    """A column without rows."""
    extras: dict[str, Any] = {key: about[key] for key in ("zone", "notes", "style", "nullable") if key in about}
    if checked.dictionary is not None:
        words = cast(DictionaryEncoding, checked.encoding).words
        extras["dictionary"] = Dictionary(checked.dictionary.index, checked.dictionary.ordered, words)
    nothing = np.zeros(0, np.dtype(checked.stored))
    return Column(checked.name, checked.dtype, nothing, np.zeros(0, np.uint8), **extras)


def _piece(column: Column, encoding: ColumnEncoding, rows: slice, chunk: ColumnChunk | None) -> tuple[Any, Any]:
    """Values and cells of a chunk; of a lost one, gaps."""
    n_rows, dtype = rows.stop - rows.start, column.values.dtype
    if chunk is None:
        return np.full(n_rows, "" if dtype.kind == "O" else 0, dtype), np.full(n_rows, NULL, np.uint8)
    return chunk.values(encoding, dtype), chunk.cells
