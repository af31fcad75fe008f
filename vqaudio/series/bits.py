"""Floats by their bits, exactly: as integers in the order of the floats, or as steps of rounding from a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vqaudio.series.grid import DIGITS, REFUSE_OTHERS, SAMPLE, STRAY_SHARE, Bools, Grid, Integers

FARTHEST = 16
"""Steps of rounding that values may lie from a grid."""


@dataclass(frozen=True)
class Bits:
    """Floats by their bits as integers, negative ones reversed, so that greater floats have greater numbers."""

    __pydantic_config__ = REFUSE_OTHERS

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        """The floats of some integers."""
        width = np.dtype(dtype).itemsize
        return _mirrored(numbers.astype(f"i{width}")).view(dtype)

    @staticmethod
    def numbers(values: NDArray[Any]) -> Integers:
        """The integers of some floats."""
        return _mirrored(values.view(f"i{values.dtype.itemsize}")).astype(np.int64)

    def as_json(self) -> dict[str, Any]:
        """Nothing: there is but one way."""
        return {}


def _mirrored(bits: NDArray[Any]) -> NDArray[Any]:
    return np.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)


@dataclass(frozen=True)
class Near:
    """Decimals that arithmetic, or a while as float32, has left some steps of rounding beside themselves.

    ``number = k * (2 * reach + 1) + reach + steps``, for the decimal ``k / scale`` in the type ``rounded``, seen as
    float64, and so many steps from it in the order of :class:`Bits`.
    """

    __pydantic_config__ = REFUSE_OTHERS

    scale: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
    rounded: Annotated[str, Field(strict=True, pattern="^float(16|32|64)$")]
    reach: Annotated[int, Field(strict=True, ge=0, le=2**20)]

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        """The floats of some integers."""
        wholes, steps = np.divmod(numbers, 2 * self.reach + 1)
        bits = Bits.numbers(_decimals(wholes, self.scale, self.rounded, dtype))
        return Bits().values(bits + steps - self.reach, dtype)

    def as_json(self) -> dict[str, Any]:
        """Its arguments."""
        return dict(vars(self))


def _decimals(wholes: Integers, scale: float, rounded: str, dtype: str) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return Grid(scale, True).values(wholes, rounded).astype(dtype)


def near(values: NDArray[Any]) -> tuple[Near, Integers, Bools] | None:
    """Decimals that (nearly) all values lie near to, their numbers, and which of them these hold; None for others."""
    some = values[np.linspace(0, len(values) - 1, min(SAMPLE, len(values))).astype(int)]
    for scale, rounded in _near_what(values.dtype):
        if _steps(some, scale, rounded)[2] is not None:
            wholes, steps, close = _steps(values, scale, rounded)
            if close is not None:
                reach = int(np.abs(steps[close]).max())
                way = Near(scale, rounded, reach)
                numbers = np.where(close, wholes * (2 * reach + 1) + reach + steps, 0)
                return way, numbers, close
    return None


def _near_what(dtype: np.dtype[Any]) -> Iterator[tuple[float, str]]:
    for digits in range(DIGITS["float32"]):
        yield 10.0**digits, dtype.name
        if dtype == np.float64:
            yield 10.0**digits, "float32"


def _steps(values: NDArray[Any], scale: float, rounded: str) -> tuple[Integers, Integers, Bools | None]:
    """Decimals, steps from them, and where these are few; None for that where it is seldom."""
    wholes = Grid(scale, True).numbers(values)
    bits = Bits.numbers(values)
    steps = bits - Bits.numbers(_decimals(wholes, scale, rounded, values.dtype.name))
    close = (np.abs(steps) <= FARTHEST) & (np.abs(wholes) < 2**53)
    return wholes, steps, close if int((~close).sum()) <= len(values) // STRAY_SHARE else None
