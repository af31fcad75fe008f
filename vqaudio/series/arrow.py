"""Arrow's columns to ours and back, and Parquet files."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vqaudio.errors import SeriesError
from vqaudio.series.table import FLOATS, INTEGERS, NAN, NULL, VALUE, Column, Table

TEXTS = ("string", "large_string")


def from_arrow(name: str, data: Any, metadata: dict[bytes, bytes] | None, file: str) -> Column:
    """A column of an Arrow table.

    Raises:
        SeriesError: a type that is not of a table of numbers, times and labels.
    """
    if isinstance(data, pa.ChunkedArray):
        data = data.combine_chunks()
    if pa.types.is_dictionary(data.type):
        data = data.dictionary_decode()
    kind, notes = data.type, _text_of(metadata)
    cells = np.where(data.is_valid().to_numpy(zero_copy_only=False), VALUE, NULL).astype(np.uint8)
    if pa.types.is_null(kind):
        return Column(name, "null", np.zeros(len(data), np.int8), cells, notes=notes)
    if str(kind) in TEXTS:
        return Column(name, str(kind), np.array(data.fill_null("").to_pylist(), object), cells, notes=notes)
    if pa.types.is_boolean(kind):
        return Column(name, "bool", data.fill_null(False).to_numpy(zero_copy_only=False), cells, notes=notes)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = data.fill_null(pa.scalar(0, pa.int8()).cast(kind)).to_numpy(zero_copy_only=False)
        missing = (cells == VALUE) & np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(cells), bool)
        cells[missing] = NAN
        return Column(name, values.dtype.name, np.where(missing, 0, values).astype(values.dtype), cells, notes=notes)
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        whole = data.view(pa.int32() if kind.bit_width == 32 else pa.int64()).fill_null(0)
        zone = getattr(kind, "tz", None) or ""
        dtype = str(pa.timestamp(kind.unit)) if zone else str(kind)
        return Column(name, _alias(dtype), whole.to_numpy().astype(np.int64), cells, zone, notes)
    raise SeriesError(f"{file}: column {name!r} holds {kind}; expected numbers, times, bool or text")


def _alias(dtype: str) -> str:
    return dtype.replace("[day]", "") if dtype.startswith("date32") else dtype.replace("date64[ms]", "date64")


def _text_of(metadata: dict[bytes, bytes] | None) -> dict[str, str]:
    return {key.decode("latin1"): value.decode("latin1") for key, value in (metadata or {}).items()}


def _bytes_of(notes: dict[str, str]) -> dict[bytes, bytes] | None:
    return {key.encode("latin1"): value.encode("latin1") for key, value in notes.items()} or None


def to_arrow(column: Column) -> Any:
    """The Arrow array of a column."""
    gaps = column.cells == NULL
    if column.dtype == "null":
        return pa.nulls(len(gaps))
    if column.dtype in TEXTS:
        return pa.array(column.values, pa.type_for_alias(column.dtype), mask=gaps)
    if column.dtype in FLOATS:
        values = column.values.copy()
        values[column.cells == NAN] = np.nan
        return pa.array(values, mask=gaps)
    if column.dtype in INTEGERS or column.dtype == "bool":
        return pa.array(column.values, mask=gaps)
    kind = pa.type_for_alias(column.dtype)
    if column.zone:
        kind = pa.timestamp(kind.unit, column.zone)
    return pa.array(column.values.astype(f"int{kind.bit_width}"), mask=gaps).view(kind)


def read_parquet(file: IO[bytes], name: str) -> Table:
    """A Parquet file.

    Raises:
        SeriesError: not a Parquet file, or columns that cannot be kept.
    """
    try:
        found = pq.read_table(file, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise SeriesError(f"{name}: cannot be read as Parquet ({first_line(error)})") from None
    columns = [
        from_arrow(field.name, data, field.metadata, name)
        for field, data in zip(found.schema, found.columns, strict=True)
    ]
    return Table(columns, {"suffix": ".parquet", "metadata": _text_of(found.schema.metadata)})


def write_parquet(table: Table, file: IO[bytes]) -> None:
    """Write a table as Parquet, compressed with zstd."""
    arrays = [to_arrow(column) for column in table.columns]
    fields = [
        pa.field(column.name, array.type, metadata=_bytes_of(column.notes))
        for column, array in zip(table.columns, arrays, strict=True)
    ]
    schema = pa.schema(fields, metadata=_bytes_of(table.origin.get("metadata", {})))
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), file, compression="zstd")


def first_line(error: BaseException) -> str:
    """What an error says, without what Arrow adds below."""
    return str(error).partition("\n")[0]
