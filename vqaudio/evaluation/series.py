"""How far decoded tables are off and how small they are, beside what else makes the same numbers small.

All the others get the very integers that the ``.vq`` file holds, so that they are off by as much: without names, types,
clocks, text and gaps, which the file holds besides. Only principal components round for themselves, to about the same
error.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.packers import PACKERS, Integers, by_components, plain
from vqaudio.files import input_name, open_input
from vqaudio.series import (
    Column,
    MaxError,
    Model,
    StoredTable,
    Table,
    compress,
    model_for,
    read_table,
    suffix_of,
    write_table,
)
from vqaudio.series.cell_style import find_style
from vqaudio.series.codec import Chunk, Progress
from vqaudio.series.encodings.bounds import distances
from vqaudio.series.table import FLOATS, INTEGERS

Floats = NDArray[np.float64]
Step = Callable[[str], object]
OWN = "vqaudio"
WITHOUT_MODEL = "vqaudio, no network"
INDEPENDENT = "vqaudio, no network, each column alone"


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
    """A way to store the table, or its numbers.

    Args:
        name: of the way.
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


@dataclass(frozen=True)
class Coded:
    """A table as a file.

    Args:
        data: the ``.vq`` file.
        decoded: what it decodes to.
        columns: those of numbers, or, where values may be off, those that may.
        integers: the same columns, as the file holds them.
    """

    data: bytes
    decoded: Table
    columns: list[ColumnScore]
    integers: list[Integers]

    @property
    def shares(self) -> tuple[float, float]:
        """Root mean square and greatest error in units of the bounds."""
        bounded = [column for column in self.columns if column.bound > 0]
        if not bounded:
            return 0.0, 0.0
        squares = [(column.rmse / column.bound) ** 2 for column in bounded]
        return math.sqrt(sum(squares) / len(squares)), max(column.max_error / column.bound for column in bounded)


def evaluate_table(
    path: Path,
    max_error: MaxError | None,
    last: float = 1.0,
    model: str | None = None,
    step: Step = lambda what: None,
) -> TableEvaluation:
    """Compress the last rows of a table, decode them, and compare.

    Args:
        path: a table's file.
        max_error: as for :func:`vqaudio.series.compress`; None for bit-exact.
        last: the share of the rows, above 0 and up to 1.
        model: a name as for :func:`vqaudio.series.coding.model.model_for`.
        step: told what comes next.

    Raises:
        EvaluationError: a table without numbers, or a package that is missing.
        SeriesError: it cannot be read or coded.
        ModelError: no such model.
    """
    name = input_name(path)
    step(f"reading {name}")
    with open_input(path) as file:
        original = read_table(file, name, suffix=suffix_of(path))
        n_bytes = file.seek(0, 2)
    if last < 1 and original.n_rows:
        original = last_rows(original, max(1, round(original.n_rows * last)))
        n_bytes = size_of(original, name, suffix_of(path))
    chosen = model_for(original.n_cells, model)
    return evaluate(original, name, n_bytes, max_error, chosen, step)


def evaluate(
    original: Table,
    name: str,
    n_bytes: int,
    max_error: MaxError | None,
    model: Model | None = None,
    step: Step = lambda what: None,
) -> TableEvaluation:
    """The same for a table in memory, which takes ``n_bytes`` as a file."""
    step("compressing")
    coded = code(original, name, max_error, model)
    result = TableEvaluation(name, original.n_rows, n_bytes, len(original.columns), coded.columns)
    shares = coded.shares
    result.sizes.append(SizeScore(OWN, len(coded.data), *shares))
    others = {WITHOUT_MODEL: model is not None, INDEPENDENT: len(coded.columns) > 1}
    for other in (other for other, wanted in others.items() if wanted):
        step(other.removeprefix(f"{OWN}, "))
        data = compress(original, max_error, lossless=max_error is None, independent=other == INDEPENDENT, name=name)
        result.sizes.append(SizeScore(other, len(data), *shares))
    for packer, pack in PACKERS.items():
        step(f"packing with {packer}")
        result.sizes.append(SizeScore(packer, len(pack(coded.integers)), *shares))
    step("packing principal components")
    found = _components(coded.columns, shares[0])
    if found is None:
        result.notes.append("PCA is left out: it takes 16 rows or more, and a bound above 0 that leaves an error.")
    else:
        result.sizes.append(found)
    return result


def code(
    original: Table,
    name: str,
    max_error: MaxError | None,
    model: Model | None = None,
    progress: Progress = lambda rows: None,
) -> Coded:
    """Compress a table, decode it and compare; ``progress`` is told how many rows were compressed.

    Raises:
        EvaluationError: a table without numbers. SeriesError: one that cannot be coded.
    """
    data = compress(original, max_error, lossless=max_error is None, model=model, name=name, progress=progress)
    stored = StoredTable(data, name, model)
    chunks = list(stored.chunks())
    numbers, predictors = _parts(chunks)
    decoded = stored.assembled(chunks)
    bounds = [float(about.get("bound", 0)) for about in stored.header.meta["columns"]]
    kept = [at for at, column in enumerate(decoded.columns) if column.dtype in FLOATS + INTEGERS]
    if max_error is not None:  # clocks, which stay exact, burden nobody else
        kept = [at for at in kept if bounds[at] > 0] or kept
    if not kept:
        raise EvaluationError(f"{name}: has no column of numbers; expected one or more")
    columns = [_column_score(original.columns[at], decoded.columns[at], bounds[at], predictors[at]) for at in kept]
    return Coded(data, decoded, columns, [numbers[at] for at in kept])


def last_rows(table: Table, count: int) -> Table:
    """The last rows of a table, ready to be written in the format that it comes from."""
    columns = []
    for column in table.columns:
        texts = column.texts()[-count:] if column.texts else None
        part = Column(
            column.name,
            column.dtype,
            column.values[-count:],
            column.cells[-count:],
            column.zone,
            column.notes,
            None if texts is None else texts.copy,
        )
        part.style = find_style(part) or {} if texts is not None else {}
        columns.append(part)
    return Table(columns, table.origin)


def size_of(table: Table, name: str, suffix: str) -> int:
    """Bytes of the file that a table makes."""
    file = io.BytesIO()
    write_table(table, file, name=name, suffix=suffix)
    return len(file.getvalue())


def _parts(chunks: list[Chunk]) -> tuple[list[Integers], list[Counter[str]]]:
    """The integers of each column, and how many of its chunks each predictor has."""
    numbers, predictors = [], []
    for parts in zip(*(parts for _, parts in chunks if parts is not None), strict=True):
        literals = b"".join(part.literals for part in parts)
        numbers.append(Integers(np.concatenate([part.numbers for part in parts]), literals))
        predictors.append(Counter(part.predictor for part in parts))
    return numbers, predictors


# ------------------------------------------------------------------------------------------------------------- errors


def _column_score(original: Column, decoded: Column, bound: float, predictors: Counter[str]) -> ColumnScore:
    known = original.known
    error = _errors(original.values[known], decoded.values[known])
    values = original.values[known].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        spread = _rms(values - values.mean()) if len(values) else 0.0
    prdn = 100 * _rms(error) / spread if 0 < spread < math.inf else math.nan
    shown = [np.where(known, column.values.astype(np.float64), np.nan) for column in (original, decoded)]
    largest = float(error.max(initial=0))
    return ColumnScore(original.name, bound, largest, _rms(error), prdn, predictors, *shown)


def _errors(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    """How far two arrays are apart; integers of 64 bits are subtracted as such."""
    if one.dtype.kind == "f":
        wide, other_wide = one.astype(np.float64), other.astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinities are equal, which their difference does not say
            return np.where(one == other, 0.0, np.abs(wide - other_wide))
    return distances(one, other).astype(np.float64)


def _rms(values: Floats) -> float:
    """Root mean square, of numbers whose squares no float may hold as well."""
    largest = float(np.abs(values).max(initial=0))
    return largest * math.sqrt(float(np.mean((values / largest) ** 2))) if 0 < largest < math.inf else largest


# ------------------------------------------------------------------------------------------------ principal components


def _components(columns: list[ColumnScore], rms_share: float) -> SizeScore | None:
    """Principal components across columns, or of windows of a single one, at about the same error; None for neither."""
    if not all(column.bound > 0 for column in columns):
        return None
    scaled = np.stack([plain(column.original) / column.bound for column in columns], 1)
    found = by_components(scaled, rms_share)
    if found is None:
        return None
    error = np.abs(found.decoded - scaled)
    what = "windows" if len(columns) == 1 else "columns"
    name = f"PCA of {what}: {found.kept} of {found.most} components"
    return SizeScore(name, found.n_bytes, _rms(error.ravel()), float(error.max()))
