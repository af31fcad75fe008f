"""How far decoded tables are off and how small they are, beside what else makes the same numbers small.

Packers get the very integers that the ``.vq`` file holds, so that they are off by as much: without names, types,
clocks, text and gaps, which the file holds besides. Only principal components round for themselves, to about the same
error.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.components import compress_by_components, fill_gaps
from vqaudio.evaluation.packers import PACKERS, IntegerColumn
from vqaudio.evaluation.peer_scores import compare, timed
from vqaudio.evaluation.series_scores import ColumnScore, SizeScore, TableEvaluation, rms, score_column
from vqaudio.evaluation.table_peers import TablePeer
from vqaudio.files import input_name, open_input
from vqaudio.series import (
    Column,
    MaxError,
    Model,
    StoredTable,
    Table,
    compress,
    mixes,
    model_for,
    read_table,
    suffix_of,
    write_table,
)
from vqaudio.series.chunk import Chunk
from vqaudio.series.layout import Place
from vqaudio.series.stored import Progress
from vqaudio.series.table import FLOATS, INTEGERS

Step = Callable[[str], object]
VQAUDIO = "vqaudio"
QUICK = "vqaudio, quick coder"
INDEPENDENT = "vqaudio, quick coder, each column alone"


@dataclass(frozen=True)
class RoundTrip:
    """A table as a file, and decoded from it.

    Args:
        data: the ``.vq`` file.
        decoded: what it decodes to.
        columns: those of numbers, or, where values may be off, those that may.
        integers: the same columns, as the file holds them.
        bounds: of all columns of the table; 0 for those that are exact.
        seconds: that it took to write, with the check of what was written, and to read.
    """

    data: bytes
    decoded: Table
    columns: list[ColumnScore]
    integers: list[IntegerColumn]
    bounds: list[float]
    seconds: tuple[float, float]

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
    *,
    last: float = 1.0,
    model: str | None = None,
    peers: Sequence[TablePeer] = (),
    step: Step = lambda what: None,
) -> TableEvaluation:
    """Compress the last rows of a table, decode them, and compare.

    Args:
        path: a table's file.
        max_error: as for :func:`vqaudio.series.compress`; None for bit-exact.
        last: the share of the rows, above 0 and up to 1.
        model: a name as for :func:`vqaudio.series.paths.compress_file`.
        peers: other compressors to compare the file with, as :func:`vqaudio.evaluation.table_peers.find_table_peers`
            finds them.
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
        n_bytes = size_of(original, name, suffix=suffix_of(path))
    return evaluate(
        original,
        max_error,
        name=name,
        n_bytes=n_bytes,
        model=model_for(model),
        mixing=mixes(original.n_cells, model),
        peers=peers,
        step=step,
    )


def evaluate(
    original: Table,
    max_error: MaxError | None,
    *,
    name: str,
    n_bytes: int,
    model: Model | None = None,
    mixing: bool = True,
    peers: Sequence[TablePeer] = (),
    step: Step = lambda what: None,
) -> TableEvaluation:
    """The same for a table in memory, which takes ``n_bytes`` as a file."""
    step("compressing")
    coded = round_trip(original, max_error, name=name, model=model, mixing=mixing)
    result = TableEvaluation(name, original.n_rows, n_bytes, len(original.columns), coded.columns)
    shares = coded.shares
    result.sizes.append(SizeScore(VQAUDIO, len(coded.data), *shares))
    others = {QUICK: model is not None or mixing, INDEPENDENT: len(coded.columns) > 1}
    for other in (other for other, wanted in others.items() if wanted):
        step(other.removeprefix(f"{VQAUDIO}, "))
        alone = other == INDEPENDENT
        data = compress(original, max_error, lossless=max_error is None, independent=alone, mixing=False, name=name)
        result.sizes.append(SizeScore(other, len(data), *shares))
    for packer, pack in PACKERS.items():
        step(f"packing with {packer}")
        result.sizes.append(SizeScore(packer, len(pack(coded.integers)), *shares))
    if peers:
        result.comparison = compare(
            original, coded.bounds, n_bytes=len(coded.data), seconds=coded.seconds, peers=peers, step=step
        )
    step("packing principal components")
    found = _component_score(coded.columns, shares[0])
    if found is None:
        result.notes.append("PCA is left out: it takes 16 rows or more, and a bound above 0 that leaves an error.")
    else:
        result.sizes.append(found)
    return result


def round_trip(
    original: Table,
    max_error: MaxError | None,
    *,
    name: str,
    model: Model | None = None,
    mixing: bool = True,
    progress: Progress = lambda rows: None,
) -> RoundTrip:
    """Compress a table, decode it and compare; ``progress`` is told how many rows were compressed.

    Raises:
        EvaluationError: a table without numbers.
        SeriesError: one that cannot be coded.
    """
    data, pack_seconds = timed(
        lambda: compress(
            original,
            max_error,
            lossless=max_error is None,
            model=model,
            mixing=mixing,
            name=name,
            progress=progress,
        )
    )
    stored = StoredTable(data, name, model=model)
    chunks, chunk_seconds = timed(lambda: list(stored.chunks()))
    numbers, predictors = _numbers_and_predictors(chunks)
    decoded, table_seconds = timed(lambda: stored.assembled(chunks))
    bounds = [column.bound for column in stored.columns]
    kept = [at for at, column in enumerate(decoded.columns) if column.dtype in FLOATS + INTEGERS]
    if max_error is not None:  # clocks, which stay exact, burden nobody else
        kept = [at for at in kept if bounds[at] > 0] or kept
    if not kept:
        raise EvaluationError(f"{name}: has no column of numbers; expected one or more")
    columns = [
        score_column(original.columns[at], decoded.columns[at], bound=bounds[at], predictors=predictors[at])
        for at in kept
    ]
    integers = [numbers[at] for at in kept]
    return RoundTrip(data, decoded, columns, integers, bounds, (pack_seconds, chunk_seconds + table_seconds))


def last_rows(table: Table, count: int) -> Table:
    """The last rows of a table, ready to be written in the format that it comes from."""
    from vqaudio.series.cell_style import find_style  # late: Arrow takes a while to import

    columns = []
    for column in table.columns:
        texts = column.texts[-count:] if column.texts is not None else None
        part = Column(
            column.name,
            column.dtype,
            column.values[-count:],
            column.cells[-count:],
            zone=column.zone,
            notes=column.notes,
            texts=texts,
        )
        part.style = find_style(part) or {} if texts is not None else {}
        columns.append(part)
    return Table(columns, table.origin)


def size_of(table: Table, name: str, *, suffix: str) -> int:
    """Bytes of the file that a table makes."""
    file = io.BytesIO()
    write_table(table, file, name=name, suffix=suffix)
    return len(file.getvalue())


def _numbers_and_predictors(chunks: list[tuple[Place, Chunk | None]]) -> tuple[list[IntegerColumn], list[Counter[str]]]:
    """The integers of each column, and how many of its chunks each predictor has."""
    numbers, predictors = [], []
    for parts in zip(*(chunk.columns for _, chunk in chunks if chunk is not None), strict=True):
        literals = b"".join(part.literals for part in parts)
        numbers.append(IntegerColumn(np.concatenate([part.numbers for part in parts]), literals))
        predictors.append(Counter(part.predictor for part in parts))
    return numbers, predictors


def _component_score(columns: list[ColumnScore], rms_share: float) -> SizeScore | None:
    """Principal components across columns, or of windows of a single one, at about the same error; None for neither."""
    if not all(column.bound > 0 for column in columns):
        return None
    scaled = np.stack([fill_gaps(column.original) / column.bound for column in columns], 1)
    found = compress_by_components(scaled, rms_share)
    if found is None:
        return None
    error = np.abs(found.decoded - scaled)
    what = "windows" if len(columns) == 1 else "columns"
    name = f"PCA of {what}: {found.kept} of {found.most} components"
    return SizeScore(name, found.n_bytes, rms(error.ravel()), float(error.max()))
