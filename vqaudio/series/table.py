"""A table: columns of equal length with names, types and gaps, wherever they come from."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

VALUE, NULL, NAN = range(3)
"""What a cell holds: a value, nothing, or "not a number" (which floats alone can hold)."""
SENTINEL = 3
"""In files, cells hold so much and more where a value stands for none, as -200 or 999 may; in tables it is a value."""

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

TEXTS = ("string", "large_string", "string_view")
BINARIES = ("binary", "large_binary", "binary_view")
MOST_DIGITS = {32: 9, 64: 18, 128: 38, 256: 76}
"""Digits of decimals of so many bits."""

_TIMES = re.compile(r"date32|date64|time32\[(s|ms)\]|time64\[(us|ns)\]|(timestamp|duration)\[(s|ms|us|ns)\]")
_FIXED_BINARY = re.compile(r"fixed_size_binary\[([0-9]{1,7})\]")
_DECIMAL = re.compile(r"decimal(32|64|128|256)\(([0-9]{1,2}), ([0-9]{1,2})\)")


def is_binary(dtype: str) -> bool:
    """Whether cells are bytes."""
    return dtype in BINARIES or _FIXED_BINARY.fullmatch(dtype) is not None


def decimal_of(dtype: str) -> tuple[int, int, int] | None:
    """Bits, digits, and digits behind the point of a decimal type; None for other types."""
    found = _DECIMAL.fullmatch(dtype)
    if found is None:
        return None
    bits, digits, scale = map(int, found.groups())
    return (bits, digits, scale) if scale <= digits <= MOST_DIGITS[bits] and digits else None


def storages_of(dtype: str) -> tuple[str, ...]:
    """The numpy types that values of a column may have; none for a type that no column has."""
    if dtype in FLOATS + INTEGERS or dtype == "bool":
        return (dtype,)
    if dtype == "null":
        return ("int8",)
    if dtype in TEXTS or is_binary(dtype):
        return ("object",)
    if decimal_of(dtype):
        return ("int64", "object")
    return ("int64",) if _TIMES.fullmatch(dtype) else ()


@dataclass(frozen=True)
class Dictionary:
    """What a column has whose words are a dictionary, as Arrow calls it; a category elsewhere.

    Args:
        index: the integer type that words are counted in.
        ordered: whether the words' order means something.
        words: all of them, those that no cell holds included.
    """

    index: str
    ordered: bool
    words: tuple[str, ...]


@dataclass
class Column:
    """One column.

    Args:
        name: as the file has it; need not be unique. Units that stand in it stay in it.
        dtype: ``int8`` ... ``uint64``, ``float16`` ... ``float64``, ``bool``, ``null``, or as Arrow names it: a text
            (``string`` ...), bytes (``binary``, ``fixed_size_binary[4]`` ...), a decimal (``decimal128(10, 2)``) or a
            time (``timestamp[s]``, ``date32``, ``time64[us]``, ``duration[ms]`` ...).
        values: ``(rows,)`` in the numpy type of that name; times as int64; texts as objects, and so are bytes, by their
            names in Latin-1; decimals without their point, as int64 or, where they do not fit, as text. 0 or ``""`` in
            gaps; NaN keeps its bits.
        cells: uint8 ``(rows,)`` of VALUE, NULL and NAN.
        zone: the time zone of a timestamp.
        notes: what else the file says of the column (Parquet's field metadata: units, descriptions).
        texts: all cells as they were written, an Arrow array of strings, where they come from a text file.
        style: how to write the cells as text; see :mod:`vqaudio.series.cell_style`.
        nullable: whether the file says that there may be gaps.
        dictionary: where its words are one.
        parts: rows and style of each of its stretches, in order, where one style does not do for all.
    """

    name: str
    dtype: str
    values: NDArray[Any]
    cells: NDArray[np.uint8]
    _: KW_ONLY
    zone: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    texts: Any | None = None
    style: dict[str, Any] = field(default_factory=dict)
    nullable: bool = True
    dictionary: Dictionary | None = None
    parts: tuple[tuple[int, dict[str, Any]], ...] = ()

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where there are values."""
        return np.asarray(self.cells == VALUE)


@dataclass
class Table:
    """Columns, and what restores the file that they come from.

    ``origin`` has ``suffix`` (of that file) and what its format needs: the shapes of arrays, the delimiter, metadata.
    ``remarks`` are sentences for whoever brought it: what does not come back as it was, what a bound does not reach.
    """

    columns: list[Column]
    origin: dict[str, Any]
    remarks: list[str] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Rows; all columns have as many."""
        return len(self.columns[0].cells) if self.columns else 0

    @property
    def n_cells(self) -> int:
        """Cells of all columns."""
        return self.n_rows * len(self.columns)


def known_cells(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Values and cells of an array that marks its gaps itself, if at all: NaN, or NaT, which is replaced by 0."""
    if values.dtype.kind == "f":
        return values, np.where(np.isnan(values), NAN, VALUE).astype(np.uint8)
    if values.dtype.kind not in "mM":
        return values, np.zeros(len(values), np.uint8)
    missing = np.isnat(values)
    return np.where(missing, np.zeros(1, values.dtype), values), np.where(missing, NULL, VALUE).astype(np.uint8)
