"""Arrow's tables to ours and back."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from vqaudio.errors import SeriesError
from vqaudio.series.formats.arrow import first_line, from_arrow, to_arrow
from vqaudio.series.table import NULL, Column, Table


def text_of(metadata: dict[bytes, bytes] | None) -> dict[str, str]:
    """Arrow's metadata by their names in Latin-1."""
    return {key.decode("latin1"): value.decode("latin1") for key, value in (metadata or {}).items()}


def bytes_of(notes: dict[str, str]) -> dict[bytes, bytes] | None:
    """What :func:`text_of` was given; None for none."""
    return {key.encode("latin1"): value.encode("latin1") for key, value in notes.items()} or None


def array_of(column: Column, name: str) -> Any:
    """The Arrow array of a column of the table ``name``; SeriesError for cells that its type does not hold."""
    try:
        return to_arrow(column)
    except (pa.ArrowException, ValueError, OverflowError, KeyError) as error:
        raise SeriesError(
            f"{name}: column {column.name!r} cannot be written as {column.dtype} ({first_line(error)})"
        ) from None


def of_arrow_table(found: Any, name: str) -> Table:
    """Our table of an Arrow table; SeriesError for columns that cannot be kept."""
    columns = [
        from_arrow(field.name, data, file=name, notes=text_of(field.metadata), nullable=field.nullable)
        for field, data in zip(found.schema, found.columns, strict=True)
    ]
    return Table(columns, {"suffix": ".parquet", "metadata": text_of(found.schema.metadata)})


def to_arrow_table(table: Table, name: str) -> Any:
    """The Arrow table of ours; SeriesError for cells that its types do not hold."""
    arrays = [array_of(column, name) for column in table.columns]
    fields = [
        pa.field(column.name, array.type, column.nullable or bool((column.cells == NULL).any()), bytes_of(column.notes))
        for column, array in zip(table.columns, arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=bytes_of(table.origin.get("metadata", {}))))
