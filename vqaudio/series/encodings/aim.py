"""Bounds of columns that aim at a signal-to-noise ratio: searched for by measuring what each would come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.encodings import select
from vqaudio.series.encodings.bounds import Prd, Psnr
from vqaudio.series.encodings.survey import ColumnPlan
from vqaudio.series.table import Column, Table

UNIFORM = math.sqrt(3)
"""The bound of an error that is distributed uniformly, over its root mean square."""
ROUNDS = 4
"""Times that all rows are measured, beside one at last where none of the bounds was good."""
NEAR = 0.98
"""Errors of so much of what is aimed at are near enough."""
DIGITS = 4
MOST_CHANGE = 4.0


def aim(
    pieces: Callable[[], Iterable[Table]], plans: Sequence[ColumnPlan], names: Sequence[str]
) -> tuple[list[ColumnPlan], list[str]]:
    """Plans with bounds at which columns are as good as was asked, and hardly better; and what was reached, in words.

    Errors near to uniform, as those of quantization mostly are, are the bound over the square root of 3 in root mean
    square; where a column's own grid or its literals make that wrong, the measured error tells how to go on. Where it
    tells nothing, the bound is the root mean square error itself, which is no greater than the largest.

    Args:
        pieces: gives all rows, in the chunks that will be coded.
        plans: of all columns; the bound of those that aim at a ratio is their range.
        names: of all columns.
    """
    aims = {at: plan.asked for at, plan in enumerate(plans) if isinstance(plan.asked, Psnr | Prd) and plan.bound > 0}
    if not aims:
        return list(plans), []
    spans = {at: plans[at].bound for at in aims}
    counts, sizes = _sizes(pieces(), plans, list(aims))
    wanted = {at: asked.rms_error(span=spans[at], rms=sizes[at]) for at, asked in aims.items()}
    trial = {at: _short(min(UNIFORM * wanted[at], spans[at])) for at in aims}
    best: dict[int, tuple[float, float]] = {}
    open_ones = {at for at in aims if trial[at] > 0}
    for _ in range(ROUNDS):
        if not open_ones:
            break
        for at, error in _errors(pieces(), plans, {at: trial[at] for at in open_ones}, counts).items():
            if error <= wanted[at] and error >= best.get(at, (0.0, 0.0))[1]:
                best[at] = trial[at], error
            change = NEAR**0.5 * wanted[at] / error if error else MOST_CHANGE
            following = _short(min(trial[at] * min(max(change, 1 / MOST_CHANGE), MOST_CHANGE), spans[at]))
            if NEAR * wanted[at] <= error <= wanted[at] or following in (0.0, trial[at]):
                open_ones.discard(at)
            trial[at] = following
    safe = {at: _short(wanted[at]) for at in aims if at not in best}
    for at, error in _errors(pieces(), plans, safe, counts).items() if safe else ():
        best[at] = safe[at], error
    found, reached = list(plans), []
    for at, (bound, error) in sorted(best.items()):
        found[at] = replace(plans[at], bound=bound)
        reached.append(f"{names[at]!r}: {aims[at].reached(error, span=spans[at], rms=sizes[at])}")
    return found, reached


def _short(bound: float) -> float:
    """A bound of few digits, no greater."""
    short = float(f"{bound:.{DIGITS - 1}e}")
    return short if short <= bound else float(f"{bound * (1 - 10.0 ** (1 - DIGITS)):.{DIGITS - 1}e}")


def _numbers(column: Column, plan: ColumnPlan) -> NDArray[Any]:
    """The values of some rows that a bound reaches."""
    return column.values[select.without(plan.sentinels or (), column).known]


def _sizes(
    pieces: Iterable[Table], plans: Sequence[ColumnPlan], columns: Sequence[int]
) -> tuple[dict[int, int], dict[int, float]]:
    """How many finite numbers some columns hold, and their root mean squares."""
    counts, squares = dict.fromkeys(columns, 0), dict.fromkeys(columns, 0.0)
    for piece in pieces:
        for at in columns:
            values = _numbers(piece.columns[at], plans[at]).astype(np.float64)
            values = values[np.isfinite(values)]
            counts[at] += len(values)
            with np.errstate(over="ignore"):
                squares[at] += float(values @ values)
    return counts, {at: math.sqrt(squares[at] / max(1, counts[at])) for at in columns}


def _errors(
    pieces: Iterable[Table], plans: Sequence[ColumnPlan], bounds: dict[int, float], counts: dict[int, int]
) -> dict[int, float]:
    """Root mean square errors of some columns at some bounds."""
    squares = dict.fromkeys(bounds, 0.0)
    for piece in pieces:
        for at, bound in bounds.items():
            known = _numbers(piece.columns[at], plans[at])
            found = select.encode_values(piece.columns[at], known, replace(plans[at], bound=bound))
            good = found.representable & np.isfinite(known)
            decoded = found.encoding.values(found.numbers, known.dtype.name)[good].astype(np.float64)
            off = decoded - known[good].astype(np.float64)
            squares[at] += float(off @ off)
    return {at: math.sqrt(total / max(1, counts[at])) for at, total in squares.items()}
