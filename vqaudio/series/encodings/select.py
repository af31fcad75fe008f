"""The choice of an encoding for a column, and the column in it.

There are eight, and each restores a column from *numbers*, int64 ``(rows,)``:

- :class:`IntegerEncoding`: integers, times and bool, less their least value and over a step;
- :class:`GridEncoding`: floats on a grid; those that it does not represent are *literals*, stored as they are;
- :class:`NearDecimals`: floats a few units in the last place beside decimals; the others are literals;
- :class:`LevelsEncoding`: the numbers of one of these by their places in a list, where few of them occur;
- :class:`RelativeGrid` and :class:`MantissaLevels`: numbers within a share of each, on grids that grow coarser;
- :class:`FloatBits`: floats by their bits, in an order that follows theirs: any float, exactly;
- :class:`DictionaryEncoding`: texts, by the numbers of words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import SeriesError
from vqaudio.series.arrays import Integers
from vqaudio.series.coding.column import encode_column
from vqaudio.series.encodings.base import EncodedColumn, EncodedValues
from vqaudio.series.encodings.bounded_grid import encode_within, stretches
from vqaudio.series.encodings.bounds import equal_bits
from vqaudio.series.encodings.dictionary import encode_words
from vqaudio.series.encodings.float_bits import encode_bits, encode_near_decimals
from vqaudio.series.encodings.grid import GridEncoding, encode_on_grid
from vqaudio.series.encodings.integer import encode_integers
from vqaudio.series.encodings.levels import LEAST_ROWS, LevelsEncoding, by_levels
from vqaudio.series.encodings.relative import encode_relative
from vqaudio.series.encodings.sentinels import Extremes, Number, find_sentinels
from vqaudio.series.encodings.survey import ColumnPlan
from vqaudio.series.table import FLOATS, INTEGERS, NAN, SENTINEL, VALUE, Column, Table

MORE_LEVELS = 2.0
"""So many times as many values as steps of twice the bound may be cheaper exactly than within the bound."""
WORTH = 1.01
"""What values may take for being exact."""
SAMPLE_ROWS, LITERAL_BYTES = 1 << 13, 9
"""Rows by which encodings are compared, and what a literal takes there."""
NON_FINITE_SHARE = 8
"""Where more than one float in so many is infinite or an odd NaN, all are coded by their bits."""


def sentinels_of(piece: Table, plans: Sequence[ColumnPlan]) -> list[tuple[Number, ...]]:
    """The sentinels of each column of a chunk's rows: those that the plans name, or those of these rows."""
    extremes: list[Extremes | None] = []
    for column, plan in zip(piece.columns, plans, strict=True):
        extremes.append(None)
        if plan.sentinels is None and not plan.exempt and column.dtype in FLOATS + INTEGERS:
            known = column.values[column.known] if column.cells.any() else column.values
            found = Extremes(column.values.dtype.name)
            found.add(known if known.dtype.kind != "f" else known[np.isfinite(known)])
            extremes[-1] = found
    pairs = zip(plans, find_sentinels(extremes), strict=True)
    return [found if plan.sentinels is None else plan.sentinels for plan, found in pairs]


def encode(
    column: Column,
    plan: ColumnPlan,
    *,
    lossless: bool,
    name: str,
    first_row: int = 0,
    sentinels: tuple[Number, ...] = (),
) -> EncodedColumn | None:
    """Rows of a column as integers; its ``style`` is set. None where no style fits its text: it has to be one of text.

    Args:
        column: the rows.
        plan: what holds for all rows of the column.
        lossless: whether floats without fixed digits may be stored, by their bits, where there is no bound.
        name: of the file, for errors.
        first_row: the number of the first of them in the table.
        sentinels: values that stand for none.

    Raises:
        SeriesError: infinity; floats that are neither bounded nor on a grid, unless ``lossless``.
    """
    lossless = lossless or plan.exempt
    if column.dtype in FLOATS and lossless:
        _keep_odd_nans(column)
    numeric = without(sentinels, column)
    known = column.values[numeric.known] if numeric.cells.any() else column.values
    if column.dtype in FLOATS and not lossless and not plan.bounded and not np.isfinite(known).all():
        row = int(np.flatnonzero(numeric.known)[~np.isfinite(known)][0])
        raise SeriesError(
            f"{name}: row {first_row + row + 1} of column {column.name!r} holds {column.values[row]}, which cannot be "
            "coded so: leave such cells empty, give a bound (--max-error), or keep all bits (--lossless)"
        )
    values = encode_values(column, known, plan)
    encoding = values.encoding.base[1] if isinstance(values.encoding, LevelsEncoding) else values.encoding
    is_plain = column.dtype not in FLOATS or isinstance(encoding, GridEncoding)
    if not plan.bounded and not lossless and not is_plain:
        raise SeriesError(
            f"{name}: column {column.name!r} holds floats without a fixed number of digits: say how far decoded values "
            "may be off (--max-error 1% of the range, or --max-error 0.05), or --lossless to keep all bits"
        )
    if column.texts is not None and not _set_style(column, sentinels, exact=not plan.bounded):
        return None
    encoded = EncodedColumn.of_known(numeric, values, exempt=plan.exempt)
    return replace(encoded, sentinels=sentinels, marks=numeric.cells) if sentinels else encoded


def without(sentinels: tuple[Number, ...], column: Column) -> Column:
    """A column whose sentinels are marked as such, each by a number of its own."""
    if not sentinels:
        return column
    marks = column.cells.copy()
    for number, sentinel in enumerate(sentinels):
        marks[(column.values == sentinel) & column.known] = SENTINEL + number
    return replace(column, cells=marks)


def _set_style(column: Column, sentinels: tuple[Number, ...], *, exact: bool) -> bool:
    """Give a column its style; False where none fits its texts."""
    from vqaudio.series.cell_style import bounded_style, find_style  # late: Arrow takes a while to import

    style = find_style(column) if exact else bounded_style(column, sentinels)
    if style is not None:
        column.style = style
    return style is not None


def _keep_odd_nans(column: Column) -> None:
    """Take NaNs of other bits than the usual ones for values."""
    usual = equal_bits(column.values, np.full_like(column.values, np.nan))
    column.cells = np.where((column.cells == NAN) & ~usual, VALUE, column.cells).astype(np.uint8)


def encode_values(column: Column, known: NDArray[Any], plan: ColumnPlan) -> EncodedValues:
    """The cells of a column that hold a value."""
    if column.dtype in FLOATS:
        return _encode_floats(known, plan)
    if known.dtype == object:
        return encode_words(known.tolist(), column.dictionary)
    exact = by_levels(encode_integers(known, plan.bound))
    return _shorter(encode_relative(known, plan.share), exact) if plan.share else exact


def _encode_floats(values: NDArray[Any], plan: ColumnPlan) -> EncodedValues:
    """Floats; infinities and NaNs among them are literals, unless there are many."""
    finite = np.isfinite(values)
    if finite.all():
        return _encode_finite(values, plan)
    if np.count_nonzero(~finite) > len(values) // NON_FINITE_SHARE:
        return encode_bits(values)
    found = _encode_finite(values[finite], plan)
    numbers, representable = np.zeros(len(values), np.int64), finite.copy()
    numbers[finite], representable[finite] = found.numbers, found.representable
    return EncodedValues(found.encoding, numbers, representable, found.bound)


def _encode_finite(values: NDArray[Any], plan: ColumnPlan) -> EncodedValues:
    if plan.bound > 0 and (found := encode_within(values, plan.bound)) is not None:
        return _exactly(values, found)
    exact = _encode_exactly(values)
    return _shorter(encode_relative(values, plan.share), exact) if plan.share else exact


def _encode_exactly(values: NDArray[Any]) -> EncodedValues:
    return by_levels(encode_on_grid(values) or encode_near_decimals(values) or encode_bits(values))


def _exactly(values: NDArray[Any], bounded: EncodedValues) -> EncodedValues:
    """Values within a bound, or exactly where that hardly takes more: it is little more than their own steps."""
    if len(values) < LEAST_ROWS:
        return bounded
    rows = stretches(len(values))
    n_levels, n_steps = (len(np.unique(found[rows])) for found in (values, bounded.numbers))
    if n_levels > MORE_LEVELS * n_steps:
        return bounded
    exact = _encode_exactly(values)
    size, other_size = (len(json.dumps(found.encoding.as_json())) * 8 for found in (exact, bounded))
    extra = (size - other_size) / len(values)
    steps = np.abs(np.diff(exact.numbers[rows].astype(np.float64)))
    width = float(np.log2(1 + steps).mean())  # few rows say little of the entropy of steps that are all different
    if max(_entropy(exact.numbers[rows]), width) + extra > WORTH * _entropy(bounded.numbers[rows]):
        return bounded
    return replace(exact, bound=bounded.bound)


def _entropy(numbers: Integers) -> float:
    """Bits that a step takes from one number to the next, if steps were drawn at random."""
    _, counts = np.unique(np.diff(numbers), return_counts=True)
    return float(-(counts * np.log2(counts / max(1, counts.sum()))).sum() / max(1, counts.sum()))


def _shorter(relative: EncodedValues | None, exact: EncodedValues) -> EncodedValues:
    """The one of two that some rows take fewer bytes in: values that are far from precise may be shorter exactly."""
    if relative is None:
        return exact

    def cost(found: EncodedValues) -> int:
        literals = int(np.count_nonzero(~found.representable[:SAMPLE_ROWS]))
        return len(encode_column(found.numbers[:SAMPLE_ROWS], [])[0]) + LITERAL_BYTES * literals

    return min(relative, exact, key=cost)
