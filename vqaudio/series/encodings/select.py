"""The choice of an encoding for a column, and the column in it.

There are five, and each restores a column from *numbers*, int64 ``(rows,)``:

- :class:`IntegerEncoding`: integers, times and bool, less their least value and over a step;
- :class:`GridEncoding`: floats on a grid; those that it does not represent are *literals*, stored as they are;
- :class:`NearDecimals`: floats a few units in the last place beside decimals; the others are literals;
- :class:`FloatBits`: floats by their bits, in an order that follows theirs: any float, exactly;
- :class:`DictionaryEncoding`: texts, by the numbers of words.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import SeriesError
from vqaudio.series.cell_style import find_style, floats_as_text, gap_style, point_style
from vqaudio.series.encodings.base import EncodedColumn
from vqaudio.series.encodings.bounds import MaxError, equal_bits, within
from vqaudio.series.encodings.dictionary import encode_words
from vqaudio.series.encodings.float_bits import FloatBits, find_near_decimals
from vqaudio.series.encodings.grid import GridEncoding, find_bounded_grid, find_grid
from vqaudio.series.encodings.integer import encode_integers
from vqaudio.series.table import FLOATS, INTEGERS, NAN, VALUE, Column

NON_FINITE_SHARE = 8
"""Where more than one float in so many is infinite or an odd NaN, all are coded by their bits."""
CLOCK_NAMES = {"t", "time", "date", "datetime", "timestamp", "seconds", "index"}


def encode(column: Column, max_error: MaxError | None, *, lossless: bool, is_first: bool, name: str) -> EncodedColumn:
    """A column as integers; its ``style`` is set, and a column whose text no style fits becomes one of text.

    Args:
        column: of a table.
        max_error: the bound for numbers; those of a clock have none.
        lossless: whether floats without fixed digits may be stored, by their bits, where there is no ``max_error``.
        is_first: whether it is the first column, which may be a clock.
        name: of the file, for errors.

    Raises:
        SeriesError: infinity; floats that are neither bounded nor on a grid, unless ``lossless``.
    """
    if column.dtype in FLOATS and lossless:
        _keep_odd_nans(column)
    known = column.values[column.known]
    if column.dtype in FLOATS and not lossless and not np.isfinite(known).all():
        row = int(np.flatnonzero(column.known)[~np.isfinite(known)][0])
        raise SeriesError(
            f"{name}: row {row + 1} of column {column.name!r} holds {column.values[row]}, which cannot be coded so: "
            "leave such cells empty, or keep all bits (--lossless)"
        )
    exempt = column.dtype not in FLOATS + INTEGERS or (is_first and _is_clock(column.name, known))
    if exempt:
        max_error, lossless = None, True
    grid = find_grid(known) if column.dtype in FLOATS and max_error is None and not lossless else None
    if column.dtype in FLOATS and max_error is None and not lossless and grid is None:
        raise SeriesError(
            f"{name}: column {column.name!r} holds floats without a fixed number of digits: say how far decoded values "
            "may be off (--max-error 1% of the range, or --max-error 0.05), or --lossless to keep all bits"
        )
    _set_style(column, is_exact=max_error is None)
    bound = 0.0 if max_error is None else max_error.of(known)
    if column.dtype in FLOATS:
        return replace(_floats(column, bound, grid), exempt=exempt)
    if column.values.dtype == object:
        return replace(encode_words(column), exempt=exempt)
    return replace(encode_integers(column, bound), exempt=exempt)


def _keep_odd_nans(column: Column) -> None:
    """Take NaNs of other bits than the usual ones for values."""
    usual = equal_bits(column.values, np.full_like(column.values, np.nan))
    column.cells = np.where((column.cells == NAN) & ~usual, VALUE, column.cells).astype(np.uint8)


def _set_style(column: Column, *, is_exact: bool) -> None:
    """Find how the cells of a text file are written; those of a column that is not exact are written anew."""
    if column.texts is None:
        return
    if not is_exact:
        column.style = point_style(column) | gap_style(column, column.texts())
        return
    style = find_style(column)
    if style is None:
        column.dtype, column.values, style = "string", np.array(column.texts(), object), {}
        column.cells = np.full_like(column.cells, VALUE)
    column.style = style


def _is_clock(name: str, values: NDArray[Any]) -> bool:
    """Whether values rise all the time and either regularly, or under a name for time."""
    if len(values) < 3:
        return False
    wide = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(wide)
        regular = np.ptp(steps) <= 1e-6 * np.abs(steps).max() + 1e-15 * np.abs(wide).max()
    named = re.split("[^a-z]", name.lower(), maxsplit=1)[0] in CLOCK_NAMES
    return bool((steps > 0).all() and (regular or named))


def _floats(column: Column, bound: float, grid: GridEncoding | None) -> EncodedColumn:
    """Floats; infinities and NaNs among the known ones are literals, unless there are many."""
    known = column.values[column.known]
    finite = np.isfinite(known)
    if finite.all():
        return _finite(column, bound, grid)
    if np.count_nonzero(~finite) > len(known) // NON_FINITE_SHARE:
        return EncodedColumn.of_known(column, FloatBits(), numbers=FloatBits.numbers(known))
    cells = column.cells.copy()
    cells[np.flatnonzero(column.known)[~finite]] = NAN
    coded = _finite(replace(column, cells=cells), bound, None)
    return replace(coded, literals=coded.literals | (column.known & (cells == NAN)))


def _finite(column: Column, bound: float, own: GridEncoding | None) -> EncodedColumn:
    """Floats that are finite; ``own`` is the grid that they lie on, if that is known already."""
    known = column.values[column.known]
    if bound > 0 and (found := find_bounded_grid(known, bound)) is not None:
        grid, numbers, representable = found
        texts = floats_as_text(grid.values(numbers, column.dtype), {})
        representable &= within(np.array(texts, np.float64), known, bound)
        return EncodedColumn.of_known(column, grid, numbers=numbers, representable=representable, bound=bound)
    if (own := own or find_grid(known)) is not None:
        numbers = own.numbers(known)
        representable = equal_bits(own.values(numbers, column.dtype), known)
        return EncodedColumn.of_known(column, own, numbers=numbers, representable=representable)
    if (near := find_near_decimals(known)) is not None:
        encoding, numbers, representable = near
        return EncodedColumn.of_known(column, encoding, numbers=numbers, representable=representable)
    return EncodedColumn.of_known(column, FloatBits(), numbers=FloatBits.numbers(known))
