"""Numbers within a share of each: integers on a grid that grows coarser with them, and floats by part of their bits.

Levels are integers alone, so that all machines have the same: up to ``1 / share`` they are all integers, and beyond, in
stretches of a 32nd of their start, as far apart as the share of the start allows. So levels are
near to logarithmic, which is what the fewest of them would be, and zero is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vqaudio.series.arrays import Bools, Integers
from vqaudio.series.encodings.base import ColumnEncoding, EncodedValues
from vqaudio.series.encodings.bounds import within_share
from vqaudio.series.encodings.float_bits import NearDecimals, encode_near_decimals
from vqaudio.series.encodings.grid import EXACT, LITERAL_SHARE, find_grid

STRETCH = 32
"""The part of its start that a stretch of levels that are equally far apart is long, at least."""
FINENESS = 100
"""Least half distance of levels of floats without a grid of their own, in units of the last digit."""
MOST_DIGITS = 3
"""Half distances have no more digits before their zeros, so that decoded values are short as text."""
MANTISSA_BITS, LEAST_EXPONENT = 52, -1022
ROUNDING = {"float16": 2.0**-11, "float32": 2.0**-24, "float64": 0.0}
"""What rounding to a type may add to a share, and then its text as float64, which that of float64 does not."""
LEAST_PART = 8
"""Where less than one part in so many of a share is left beside that, floats are better kept exactly."""
Share = Annotated[float, Field(strict=True, gt=0, lt=1, allow_inf_nan=False)]


@dataclass(frozen=True)
class Levels:
    """A table of stretches of levels; all uint64 ``(stretches,)``.

    Args:
        starts: the least integer of each stretch.
        steps: between its levels, the first of which is ``starts + halves``.
        halves: no integer of it is further from a level.
        counts: the number of its first level.
    """

    starts: NDArray[np.uint64]
    steps: NDArray[np.uint64]
    halves: NDArray[np.uint64]
    counts: NDArray[np.uint64]

    def values(self, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The levels of some numbers."""
        at = np.searchsorted(self.counts, numbers, side="right") - 1
        found = self.starts[at] + self.halves[at] + self.steps[at] * (numbers - self.counts[at])
        return np.where(found < self.starts[at], np.uint64(2**64 - 1), found)  # the last may lie beyond all integers

    def numbers(self, values: NDArray[Any]) -> NDArray[np.uint64]:
        """The numbers of the levels that are nearest to integers, or floats, within :data:`EXACT`."""
        if values.dtype == np.uint64:
            at = np.searchsorted(self.starts, values, side="right") - 1
            return np.asarray(self.counts[at] + (values - self.starts[at]) // self.steps[at])
        at = np.searchsorted(self.starts.astype(np.float64), values, side="right") - 1
        above = (values - self.starts[at].astype(np.float64)) / self.steps[at].astype(np.float64)
        whole = np.where(self.halves[at] == 0, np.rint(above), np.floor(above))
        return np.asarray(self.counts[at] + whole.astype(np.uint64))


@lru_cache(maxsize=64)
def levels_of(share: float, *, odd: bool, limit: int, start: int = 0) -> Levels:
    """The levels from ``start`` to ``limit`` within a share of what they stand for.

    Args:
        share: above 0 and below 1.
        odd: whether integers alone have levels, so that these may be an odd number apart.
        limit: the greatest integer.
        start: the least.
    """
    exact = Fraction(share)
    first_off = -(-exact.denominator // exact.numerator)  # the least integer that may be off by one
    stretches, count = [], 0
    while start <= limit:
        half = exact.numerator * start // exact.denominator
        unit = 10 ** max(0, len(str(half)) - MOST_DIGITS)
        half = half // unit * unit
        step = 2 * half + 1 if odd and unit == 1 else max(1, 2 * half)
        stop = start + -(-max(1, start // STRETCH) // step) * step if half else first_off
        stop = min(limit + 1, -(-stop // unit) * unit)
        stretches.append((start, step, half, count))
        count += -(-(stop - start) // step)
        start = stop
    return Levels(*(np.array(part, np.uint64) for part in zip(*stretches, strict=True)))


def _signed(sizes: NDArray[Any], negative: Bools) -> Integers:
    """Numbers of levels as those of values: that of -0 is -1."""
    wide = sizes.astype(np.int64)
    return np.where(negative, ~wide, wide)


def _sizes(numbers: Integers) -> NDArray[np.uint64]:
    """Numbers of levels, of those of values."""
    return (numbers ^ (numbers >> 63)).view(np.uint64)


@dataclass(frozen=True)
class RelativeGrid(ColumnEncoding):
    """Levels, below zero too, times a ``unit``; those of floats over a ``scale``, or ``* scale``.

    ``number`` is that of a level, or -1 less it for negative values. With ``odd`` values are integers before the
    scale.
    """

    kind = "relative"

    share: Share
    unit: Annotated[int, Field(strict=True, ge=1, lt=2**63)] = 1
    scale: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] = 1.0
    divides: Annotated[bool, Field(strict=True)] = True
    odd: Annotated[bool, Field(strict=True)] = True

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        of_floats = dtype.startswith("float")
        sizes = self._levels(of_floats).values(_sizes(numbers))
        if of_floats:
            wide = np.copysign((sizes * np.uint64(self.unit)).astype(np.float64), np.where(numbers < 0, -1.0, 1.0))
            with np.errstate(over="ignore"):
                return (wide / self.scale if self.divides else wide * self.scale).astype(dtype)
        limits = np.iinfo(dtype)
        most = np.where(numbers < 0, np.uint64(-int(limits.min)), np.uint64(limits.max))
        wide_integers = np.where(sizes > most // np.uint64(self.unit), most, sizes * np.uint64(self.unit)).view(
            np.int64
        )
        return np.where(numbers < 0, -wide_integers, wide_integers).astype(dtype)

    def numbers(self, values: NDArray[Any]) -> Integers:
        """The numbers of some values; 0 where they are no integers that floats hold exactly."""
        if values.dtype.kind in "iu":
            wide = values.view(np.int64) if values.dtype == np.uint64 else values.astype(np.int64)
            sizes = np.where(values < 0, -wide, wide).view(np.uint64) // np.uint64(self.unit)
            return _signed(self._levels(False).numbers(sizes), values < 0)
        size = np.abs(values.astype(np.float64))
        with np.errstate(over="ignore", invalid="ignore"):
            size = size * self.scale if self.divides else size / self.scale
        size = np.where(size < EXACT, size, 0.0) / self.unit
        levels = self._levels(True)
        numbers = levels.numbers(np.rint(size).astype(np.uint64)) if self.odd else levels.numbers(size)
        return _signed(numbers, np.signbit(values))

    def _levels(self, of_floats: bool) -> Levels:
        return levels_of(self.share, odd=self.odd, limit=(EXACT - 1 if of_floats else 2**64 - 1) // self.unit)


@dataclass(frozen=True)
class MantissaLevels(ColumnEncoding):
    """Floats by their exponent and the nearest level of their mantissa: any but subnormal ones.

    The number of a level is ``1 + (exponent - least) * levels of an octave + level``, with exponents of float64, and 0
    for 0; ``number`` follows from it as in :class:`RelativeGrid`.
    """

    kind = "mantissas"

    share: Share
    least: Annotated[int, Field(strict=True, ge=LEAST_EXPONENT, le=1023)] = 0

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        levels, octave = self._levels()
        numbers_of_levels = _sizes(numbers).view(np.int64)
        exponents, parts = np.divmod(numbers_of_levels - 1, octave)
        mantissas = levels.values(np.maximum(parts, 0).astype(np.uint64)).astype(np.int64)
        exponents = np.clip(exponents + self.least, LEAST_EXPONENT, 1023)
        bits = ((exponents - LEAST_EXPONENT) << MANTISSA_BITS) + mantissas  # its leading 1 adds 1 to the exponent
        sizes = np.where(numbers_of_levels == 0, 0.0, bits.view(np.float64))
        with np.errstate(over="ignore"):
            return np.copysign(sizes, np.where(numbers < 0, -1.0, 1.0)).astype(dtype)

    def numbers(self, values: NDArray[Any]) -> Integers:
        """The numbers of some floats; those of 0 for subnormal ones and what is below the least exponent."""
        levels, octave = self._levels()
        exponents, mantissas = _parts(values)
        whole = levels.numbers(mantissas.astype(np.uint64)).astype(np.int64)
        numbers = 1 + (exponents - self.least) * octave + np.minimum(whole, octave - 1)
        numbers = np.where((exponents < self.least) | (values == 0), 0, numbers)
        return _signed(numbers, np.signbit(values))

    def _levels(self) -> tuple[Levels, int]:
        one = 1 << MANTISSA_BITS
        levels = levels_of(self.share, odd=False, limit=2 * one - 1, start=one)
        return levels, int(levels.numbers(np.array([2 * one - 1], np.uint64))[0]) + 1


def _parts(values: NDArray[Any]) -> tuple[Integers, Integers]:
    """Exponents, and mantissas with their leading 1, of floats; less than the least exponent for subnormal ones."""
    bits = values.astype(np.float64).view(np.int64) & (2**63 - 1)
    exponents = (bits >> MANTISSA_BITS) + LEAST_EXPONENT - 1
    return exponents, (bits & ((1 << MANTISSA_BITS) - 1)) | (1 << MANTISSA_BITS)


def encode_relative(values: NDArray[Any], share: float) -> EncodedValues | None:
    """Finite numbers ``(values,)`` within a share of each, and so is the text of those that are decoded.

    None where more than one in :data:`LITERAL_SHARE` would be stored as they are.
    """
    if values.dtype.kind in "iu":
        unit = int(np.gcd.reduce(np.abs(values).astype(np.uint64))) if len(values) else 1
        grid = RelativeGrid(share, min(max(1, unit), 2**62))
        return EncodedValues(grid, grid.numbers(values), np.ones(len(values), bool))
    narrower = share - 2 * ROUNDING[values.dtype.name]
    for encoding in _candidates(values, narrower) if narrower > share / LEAST_PART else ():
        numbers = encoding.numbers(values)
        decoded = encoding.values(numbers, values.dtype.name)
        good = within_share(decoded, values, share=share) & (np.signbit(decoded) == np.signbit(values))
        if int((~good).sum()) <= len(values) // LITERAL_SHARE:
            return EncodedValues(encoding, numbers, good)
    return None


def _candidates(values: NDArray[Any], share: float) -> Iterator[RelativeGrid | MantissaLevels]:
    own = find_grid(values)
    if own is not None:
        yield RelativeGrid(share, math.gcd(own.step, own.first), own.scale, own.divides)
    elif (near := encode_near_decimals(values)) is not None and isinstance(near.encoding, NearDecimals):
        yield RelativeGrid(max(share - 2 * ROUNDING["float32"], share / 2), 1, near.encoding.scale)
    sizes = np.abs(values[values != 0].astype(np.float64))
    if not len(sizes):
        return
    least = float(np.quantile(sizes, 1 / (2 * LITERAL_SHARE), method="lower"))
    digits = math.ceil(math.log10(FINENESS / share) - math.log10(least))
    if abs(digits) <= 22:
        yield RelativeGrid(share, 1, float(f"1e{abs(digits)}"), digits >= 0, odd=False)
    yield MantissaLevels(share, int(np.clip(_parts(sizes)[0].min(), LEAST_EXPONENT, 1023)))
