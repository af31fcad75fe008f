"""Columns as integers, which all of them are coded as, and back.

There are five ways, and each restores a column from ``numbers``, int64 ``(rows,)``:

- ``Whole``: integers, times and bool, less their least value and over a step;
- ``Grid``: floats on a grid; those that it does not hold are *literals*, stored as they are;
- ``Near``: floats a few steps of rounding beside decimals; the others are literals;
- ``Bits``: floats by their bits, in an order that follows theirs: any float, exactly;
- ``Words``: text, by the number of the word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, InstanceOf

from vqaudio.errors import SeriesError
from vqaudio.series.bits import Bits, Near, near
from vqaudio.series.grid import REFUSE_OTHERS, Bools, Grid, Integers, bounded, lattice, same, within
from vqaudio.series.table import FLOATS, INTEGERS, NAN, VALUE, Column
from vqaudio.series.text import find_style, floats_as_text, gap_style, point_style

LARGEST_STEP = 2**62
ODD_SHARE = 8
"""Where more than one float in so many is infinite or an odd NaN, all are coded by their bits."""
TIME_NAMES = {"t", "time", "date", "datetime", "timestamp", "seconds", "index"}


@dataclass(frozen=True)
class MaxError:
    """How far decoded values may lie from the originals: ``amount``, or so much of each column's range."""

    amount: float
    relative: bool = False

    @classmethod
    def parse(cls, text: str) -> MaxError:
        """From ``0.05`` or ``1%``.

        Raises:
            SeriesError: anything else, and amounts that are not above 0.
        """
        try:
            amount = float(text.removesuffix("%"))
        except ValueError:
            amount = float("nan")
        if not 0 < amount < float("inf"):
            raise SeriesError(f"--max-error {text}: expected a number above 0, or a percentage of the range, as in 1%")
        return cls(amount / 100, True) if text.endswith("%") else cls(amount)

    def of(self, values: NDArray[Any]) -> float:
        """The bound for some values, in their unit."""
        if not self.relative:
            return self.amount
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        bound = min(high * self.amount - low * self.amount, 1e308)
        return bound if values.dtype.kind in "iu" else bound * (1 - 2**-40)  # whichever way a reader rounds the range


class Way(Protocol):
    """A way from integers to a column's values."""

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        """The values that numbers stand for."""

    def as_json(self) -> dict[str, Any]:
        """What restores the way."""


@dataclass(frozen=True)
class Whole:
    """Integers: ``least + min(step * number, span)``, modulo 2**64."""

    __pydantic_config__ = REFUSE_OTHERS

    least: Annotated[int, Field(strict=True, ge=-(2**63), lt=2**64)] = 0
    step: Annotated[int, Field(strict=True, ge=1, lt=2**63)] = 1
    span: Annotated[int, Field(strict=True, ge=0, lt=2**62)] | None = None

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        above = numbers if self.span is None else np.clip(numbers * self.step, 0, self.span)
        wide = above.astype(np.uint64) + np.uint64(self.least % 2**64)
        return wide.view(np.int64).astype(dtype)

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Words:
    """Text: numbers of words."""

    __pydantic_config__ = REFUSE_OTHERS

    words: tuple[InstanceOf[str], ...]  # not pydantic's strings, which hold no lone surrogates

    @cached_property
    def _table(self) -> NDArray[Any]:
        return np.array([*self.words, ""], object)

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        return self._table[np.clip(numbers, 0, len(self.words))]

    def as_json(self) -> dict[str, Any]:
        return {"words": self.words}


WAYS = {"whole": Whole, "grid": Grid, "near": Near, "bits": Bits, "words": Words}


@dataclass
class Numbers:
    """A column as integers.

    Args:
        way: back to its values.
        numbers: int64 ``(rows,)``; where there is no value, or a literal, that of the row before.
        literals: where values stand for themselves.
        bound: how far decoded values may be off; 0 for none.
        exempt: whether it is exact whatever bound is asked for.
    """

    way: Way
    numbers: Integers
    literals: Bools
    bound: float = 0.0
    exempt: bool = False


def as_numbers(column: Column, max_error: MaxError | None, lossless: bool, is_first: bool, name: str) -> Numbers:
    """A column as integers; its ``style`` is set, and a column whose text no style fits becomes one of text.

    Args:
        column: of a table.
        max_error: the bound for numbers; those of a clock have none.
        lossless: whether floats without fixed digits may be stored, by their bits, where there is no ``max_error``.
        is_first: whether it is the first column, which may be a clock.
        name: of the file, for errors.

    Raises:
        SeriesError: infinity; floats that are neither bounded nor on a lattice, unless ``lossless``.
    """
    if column.dtype in FLOATS and lossless:
        plain = same(column.values, np.full_like(column.values, np.nan))
        column.cells = np.where((column.cells == NAN) & ~plain, VALUE, column.cells).astype(np.uint8)
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
    grid = lattice(known) if column.dtype in FLOATS and max_error is None and not lossless else None
    if column.dtype in FLOATS and max_error is None and not lossless and grid is None:
        raise SeriesError(
            f"{name}: column {column.name!r} holds floats without a fixed number of digits: say how far decoded values "
            "may be off (--max-error 1% of the range, or --max-error 0.05), or --lossless to keep all bits"
        )
    if column.texts is not None and max_error is not None:
        column.style = point_style(column) | gap_style(column, column.texts())
    elif column.texts is not None:
        style = find_style(column)
        if style is None:
            column.dtype, column.values, style = "string", np.array(column.texts(), object), {}
            column.cells = np.full_like(column.cells, VALUE)
        column.style = style
    bound = 0.0 if max_error is None else max_error.of(known)
    if column.dtype in FLOATS:
        return replace(_floats(column, bound, grid), exempt=exempt)
    if column.values.dtype == object:
        return replace(_words(column), exempt=exempt)
    return replace(_whole(column, bound), exempt=exempt)


def _is_clock(name: str, values: NDArray[Any]) -> bool:
    """Whether values rise all the time and either regularly, or under a name for time."""
    if len(values) < 3:
        return False
    wide = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(wide)
        regular = np.ptp(steps) <= 1e-6 * np.abs(steps).max() + 1e-15 * np.abs(wide).max()
    named = re.split("[^a-z]", name.lower(), maxsplit=1)[0] in TIME_NAMES
    return bool((steps > 0).all() and (regular or named))


def _floats(column: Column, bound: float, grid: Grid | None) -> Numbers:
    """Floats; infinities and NaNs among the known ones are literals, unless there are many."""
    known = column.values[column.known]
    finite = np.isfinite(known)
    if finite.all():
        return _finite(column, bound, grid)
    if np.count_nonzero(~finite) > len(known) // ODD_SHARE:
        return _filled(column, Bits(), Bits.numbers(known), np.ones(len(known), bool))
    cells = column.cells.copy()
    cells[np.flatnonzero(column.known)[~finite]] = NAN
    coded = _finite(replace(column, cells=cells), bound, None)
    return replace(coded, literals=coded.literals | (column.known & (cells == NAN)))


def _finite(column: Column, bound: float, own: Grid | None) -> Numbers:
    """Floats that are finite; ``own`` is the grid that they lie on, if that is known already."""
    known = column.values[column.known]
    if bound > 0 and (found := bounded(known, bound)) is not None:
        grid, numbers, held = found
        texts = floats_as_text(grid.values(numbers, column.dtype), {})
        held &= within(np.array(texts, np.float64), known, bound)
        return _filled(column, grid, numbers, held, bound)
    if (own := own or lattice(known)) is not None:
        numbers = own.numbers(known)
        return _filled(column, own, numbers, same(own.values(numbers, column.dtype), known))
    if (near_found := near(known)) is not None:
        return _filled(column, *near_found)
    return _filled(column, Bits(), Bits.numbers(known), np.ones(len(known), bool))


def _words(column: Column) -> Numbers:
    words = column.dictionary.words if column.dictionary is not None else column.values[column.known].tolist()
    found = dict.fromkeys(words)
    order = {word: number for number, word in enumerate(found)}
    numbers = np.array([order[word] for word in column.values[column.known].tolist()], np.int64)
    return _filled(column, Words(tuple(found)), numbers, np.ones(len(numbers), bool))


def _whole(column: Column, bound: float) -> Numbers:
    known = column.values[column.known]
    least, greatest = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    span = greatest - least
    everything = np.ones(len(known), bool)
    wide = known.astype(np.uint64 if known.dtype == np.uint64 else np.int64).view(np.int64)
    if span >= LARGEST_STEP:
        return _filled(column, Whole(), wide, everything)
    above = wide - np.uint64(least % 2**64).astype(np.int64)
    unit = max(1, int(np.gcd.reduce(above)) if len(above) else 1)
    either_side = int(min(bound, LARGEST_STEP // 4)) // unit
    step = unit * (2 * either_side + 1)
    return _filled(column, Whole(least, step, span), (above + step // 2) // step, everything, bound)


def _filled(column: Column, way: Way, numbers: Integers, held: Bools, bound: float = 0.0) -> Numbers:
    """Numbers of the known cells to those of all rows."""
    literals = np.zeros(len(column.cells), bool)
    literals[column.known] = ~held
    good = column.known & ~literals
    latest = np.maximum.accumulate(np.where(good, np.arange(len(good)), -1))
    spread = np.zeros(len(good), np.int64)
    spread[column.known] = numbers
    first = int(spread[good][0]) if good.any() else 0
    return Numbers(way, np.where(latest >= 0, spread[latest], first), literals, bound)
