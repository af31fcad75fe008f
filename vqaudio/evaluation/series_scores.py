"""How far decoded columns are off, and what ways to store a table take."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.series import Column
from vqaudio.series.arrays import Floats
from vqaudio.series.encodings.bounds import distances


@dataclass(frozen=True)
class ColumnScore:
    """One column of numbers, decoded.

    Args:
        name: of the column.
        bound: how far values may be off; 0 for not at all.
        max_error, rmse: how far they are off, in the column's unit, over the cells that hold a value.
        prdn: ``100 * sqrt(sum (x - y)**2 / sum (x - mean x)**2)``, the normalized percentage root-mean-square
            difference (Blanco-Velasco et al., "On the use of PRD and CR parameters for ECG compression", 2005);
            NaN for columns that never change.
        predictors: in how many chunks each was used.
        original, decoded: float64 ``(rows,)``; NaN where there is no value.
    """

    name: str
    bound: float
    max_error: float
    rmse: float
    prdn: float
    predictors: Counter[str]
    original: Floats
    decoded: Floats


@dataclass(frozen=True)
class SizeScore:
    """How a table, or its numbers, may be stored.

    Args:
        name: of the codec or packer.
        n_bytes: that it takes.
        rms_share, max_share: how far values are off in units of their bounds: over all of them, and at most.
    """

    name: str
    n_bytes: int
    rms_share: float
    max_share: float


@dataclass
class TableEvaluation:
    """One table: how large it is otherwise, its columns of numbers, and all ways to store it."""

    name: str
    n_rows: int
    n_bytes: int
    n_columns: int
    columns: list[ColumnScore]
    sizes: list[SizeScore] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def n_values(self) -> int:
        """Cells in columns of numbers."""
        return self.n_rows * len(self.columns)


def score_column(original: Column, decoded: Column, *, bound: float, predictors: Counter[str]) -> ColumnScore:
    """How far one column is off, within a bound that it should keep."""
    known = original.known
    error = _errors(original.values[known], decoded.values[known])
    values = original.values[known].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        spread = rms(values - values.mean()) if len(values) else 0.0
    prdn = 100 * rms(error) / spread if 0 < spread < math.inf else math.nan
    curves = [np.where(known, column.values.astype(np.float64), np.nan) for column in (original, decoded)]
    largest = float(error.max(initial=0))
    return ColumnScore(original.name, bound, largest, rms(error), prdn, predictors, *curves)


def _errors(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    """How far two arrays are apart; integers of 64 bits are subtracted as such."""
    if one.dtype.kind == "f":
        wide, other_wide = one.astype(np.float64), other.astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinities are equal, which their difference does not say
            return np.where(one == other, 0.0, np.abs(wide - other_wide))
    return distances(one, other).astype(np.float64)


def rms(values: Floats) -> float:
    """Root mean square ``(rows,)``, of numbers whose squares no float may hold as well."""
    largest = float(np.abs(values).max(initial=0))
    return largest * math.sqrt(float(np.mean((values / largest) ** 2))) if 0 < largest < math.inf else largest
