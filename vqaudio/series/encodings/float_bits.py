"""Floats by their bits, exactly: as integers in the order of the floats, or as decimals and units in the last place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vqaudio.series.arrays import Bools, Integers
from vqaudio.series.encodings.base import ColumnEncoding, EncodedValues
from vqaudio.series.encodings.grid import BLOCK, DIGITS, LITERAL_SHARE, SAMPLE_ROWS, GridEncoding

MOST_NEAR_DIGITS = 12
MOST_LONG_WHOLE = 2**44
"""Decimals of more digits are so close together that any float is near one."""
MOST_ULPS = 16
"""Units in the last place (steps of rounding) that values may lie from a decimal."""


@dataclass(frozen=True)
class FloatBits(ColumnEncoding):
    """Floats by their bits as integers, negative ones reversed, so that greater floats have greater numbers."""

    kind = "bits"

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        width = np.dtype(dtype).itemsize
        return _mirrored(numbers.astype(f"i{width}")).view(dtype)

    @staticmethod
    def numbers(values: NDArray[Any]) -> Integers:
        """The integers of some floats."""
        return _mirrored(values.view(f"i{values.dtype.itemsize}")).astype(np.int64)


def _mirrored(bits: NDArray[Any]) -> NDArray[Any]:
    return np.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)


@dataclass(frozen=True)
class NearDecimals(ColumnEncoding):
    """Decimals that arithmetic, or a while as float32, has moved by some units in the last place (ulps).

    ``number = k * (2 * reach + 1) + reach + ulps``, for the decimal ``k / scale`` in the type ``rounded``, as float64,
    and so many ulps from it in the order of :class:`FloatBits`.
    """

    kind = "near"

    scale: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
    rounded: Annotated[str, Field(strict=True, pattern="^float(16|32|64)$")]
    reach: Annotated[int, Field(strict=True, ge=0, le=2**20)]

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        wholes, ulps = np.divmod(numbers, 2 * self.reach + 1)
        bits = FloatBits.numbers(_decimals(wholes, self.scale, self.rounded, dtype))
        return FloatBits().values(bits + ulps - self.reach, dtype)


def _decimals(wholes: Integers, scale: float, rounded: str, dtype: str) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return GridEncoding(scale, True).values(wholes, rounded).astype(dtype)


def encode_bits(values: NDArray[Any]) -> EncodedValues:
    """Any floats ``(values,)``, exactly."""
    return EncodedValues(FloatBits(), FloatBits.numbers(values), np.ones(len(values), bool))


def encode_near_decimals(values: NDArray[Any]) -> EncodedValues | None:
    """Floats ``(values,)`` that (nearly) all lie near to decimals; None for others."""
    some = values[np.linspace(0, len(values) - 1, min(SAMPLE_ROWS, len(values))).astype(int)]
    for scale, rounded in _candidates(values.dtype):
        if _ulps(some, scale, rounded)[2] is not None:
            wholes, ulps, close = _ulps(values, scale, rounded)
            if close is not None:
                reach = int(np.abs(ulps[close]).max())
                numbers = np.where(close, wholes * (2 * reach + 1) + reach + ulps, 0)
                return EncodedValues(NearDecimals(scale, rounded, reach), numbers, close)
    return None


def _candidates(dtype: np.dtype[Any]) -> Iterator[tuple[float, str]]:
    for digits in range(DIGITS["float32"]):
        yield 10.0**digits, dtype.name
        if dtype == np.float64:
            yield 10.0**digits, "float32"
    if dtype == np.float64:
        for digits in range(DIGITS["float32"], MOST_NEAR_DIGITS + 1):
            yield 10.0**digits, dtype.name


def _ulps(values: NDArray[Any], scale: float, rounded: str) -> tuple[Integers, Integers, Bools | None]:
    """Decimals, ulps from them, and where these are few; None for that where it is seldom."""
    wholes, ulps, grid = np.empty(len(values), np.int64), np.empty(len(values), np.int64), GridEncoding(scale, True)
    for start in range(0, len(values), BLOCK):
        rows = slice(start, start + BLOCK)
        wholes[rows] = grid.numbers(values[rows])
        near = _decimals(wholes[rows], scale, rounded, values.dtype.name)
        ulps[rows] = FloatBits.numbers(values[rows]) - FloatBits.numbers(near)
    most = 2**53 if scale < 10.0 ** DIGITS["float32"] else MOST_LONG_WHOLE
    close = (np.abs(ulps) <= MOST_ULPS) & (np.abs(wholes) < most)
    return wholes, ulps, close if int((~close).sum()) <= len(values) // LITERAL_SHARE else None
