"""How far decoded values may be off, as it is asked for, and whether they are: exact, in float64, on every machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import SeriesError, choice
from vqaudio.series.arrays import Bools
from vqaudio.series.encodings.column_bound import ColumnBound as ColumnBound
from vqaudio.series.encodings.column_bound import MaxError as MaxError
from vqaudio.series.encodings.column_bound import Prd as Prd
from vqaudio.series.encodings.column_bound import Psnr as Psnr
from vqaudio.series.encodings.column_bound import RelativeError as RelativeError
from vqaudio.series.encodings.column_bound import amount_of

_NUMBER = r"[0-9.eE+-]+%?"
_ENTRY = re.compile(rf"(?:({_NUMBER})|(.+?)=({_NUMBER}))(?:,|$)", re.DOTALL)


Amount = float | str
"""A number, or a text as command lines have it: ``"1%"``."""
Named = tuple[tuple[str, ColumnBound | None], ...]
"""Columns by name and what is asked of them; of ``""`` what is asked of all others; None for exact."""


@dataclass(frozen=True)
class Bounds:
    """What is asked of the columns of a table.

    >>> bounds = Bounds.parse({MaxError: ["1%,temperature=0.1"]})
    >>> list(map(str, bounds.of_columns(["temperature", "pressure"])))
    ['0.1', '1% of the range']

    Args:
        default: of columns that have none of their own; None where these are exact.
        named: by the names of columns; None for one that is exact.
        readings: texts that could be read in more than one way, as a name may hold ``,`` and ``=``: each with its
            readings, of which that is meant whose names are columns.
    """

    default: ColumnBound | None = None
    named: Mapping[str, ColumnBound | None] = field(default_factory=dict)
    readings: tuple[tuple[Named, ...], ...] = ()

    @classmethod
    def parse(cls, texts: Mapping[type[ColumnBound], Sequence[str]]) -> Bounds | None:
        """From what command lines were given: ``1%``, ``NAME=0.1``, or several of these with commas between.

        Args:
            texts: for each kind of bound, what stood behind its options.

        Returns:
            None where nothing was given.

        Raises:
            SeriesError: numbers that make no bound, or two bounds for the same columns.
        """
        bounds = cls()
        for kind, text in ((kind, text) for kind, given in texts.items() for text in given):
            readings = _readings(kind, text)
            if len(readings) > 1:
                bounds = cls(bounds.default, bounds.named, (*bounds.readings, readings))
            else:
                bounds = bounds.joined(readings[0])
        return bounds if bounds != cls() else None

    @classmethod
    def of_amounts(cls, amounts: Mapping[type[ColumnBound], Amount | Mapping[str | None, Amount]]) -> Bounds | None:
        """From numbers, or texts as command lines have them, for all columns or by names.

        Args:
            amounts: for each kind of bound; in mappings, None stands for columns that are not named, and 0 for exact.

        Returns:
            None where nothing was given.

        Raises:
            SeriesError: as :meth:`parse`.
        """
        bounds = cls()
        for kind, given in amounts.items():
            by_name = given if isinstance(given, Mapping) else {None: given}
            named = [(name or "", _parse(kind, str(amount), is_named=bool(name))) for name, amount in by_name.items()]
            bounds = bounds.joined(tuple(named))
        return bounds if amounts else None

    @classmethod
    def given(cls, bound: Bounds | ColumnBound | None) -> Bounds:
        """The same for all columns, unless it is for each already."""
        return bound if isinstance(bound, Bounds) else cls(bound)

    def joined(self, more: Named) -> Bounds:
        """Beside these, others.

        Raises:
            SeriesError: for columns that have one.
        """
        default, named = self.default, dict(self.named)
        for name, bound in more:
            if name in named or (not name and default is not None):
                what = f"column {name!r} has" if name else "all columns have"
                raise SeriesError(f"{what} two bounds, {named.get(name, default)} and {bound}: expected one")
            if name:
                named[name] = bound
            else:
                default = bound
        return Bounds(default, named, self.readings)

    def names(self, column: str) -> bool:
        """Whether a column has a bound of its own."""
        return column in self.named or any(
            column == name for one in self.readings for pairs in one for name, _ in pairs
        )

    def of_columns(self, names: Sequence[str]) -> list[ColumnBound | None]:
        """What is asked of each column of a table; None for exact.

        Raises:
            SeriesError: a name that no column has.
        """
        bounds = Bounds(self.default, self.named)
        for readings in self.readings:
            known = [reading for reading in readings if all(name in (*names, "") for name, _ in reading)]
            bounds = bounds.joined((known or readings)[0])
        for name in bounds.named:
            if name not in names:
                raise SeriesError(f"a bound is given for {name!r}, and there is no such column: {choice(name, names)}")
        return [bounds.named.get(name, bounds.default) for name in names]


def _readings(kind: type[ColumnBound], text: str) -> tuple[Named, ...]:
    """What a text may mean, the likeliest first."""
    entries: list[tuple[str, str]] = []
    at = 0
    while (found := _ENTRY.match(text, at)) is not None:
        entries.append((found[2] or "", found[1] or found[3]))
        at = found.end()
    if at < len(text) or not entries or text.endswith(","):
        name, _, amount = text[at:].rpartition("=")
        entries.append((name, amount))
    split = tuple((name, _parse(kind, amount, is_named=bool(name))) for name, amount in entries)
    name, _, amount = text.rpartition("=")
    if not name or split[0][0] == name:
        return (split,)
    return split, ((name, _parse(kind, amount, is_named=True)),)


def _parse(kind: type[ColumnBound], amount: str, *, is_named: bool) -> ColumnBound | None:
    if is_named and kind is MaxError and amount_of(amount.removesuffix("%")) == 0:
        return None
    return kind.parse(amount)


def equal_bits(one: NDArray[Any], other: NDArray[Any]) -> Bools:
    """Where floats are equal to the bit: 0 is not -0."""
    bits = f"u{one.dtype.itemsize}"
    return np.asarray(one.view(bits) == other.view(bits))


def within(one: NDArray[Any], other: NDArray[Any], *, bound: float) -> Bools:
    """Where two arrays of floats differ by ``bound`` or less, as real numbers.

    The rounded difference decides unless it is the bound itself; then the rounding error does, which is a float
    (Knuth, "The Art of Computer Programming", volume 2, section 4.2.2, theorem B).
    """
    with np.errstate(over="ignore", invalid="ignore"):  # signalling NaN too are no numbers, of which nothing is said
        a, b = one.astype(np.float64), other.astype(np.float64)
        difference = a - b
        minus_b = difference - a
        error = (a - (difference - minus_b)) - (b + minus_b)
        size = np.abs(difference)
        less = (size < bound) | ((size == bound) & (np.sign(difference) * error <= 0))
    return np.asarray(less | (a == b))  # infinities too


def distances(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.uint64]:
    """How far two arrays of integers are apart, where that may leave their type."""
    greater, less = np.maximum(one, other), np.minimum(one, other)
    return np.asarray(greater.astype(np.uint64) - less.astype(np.uint64))  # right modulo 2**64


def within_share(one: NDArray[Any], other: NDArray[Any], *, share: float) -> Bools:
    """Where numbers differ from others by that share of these or less; of floats, by a hair less.

    So do the texts of ``one``, which of float32 and float16 are read as other numbers of float64. Of integers it is a
    hair above: their levels are near enough by construction.
    """
    if other.dtype.kind in "iu":
        size = np.abs(other.astype(np.float64))
        return np.asarray(distances(one, other).astype(np.float64) <= size * share * (1 + 2**-48))
    with np.errstate(over="ignore", invalid="ignore"):
        a, b = one.astype(np.float64), other.astype(np.float64)
        scale = np.where(np.abs(b) < 2.0**-900, 2.0**900, 1.0)  # keeps products away from where floats lose digits
        off = np.abs(a * scale - b * scale)
        if one.dtype != np.float64:
            off = off + np.spacing(np.abs(one)).astype(np.float64) / 2
        less = (off <= np.abs(b * scale) * share * (1 - 2**-48)) & np.isfinite(a)
    return np.asarray(less | (a == b))
