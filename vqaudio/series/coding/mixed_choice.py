"""How a writer has the mixed coder see a column: forms are tried, on a piece of long columns, and the smallest is kept.

Reference columns are those whose steps correlate, and those whose values tell most about the column's: the mutual
information of the two, less what it takes to learn which values go together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from vqaudio.series.arrays import Integers
from vqaudio.series.coding import mixed
from vqaudio.series.coding.mixed import CASCADE, FORGETFUL, LEVELS, SYMBOLS, TREE, MixedForm
from vqaudio.series.prediction.fitting import MOST_COMPARED, reference_columns

MOST_VALUES = 2_000_000
"""Larger tables are not mixed: that takes some 3 µs a value, and 2 µs to decode."""
LAGS = 16
FEW_LAGS = 4
FEW_ROWS = 1000
"""Columns of fewer rows have ``FEW_LAGS``."""
PERIODS = (7, 12, 24, 48, 96, 144, 168, 288, 1440)
LEAST_PERIODS = 6
MOST_TREE = 1 << 12
MOST_SYMBOLS = 1 << 16
"""Columns of wider ranges are not coded bit by bit, or as symbols."""
MOST_TELLING = 2
"""Columns that are referred to for what they tell."""
PIECE_ROWS = 1 << 14
"""Forms of columns twice as long are tried on so many rows in their middle."""
COMPARED_ROWS = 1 << 13


def mixes(n_values: int, model: str | None = None) -> bool:
    """Whether columns of a table of so many values are mixed: unless there are many, or a model is named, or none."""
    return model is None and n_values <= MOST_VALUES


def encode_best(values: Integers, previous: Sequence[Integers], *, below: int) -> bytes | None:
    """A column as the fewest bytes of all forms tried; None if none takes fewer than ``below``.

    Args:
        values: int64 ``(rows,)``.
        previous: the columns that it may refer to, of the same length.
        below: bytes.
    """
    if not mixed.fits(values) or values.min() == values.max():
        return None
    if len(values) < 2 * PIECE_ROWS:
        return _smallest(values, previous, below=below)[1]
    start = len(values) // 2 - PIECE_ROWS // 2
    part = slice(start, start + PIECE_ROWS)
    form, _ = _smallest(values[part], [column[part] for column in previous])
    found = mixed.encode(form, values, previous, below=below)
    return found if found is not None and len(found) < below else None


def _smallest(
    values: Integers, previous: Sequence[Integers], *, below: int | None = None
) -> tuple[MixedForm, bytes | None]:
    """The form that takes the fewest bytes, and those if they are fewer than ``below``."""
    best, data = MixedForm(0), None

    def attempt(form: MixedForm) -> None:
        nonlocal best, data, below
        found = mixed.encode(form, values, previous, below=below)
        if found is not None and (below is None or len(found) < below):
            best, data, below = form, found, len(found)

    for form in _forms(values, previous):
        attempt(form)
    if data is not None and best.n_lags:
        attempt(replace(best, flags=best.flags | FORGETFUL))
    return best, data


def _forms(values: Integers, previous: Sequence[Integers]) -> Iterator[MixedForm]:
    """Forms that may suit a column."""
    n_lags, period = LAGS if len(values) >= FEW_ROWS else FEW_LAGS, _period(values)
    references = _references(values, previous)
    width = int(values.max()) - int(values.min())
    n_levels = len(np.unique(values))
    for stored in (0, LEVELS):
        if stored and (n_levels > len(values) // 2 or width < n_levels + n_levels // 8):
            return
        top = n_levels if stored else width
        yield MixedForm(stored | CASCADE, n_lags, references, period=period)
        if top < MOST_TREE:
            yield MixedForm(stored | CASCADE | TREE, n_lags, references, period=period)
        if top < MOST_SYMBOLS:
            yield MixedForm(stored | SYMBOLS | TREE, 0, references, period=period)


def _references(values: Integers, previous: Sequence[Integers]) -> tuple[int, ...]:
    """Columns to refer to: the most telling ones, then those whose steps correlate most."""
    fitting = [*_telling(values, previous)[:MOST_TELLING], *reference_columns(values, previous)]
    return tuple(dict.fromkeys(column for column in fitting if mixed.fits(previous[column])))


def _telling(values: Integers, previous: Sequence[Integers]) -> list[int]:
    """Columns by how many bits they tell of the values, most first; only those that tell at least a fiftieth."""
    rows = slice(None, None, max(1, len(values) // COMPARED_ROWS))
    _, own = np.unique(values[rows], return_inverse=True)
    n_own = int(own.max()) + 1
    if n_own > len(own) // 2:
        return []
    entropy, found = _entropy(own), {}
    for column in range(max(0, len(previous) - MOST_COMPARED), len(previous)):
        _, beside = np.unique(previous[column][rows], return_inverse=True)
        n_beside = int(beside.max()) + 1
        if not 2 <= n_beside <= 0.7 * len(own):
            continue
        both = beside * n_own + own
        to_learn = len(np.unique(both)) * np.log2(n_own + 1) * 0.8
        gain = entropy - (_entropy(both) - _entropy(beside)) - to_learn
        if gain > entropy / 50:
            found[column] = gain
    return sorted(found, key=found.__getitem__, reverse=True)


def _entropy(numbers: Integers) -> float:
    """Of all of them, in bits."""
    _, counts = np.unique(numbers, return_counts=True)
    return float(-(counts * np.log2(counts / len(numbers))).sum())


def _period(values: Integers) -> int:
    """The rows after which values or steps are most alike, if clearly more so than neighbours; else 0."""
    wide = values.astype(np.float64)
    steps = np.diff(wide)
    usual, best = float(np.abs(steps).mean()) if len(steps) else 0.0, (0.97, 0)
    for period in PERIODS:
        if not usual or len(values) < LEAST_PERIODS * period:
            break
        of_values = float(np.abs(wide[period:] - wide[:-period]).mean())
        of_steps = float(np.abs(steps[period:] - steps[:-period]).mean()) / 1.4
        share = min(of_values, of_steps) / usual
        if share < best[0] - 0.02:
            best = share, period
    return best[1]
