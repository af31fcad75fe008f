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


@dataclass(frozen=True)
class PeerScore:
    """One compressor on all columns of numbers.

    Args:
        name: of the compressor.
        n_bytes: for all columns, without anything that says how many there are, or of which types.
        pack_seconds, unpack_seconds: one way and the other, of the settings that were kept alone.
        rms_share, max_share: how far values are off in units of their bounds, over columns that have one.
        keeps_bounds: whether every column is within its bound, in exact arithmetic.
        column_bytes: of each column; none where columns are packed together.
        replaced: columns that it takes in no form, which zstd holds in its place.
    """

    name: str
    n_bytes: int
    pack_seconds: float
    unpack_seconds: float
    rms_share: float
    max_share: float
    keeps_bounds: bool
    column_bytes: tuple[int, ...] = ()
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True)
class PeerComparison:
    """Our whole file beside other compressors of its columns of numbers.

    Args:
        ours: the file.
        others: the compressors, at the same bounds.
        n_values: cells of the columns that they hold.
        rest: what they do not hold and our file does, in words; "" for nothing.
        rest_bytes: what that takes by zstd.
    """

    ours: PeerScore
    others: list[PeerScore]
    n_values: int
    rest: str
    rest_bytes: int

    def whole(self, score: PeerScore) -> int:
        """Bytes with the rest."""
        return score.n_bytes + (0 if score is self.ours else self.rest_bytes)

    @property
    def best(self) -> PeerScore | None:
        """The smallest of the others that keep the bounds."""
        return min((one for one in self.others if one.keeps_bounds), key=lambda one: one.n_bytes, default=None)

    @property
    def ratio(self) -> float:
        """Our size over the best one's."""
        return self.ours.n_bytes / self.whole(self.best) if self.best else math.nan


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
    comparison: PeerComparison | None = None

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
