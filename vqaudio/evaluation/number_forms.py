"""Columns of numbers in the forms that other compressors take: as they are, as decimal integers, quantized to a bound.

A compressor is as good as what it is given. So each column has several forms, and each compressor keeps the one that it
makes the least of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.series import Column
from vqaudio.series.encodings.bounds import distances, equal_bits, within

NARROW = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64)
MOST_DECIMALS = 12
EXACT_FLOATS = 2**53
MOST_NUMBER = 2**62
SHRINK = 1 - 2**-20
"""Of a step whose multiples, rounded as floats, miss the bound."""


@dataclass(frozen=True)
class Form:
    """A column as a compressor may take it.

    Args:
        name: what the form is.
        array: ``(rows,)``, integers or floats.
        restore: from such an array back to the column's values.
        tolerance: how far off a compressor may give ``array`` back; 0 for not at all.
    """

    name: str
    array: NDArray[Any]
    restore: Callable[[NDArray[Any]], NDArray[Any]]
    tolerance: float = 0.0


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, as every compressor gets it.

    Args:
        values: ``(rows,)`` in the table's type; in gaps, the value before.
        bound: how far decoded values may be off; 0 for not at all.
        forms: the values first, then other forms of them.
    """

    name: str
    values: NDArray[Any]
    bound: float
    forms: tuple[Form, ...]

    @property
    def integers(self) -> Form | None:
        """The form in integers that stands for the values, if there is one."""
        return next((form for form in self.forms if form.array.dtype.kind in "iu" and not form.tolerance), None)

    def keeps_bound(self, restored: NDArray[Any]) -> bool:
        """Whether values are within the bound, in exact arithmetic; without one, equal to the bit."""
        if self.values.dtype.kind == "f":
            if self.bound:
                return bool(within(self.values, restored, bound=self.bound).all())
            return bool(equal_bits(self.values, restored).all())
        return int(distances(self.values, restored).max(initial=np.uint64(0))) <= self.bound


def number_column(column: Column, bound: float) -> NumberColumn:
    """A column of numbers, times or flags with its forms; its values are no objects."""
    values = filled(column)
    return NumberColumn(column.name, values, bound, tuple(_forms(values, bound)))


def filled(column: Column) -> NDArray[Any]:
    """Its values, with the value before in each gap; flags and times as integers."""
    values = column.values.view(np.uint8) if column.values.dtype == bool else column.values
    good = column.known
    if good.all() or not good.any():
        return values
    latest = np.maximum.accumulate(np.where(good, np.arange(len(good)), int(np.argmax(good))))
    return np.asarray(values[latest])


def narrowed(numbers: NDArray[Any]) -> NDArray[Any]:
    """Integers in the narrowest type that holds them."""
    least, greatest = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
    fitting = (np.iinfo(kind) for kind in NARROW)
    found = next((kind.dtype for kind in fitting if kind.min <= least and greatest <= kind.max), numbers.dtype)
    return numbers.astype(found)


def _forms(values: NDArray[Any], bound: float) -> Iterator[Form]:
    dtype = values.dtype
    yield Form("values", values, lambda array: array.astype(dtype), bound)
    if dtype.kind != "f":
        yield from _quantized_integers(values, bound)
        return
    finite = bool(np.isfinite(values).all())
    if dtype == np.float64 and finite and equal_bits(_quietly(values, np.float32).astype(dtype), values).all():
        yield Form("as float32", values.astype(np.float32), lambda array: array.astype(dtype), bound)
    if finite:
        yield from _quantized_floats(values, bound)


def _quietly(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def _quantized_integers(values: NDArray[Any], bound: float) -> Iterator[Form]:
    """Multiples of the widest odd step above the least value; every integer where there is no bound."""
    least, greatest = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if greatest - least >= MOST_NUMBER or greatest >= 2**63:
        return
    base = least if bound >= 1 else 0
    half = math.floor(min(bound, greatest - least))
    numbers = (values.astype(np.int64) - base + half) // (2 * half + 1)

    def restore(array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray((array.astype(np.int64) * (2 * half + 1) + base).clip(least, greatest).astype(values.dtype))

    yield Form("quantized" if half else "narrow integers", narrowed(numbers), restore)


def _quantized_floats(values: NDArray[Any], bound: float) -> Iterator[Form]:
    """Decimals as integers, and multiples of the widest step: of decimals, or any."""
    dtype = values.dtype
    decimals, numbers = _decimals(values)
    if numbers is not None:
        scale = 10.0**decimals
        half = math.floor(Fraction(bound) * 10**decimals)
        step = 2 * half + 1
        if step / scale >= 2 * bound:
            coarse = (numbers + half) // step
            restored = (coarse * step / scale).astype(dtype)
            form = Form(
                f"{decimals} decimals",
                narrowed(coarse),
                lambda array: (array.astype(np.int64) * step / scale).astype(dtype),
            )
            if not half or within(values, restored, bound=bound).all():
                yield form
                return
    if bound:
        for size in (2 * bound * (1 - 2**-40), 2 * bound * SHRINK):
            with np.errstate(over="ignore"):
                quotients = np.rint(values.astype(np.float64) / size)
            if not np.abs(quotients).max(initial=0) < EXACT_FLOATS:
                return
            if within(values, (quotients * size).astype(dtype), bound=bound).all():
                yield Form(
                    "quantized",
                    narrowed(quotients.astype(np.int64)),
                    lambda array, size=size: (array.astype(np.float64) * size).astype(dtype),  # type: ignore[misc]
                )
                return


def _decimals(values: NDArray[Any]) -> tuple[int, NDArray[np.int64] | None]:
    """The fewest decimals that give the floats to the bit, and the floats as integers of these; or None."""
    wide = values.astype(np.float64)
    if np.abs(wide).max(initial=0) >= EXACT_FLOATS:
        return 0, None
    for decimals in range(MOST_DECIMALS + 1):
        scaled = np.rint(wide * 10.0**decimals)
        if not np.abs(scaled).max(initial=0) < EXACT_FLOATS:
            break
        numbers = scaled.astype(np.int64)  # which has no negative zero
        if equal_bits((numbers / 10.0**decimals).astype(values.dtype), values).all():
            return decimals, numbers
    return 0, None
