"""A table: columns of equal length with names, types and gaps, wherever they come from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

VALUE, NULL, NAN = range(3)
"""What a cell holds: a value, nothing, or "not a number" (which floats alone can hold)."""

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

_OTHERS = re.compile(
    r"bool|string|large_string|null|date32|date64|time32\[(s|ms)\]|time64\[(us|ns)\]|(timestamp|duration)\[(s|ms|us|ns)\]"
)


def is_dtype(name: str) -> bool:
    """Whether a column may have this type."""
    return name in FLOATS + INTEGERS or _OTHERS.fullmatch(name) is not None


@dataclass
class Column:
    """One column.

    Args:
        name: as the file has it; need not be unique. Units that stand in it stay in it.
        dtype: ``int8`` ... ``uint64``, ``float16`` ... ``float64``, ``bool``, ``string``, ``null``, or a time as Arrow
            names it: ``timestamp[s]``, ``date32``, ``time64[us]``, ``duration[ms]`` ...
        values: ``(rows,)`` in the numpy type of that name; times as int64; strings as objects; 0 or ``""`` in gaps.
        cells: uint8 ``(rows,)`` of VALUE, NULL and NAN.
        zone: the time zone of a timestamp.
        notes: what else the file says of the column (Parquet's field metadata: units, descriptions).
        texts: gives all cells as they were written, where they come from a text file.
        style: how to write the cells as text; see :mod:`vqaudio.series.text`.
    """

    name: str
    dtype: str
    values: NDArray[Any]
    cells: NDArray[np.uint8]
    zone: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    texts: Callable[[], list[str]] | None = None
    style: dict[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where there are values."""
        return np.asarray(self.cells == VALUE)


@dataclass
class Table:
    """Columns, and what restores the file that they come from.

    ``origin`` has ``suffix`` (of that file) and what its format needs: the shapes of arrays, the delimiter, metadata.
    """

    columns: list[Column]
    origin: dict[str, Any]

    @property
    def n_rows(self) -> int:
        """Rows; all columns have as many."""
        return len(self.columns[0].cells) if self.columns else 0

    @property
    def n_cells(self) -> int:
        """Cells of all columns."""
        return self.n_rows * len(self.columns)


def known_cells(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Values and cells of an array that marks its gaps itself, if at all: NaN or NaT, replaced by 0."""
    if values.dtype.kind not in "fmM":
        return values, np.zeros(len(values), np.uint8)
    missing = np.isnat(values) if values.dtype.kind in "mM" else np.isnan(values)
    cells = np.where(missing, NAN if values.dtype.kind == "f" else NULL, VALUE).astype(np.uint8)
    return np.where(missing, np.zeros(1, values.dtype), values), cells
