"""Parquet files to tables and back."""

from __future__ import annotations

from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from vqaudio.errors import SeriesError
from vqaudio.series.formats.arrow import first_line, from_arrow, to_arrow
from vqaudio.series.table import NULL, Table


def _text_of(metadata: dict[bytes, bytes] | None) -> dict[str, str]:
    return {key.decode("latin1"): value.decode("latin1") for key, value in (metadata or {}).items()}


def _bytes_of(notes: dict[str, str]) -> dict[bytes, bytes] | None:
    return {key.encode("latin1"): value.encode("latin1") for key, value in notes.items()} or None


def read(file: IO[bytes], name: str) -> Table:
    """A Parquet file; where its pages have checksums, they must be right.

    Raises:
        SeriesError: not a Parquet file, a damaged one, or columns that cannot be kept.
    """
    try:
        found = pq.ParquetFile(file, page_checksum_verification=True).read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SeriesError(f"{name}: cannot be read as Parquet ({first_line(error)})") from None
    columns = [
        from_arrow(field.name, data, file=name, notes=_text_of(field.metadata), nullable=field.nullable)
        for field, data in zip(found.schema, found.columns, strict=True)
    ]
    return Table(columns, {"suffix": ".parquet", "metadata": _text_of(found.schema.metadata)})


def write(table: Table, file: IO[bytes], *, name: str) -> None:
    """Write a table as Parquet, compressed with zstd, its pages with checksums.

    Raises:
        SeriesError: cells that its types do not hold.
    """
    arrays, fields = [], []
    for column in table.columns:
        try:
            array = to_arrow(column)
        except (pa.ArrowException, ValueError, OverflowError, KeyError) as error:
            raise SeriesError(
                f"{name}: column {column.name!r} cannot be written as {column.dtype} ({first_line(error)})"
            ) from None
        nullable = column.nullable or bool((column.cells == NULL).any())  # those of damaged chunks
        arrays.append(array)
        fields.append(pa.field(column.name, array.type, nullable, _bytes_of(column.notes)))
    schema = pa.schema(fields, metadata=_bytes_of(table.origin.get("metadata", {})))
    try:
        made = pa.Table.from_arrays(arrays, schema=schema)
        pq.write_table(made, file, compression="zstd", write_page_checksum=True)
    except (pa.ArrowException, ValueError) as error:
        raise SeriesError(f"{name}: cannot be written as Parquet ({first_line(error)}); write .npz or .csv") from None
