"""Arrow's columns to ours and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vqaudio.errors import SeriesError
from vqaudio.series.table import (
    FLOATS,
    INTEGERS,
    NAN,
    NULL,
    TEXTS,
    VALUE,
    Column,
    Dictionary,
    decimal_of,
    is_binary,
    storages_of,
)

DECIMALS = {32: pa.decimal32, 64: pa.decimal64, 128: pa.decimal128, 256: pa.decimal256}
PLAIN_EXTENSIONS = ("arrow.json", "arrow.uuid", "arrow.bool8")
"""Those of Arrow's own that have a name alone."""
EXTENSION_NAME, EXTENSION_DATA = "ARROW:extension:name", "ARROW:extension:metadata"


def from_arrow(
    name: str, data: Any, *, file: str, notes: dict[str, str] | None = None, nullable: bool = True
) -> Column:
    """A column of an Arrow table.

    Args:
        name: of the column.
        data: an Arrow array, chunked or not.
        file: its name, for errors.
        notes: what the file says of the column: units, descriptions.
        nullable: whether the file says that there may be gaps.

    Raises:
        SeriesError: a type that is not of a table of numbers, times and labels.
    """
    notes = dict(notes or {})
    if isinstance(data, pa.ChunkedArray):
        data = data.unify_dictionaries().combine_chunks()
    if (extension := _extension_of(data.type)) is not None:  # it comes back by these notes
        notes[EXTENSION_NAME], notes[EXTENSION_DATA] = extension
        data = data.storage
    cells = np.where(data.is_valid().to_numpy(zero_copy_only=False), VALUE, NULL).astype(np.uint8)
    zone = getattr(data.type, "tz", None) or ""
    try:
        dtype, values, dictionary = _values(data)
    except UnicodeDecodeError:
        raise SeriesError(f"{file}: column {name!r} holds text that is not UTF-8; write it as binary") from None
    if not storages_of(dtype):
        raise SeriesError(
            f"{file}: column {name!r} holds {data.type}, which no table here can; expected numbers, decimals, times, "
            "bool, text, bytes, or a dictionary of text: convert that column, or leave it out"
        )
    if dtype in FLOATS:
        cells[(cells == VALUE) & np.isnan(values)] = NAN
    return Column(name, dtype, values, cells, zone=zone, notes=notes, nullable=nullable, dictionary=dictionary)


def _extension_of(kind: Any) -> tuple[str, str] | None:
    """Name and description of an extension type, if it is one that can be described."""
    if not isinstance(kind, pa.BaseExtensionType):
        return None
    if kind.extension_name in PLAIN_EXTENSIONS:
        return kind.extension_name, ""
    if isinstance(kind, pa.ExtensionType):
        return kind.extension_name, kind.__arrow_ext_serialize__().decode("latin1")
    return None


def _values(data: Any) -> tuple[str, NDArray[Any], Dictionary | None]:
    """The type of a column, its values, and its dictionary where it has one; of other types, their name alone."""
    kind, dtype = data.type, _name(data.type)
    if pa.types.is_dictionary(kind):
        word_type = _name(kind.value_type)
        if word_type not in TEXTS and not is_binary(word_type):
            return dtype, np.zeros(0), None
        words = _texts(data.dictionary)
        indices = data.indices.fill_null(0).to_numpy().astype(np.int64)
        values = words[indices] if len(words) else np.full(len(data), "", object)
        values[data.is_null().to_numpy(zero_copy_only=False)] = ""
        return word_type, values, Dictionary(str(kind.index_type), bool(kind.ordered), tuple(words))
    if pa.types.is_null(kind):
        return dtype, np.zeros(len(data), np.int8), None
    if dtype in TEXTS or is_binary(dtype):
        return dtype, _texts(data), None
    if dtype == "bool":
        return dtype, data.fill_null(False).to_numpy(zero_copy_only=False), None
    if dtype in INTEGERS + FLOATS:
        return dtype, data.fill_null(pa.scalar(0, pa.int8()).cast(kind)).to_numpy(zero_copy_only=False), None
    if decimal_of(dtype):
        return dtype, _unscaled(data), None
    if storages_of(dtype):
        whole = data.view(pa.int32() if kind.bit_width == 32 else pa.int64()).fill_null(0)
        return dtype, whole.to_numpy().astype(np.int64), None
    return dtype, np.zeros(0), None


def _name(kind: Any) -> str:
    """What a type is called here."""
    if pa.types.is_timestamp(kind):
        return f"timestamp[{kind.unit}]"
    return {"date32[day]": "date32", "date64[ms]": "date64", "halffloat": "float16", "float": "float32"}.get(
        str(kind), "float64" if pa.types.is_float64(kind) else str(kind)
    )


def _texts(data: Any) -> NDArray[Any]:
    """Texts, and bytes by their names in Latin-1; empty ones in gaps."""
    if data.type in (pa.string(), pa.large_string()):
        with suppress(pa.ArrowException):  # which does not say that text is not UTF-8
            return cast(NDArray[Any], data.fill_null("").to_numpy(zero_copy_only=False))
    found = np.empty(len(data), object)
    for row, cell in enumerate(data.to_pylist()):
        found[row] = cell.decode("latin1") if isinstance(cell, bytes) else cell or ""
    return found


def _unscaled(data: Any) -> NDArray[Any]:
    """Decimals without their point: as int64, or as texts where some do not fit that."""
    width = data.type.byte_width
    raw = data.buffers()[1][data.offset * width : (data.offset + len(data)) * width]
    known = data.is_valid().to_numpy(zero_copy_only=False)
    limbs = np.frombuffer(raw, f"<i{min(width, 8)}").reshape(len(data), max(1, width // 8)).astype(np.int64)
    if (limbs[:, 1:] == limbs[:, :1] >> 63)[known].all():
        return np.where(known, limbs[:, 0], 0)
    wholes = [int.from_bytes(raw[row * width : (row + 1) * width], "little", signed=True) for row in range(len(data))]
    return np.array([str(whole) if is_known else "" for whole, is_known in zip(wholes, known, strict=True)], object)


def to_arrow(column: Column) -> Any:
    """The Arrow array of a column."""
    gaps = column.cells == NULL
    if column.dtype == "null":
        return pa.nulls(len(gaps))
    if column.dictionary is not None:
        words = _of_texts(np.array(column.dictionary.words, object), column.dtype, None)
        kind = {"string_view": "large_string", "binary_view": "large_binary"}.get(column.dtype, column.dtype)
        known = words.cast(kind)  # views cannot be looked up
        places = pc.index_in(_of_texts(column.values, kind, None), known).to_numpy(zero_copy_only=False)
        if np.isnan(places[~gaps].astype(float)).any():
            raise KeyError("a word that its dictionary has not")
        index = pa.array(np.where(gaps, 0, places).astype(np.int64), mask=gaps).cast(column.dictionary.index)
        return pa.DictionaryArray.from_arrays(index, words, ordered=column.dictionary.ordered)
    if column.dtype in TEXTS or is_binary(column.dtype):
        return _of_texts(column.values, column.dtype, gaps)
    if column.dtype in FLOATS:
        values = column.values.copy()
        values[column.cells == NAN] = np.nan
        return pa.array(values, mask=gaps)
    if column.dtype in INTEGERS or column.dtype == "bool":
        return pa.array(column.values, mask=gaps)
    if (decimal := decimal_of(column.dtype)) is not None:
        bits, digits, scale = decimal
        raw = _scaled(column.values, bits // 8)
        kind, valid = DECIMALS[bits](digits, scale), pa.array(~gaps).buffers()[1]
        return pa.Array.from_buffers(kind, len(gaps), [valid, pa.py_buffer(raw)])
    kind = pa.type_for_alias(column.dtype)
    if column.zone:
        kind = pa.timestamp(kind.unit, column.zone)
    return pa.array(column.values.astype(f"int{kind.bit_width}"), mask=gaps).view(kind)


def _scaled(values: NDArray[Any], width: int) -> bytes:
    """Decimals without their point as Arrow has them, in so many bytes each."""
    if values.dtype == object:
        return b"".join(int(value or 0).to_bytes(width, "little", signed=True) for value in values.tolist())
    if width < 8:
        if (values.astype(np.int32) != values).any():
            raise OverflowError("digits that it does not hold")
        return values.astype("<i4").tobytes()
    return np.stack([values, *[values >> 63] * (width // 8 - 1)], 1).astype("<i8").tobytes()


def _of_texts(values: NDArray[Any], dtype: str, gaps: NDArray[np.bool_] | None) -> Any:
    if not is_binary(dtype):
        return pa.array(values, pa.type_for_alias(dtype), mask=gaps)
    width = dtype.removeprefix("fixed_size_binary[").removesuffix("]")
    kind = pa.binary(int(width)) if width.isdigit() else pa.type_for_alias(dtype)
    missing = np.zeros(len(values), bool) if gaps is None else gaps
    return pa.array(
        [None if gap else text.encode("latin1") for text, gap in zip(values.tolist(), missing, strict=True)], kind
    )


def first_line(error: BaseException) -> str:
    """What an error says, without what Arrow adds below."""
    return str(error).partition("\n")[0]


def rechunked(batches: Iterator[Any], rows: int, *, n_skipped: int = 0) -> Iterator[Any]:
    """Record batches as tables of so many rows each but the last, without the first rows of the first."""
    held: list[Any] = []
    n_held = 0
    for batch in batches:
        held.append(batch.slice(n_skipped))
        n_skipped, n_held = 0, n_held + held[-1].num_rows
        while n_held >= rows:
            table = pa.Table.from_batches(held)
            ready, held, n_held = [table.slice(0, rows)], table.slice(rows).to_batches(), n_held - rows
            del table  # nothing but what is left over is held while a table is in use
            yield ready.pop()
    if n_held:
        ready, held = [pa.Table.from_batches(held)], []
        yield ready.pop()
