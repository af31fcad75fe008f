"""What can be asked of the values of a column: a bound of each, or a ratio that all of them come to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from vqaudio.errors import SeriesError


def amount_of(text: str) -> float:
    """A number from text; NaN for other text."""
    try:
        return float(text)
    except ValueError:
        return math.nan


@dataclass(frozen=True)
class MaxError:
    """How far decoded values may lie from the originals: ``amount``, or so much of each column's range."""

    option: ClassVar[str] = "--max-error"

    amount: float
    relative: bool = False

    @classmethod
    def parse(cls, text: str) -> MaxError:
        """From ``0.05`` or ``1%``.

        Raises:
            SeriesError: anything else, and amounts that are not above 0.
        """
        amount = amount_of(text.removesuffix("%"))
        if not 0 < amount < math.inf:
            raise SeriesError(f"--max-error {text}: expected a number above 0, or a percentage of the range, as in 1%")
        return cls(amount / 100, True) if text.endswith("%") else cls(amount)

    def of(self, values: NDArray[Any]) -> float:
        """The bound for some values, in their unit."""
        if not self.relative:
            return self.amount
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        bound = min(high * self.amount - low * self.amount, 1e308)
        return bound if values.dtype.kind in "iu" else bound * (1 - 2**-40)  # whichever way a reader rounds the range

    def __str__(self) -> str:
        return f"{self.amount * 100:.12g}% of the range" if self.relative else f"{self.amount:.12g}"


@dataclass(frozen=True)
class RelativeError:
    """How far decoded values may lie from the originals, as a share of each: 0 stays 0, and signs stay."""

    option: ClassVar[str] = "--max-relative-error"

    amount: float

    @classmethod
    def parse(cls, text: str) -> RelativeError:
        """From ``0.001`` or ``0.1%``; SeriesError for what is not above 0 and below 1."""
        amount = amount_of(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if not 0 < amount < 1:
            raise SeriesError(f"{cls.option} {text}: expected a share of each value above 0 and below 1, as in 0.001")
        return cls(amount)

    def __str__(self) -> str:
        return f"{self.amount:.12g} of each value"


@dataclass(frozen=True)
class Psnr:
    """The least peak signal-to-noise ratio: a column's range over its root mean square error, in dB."""

    option: ClassVar[str] = "--psnr"

    decibels: float

    @classmethod
    def parse(cls, text: str) -> Psnr:
        """From ``60``; SeriesError for what is not above 0, or above 300."""
        decibels = amount_of(text)
        if not 0 < decibels <= 300:
            raise SeriesError(f"{cls.option} {text}: expected decibels above 0 and up to 300, as in 60")
        return cls(decibels)

    def rms_error(self, *, span: float, rms: float) -> float:
        """The greatest root mean square error of a column with that range and root mean square."""
        return span / 10 ** (self.decibels / 20)

    def reached(self, error: float, *, span: float, rms: float) -> str:
        """What a root mean square error comes to."""
        return f"{20 * math.log10(span / error):.2f} dB" if error else "exact"

    def __str__(self) -> str:
        return f"PSNR of {self.decibels:.12g} dB"


@dataclass(frozen=True)
class Prd:
    """The greatest percentage root mean square difference: root mean square error over root mean square."""

    option: ClassVar[str] = "--prd"

    percent: float

    @classmethod
    def parse(cls, text: str) -> Prd:
        """From ``2`` or ``2%``; SeriesError for what is not above 0 and below 100."""
        percent = amount_of(text.removesuffix("%"))
        if not 0 < percent < 100:
            raise SeriesError(f"{cls.option} {text}: expected a percentage above 0 and below 100, as in 2")
        return cls(percent)

    def rms_error(self, *, span: float, rms: float) -> float:
        """The greatest root mean square error of a column with that range and root mean square."""
        return rms * self.percent / 100

    def reached(self, error: float, *, span: float, rms: float) -> str:
        """What a root mean square error comes to."""
        return f"{100 * error / rms:.3g} %" if error else "exact"

    def __str__(self) -> str:
        return f"PRD of {self.percent:.12g} %"


ColumnBound = MaxError | RelativeError | Psnr | Prd
"""What is asked of a column. Each has ``option``, that of command lines, ``parse`` for what follows it, and words."""
