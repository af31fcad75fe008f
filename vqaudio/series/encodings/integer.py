"""Integers, times and truth values, less their least value and in units of a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vqaudio.series.arrays import Integers
from vqaudio.series.encodings.base import ColumnEncoding, EncodedValues

LARGEST_STEP = 2**62
SAMPLE_ROWS = 1 << 12


@dataclass(frozen=True)
class IntegerEncoding(ColumnEncoding):
    """Integers: ``least + step * number``, modulo 2**64, the product held within 0 and ``span`` if that is given."""

    kind = "whole"

    least: Annotated[int, Field(strict=True, ge=-(2**63), lt=2**64)] = 0
    step: Annotated[int, Field(strict=True, ge=1, lt=2**63)] = 1
    span: Annotated[int, Field(strict=True, ge=0, lt=2**62)] | None = None

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        above = numbers if self.step == 1 else numbers * self.step
        if self.span is not None:
            above = np.clip(above, 0, self.span)
        wide = above.astype(np.uint64) + np.uint64(self.least % 2**64)
        return wide.view(np.int64).astype(dtype)


def encode_integers(values: NDArray[Any], bound: float) -> EncodedValues:
    """Integers ``(values,)``, off by ``bound`` or less: steps are odd multiples of their greatest common divisor."""
    least, greatest = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    span, all_of_them = greatest - least, np.ones(len(values), bool)
    wide = values.astype(np.uint64 if values.dtype == np.uint64 else np.int64).view(np.int64)
    if span >= LARGEST_STEP:
        return EncodedValues(IntegerEncoding(), wide, all_of_them)
    above = wide - np.uint64(least % 2**64).astype(np.int64)
    unit = _common_divisor(above)
    either_side = int(min(bound, LARGEST_STEP // 4)) // unit
    step = unit * (2 * either_side + 1)
    numbers = above if step == 1 else (above + step // 2) // step
    return EncodedValues(IntegerEncoding(least, step, span if either_side else None), numbers, all_of_them, bound)


def _common_divisor(values: Integers) -> int:
    """The greatest common divisor of all values, 1 if they are all 0."""
    unit = max(1, int(np.gcd.reduce(values[:SAMPLE_ROWS])) if len(values) else 1)
    return unit if unit == 1 else max(1, int(np.gcd.reduce(values)))
