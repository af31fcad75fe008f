"""What a writer predicts a column by: the difference or the linear predictor that seems to take the fewest bytes.

Weights come from exact sums and from floats in a fixed order, so that writers agree on every machine. Sources: Atal and
Hanauer, "Speech analysis and synthesis by linear prediction of the speech wave", 1971 (covariance method); prediction
from several channels follows Ghido and Tabus, "Optimization-quantization for least squares estimates", 2007.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from vqaudio.container.fields import varint
from vqaudio.series.arrays import Floats, Integers
from vqaudio.series.kernels import Output, call
from vqaudio.series.prediction.predictor import (
    MOST_LAGS,
    MOST_REFERENCES,
    ORDERS,
    REFERENCE_ROWS,
    Difference,
    Linear,
    Predictor,
    centre_of,
)

SAMPLE_ROWS, LARGE_SAMPLE_ROWS = 1 << 13, 1 << 14
"""Longer columns are fitted to so many of their rows, in stretches; the larger sample where it is less than ..."""
SAMPLE_SHARE = 16
"""... this share of them."""
STRETCHES = 16
MOST_COMPARED = 64
"""References are sought among so many columns before: what a table takes grows with its columns, not their square."""
ROWS_PER_WEIGHT = 16
"""A weight takes a byte or two, so that fewer rows cannot be worth one."""
WIDEST_RANGE = 2**40
"""Columns of a wider range are coded by differences."""
LARGEST_CENTRE = 2**61
"""Columns around greater numbers are, too."""
STEP_BITS = 20
BYTE_COST = 8192
"""What a byte costs, in 1/1024 bits."""

Candidate = tuple[Predictor, Integers]
"""A predictor, and the residuals that it leaves."""


def predict(values: Integers, previous: Sequence[Integers]) -> Candidate:
    """The predictor that seems cheapest, and its residuals.

    Args:
        values: of one column in a chunk, int64 ``(rows,)``.
        previous: the chunk's columns before, of the same length.
    """
    _, (costs,) = call("difference_costs", values, len(values), Output(len(ORDERS)))
    order = int(costs.argmin())
    differences = _differences(values, order)
    if differences.any() and (linear := _linear(values, previous)) is not None:
        residuals, cost = linear.residuals(values, previous)
        if cost + BYTE_COST * len(linear.to_bytes()) < int(costs[order]) + BYTE_COST:
            return linear, residuals
    return Difference(order), differences


def _differences(values: Integers, order: int) -> Integers:
    for _ in range(order):
        values = np.concatenate([values[:1], values[1:] - values[:-1]])
    return values


def _linear(values: Integers, previous: Sequence[Integers]) -> Linear | None:
    """The linear predictor that seems cheapest by a sample of the rows, with references or without."""
    most, centre = len(values) // ROWS_PER_WEIGHT, centre_of(values)
    if not most or _range(values) >= WIDEST_RANGE or abs(centre) >= LARGEST_CENTRE:
        return None
    references = reference_columns(values, previous)[: most // len(REFERENCE_ROWS)]
    columns = [previous[column] for column in references]
    centres = [centre, *map(centre_of, columns)]
    terms = _terms(values, columns, centres)
    of_references = sum(len(varint(column)) for column in references)
    n_bytes = len(Linear(0, centre, ()).to_bytes())
    scale, largest = len(values) / terms.shape[1], float(_largest([values, *columns], centres))
    found = Output(3 + len(terms), counted=True)
    sizes = (terms.shape[1], len(references), most, scale, largest, n_bytes, of_references)
    _, (numbers,) = call("fit_linear", terms, _products(terms), *sizes, found)
    if not len(numbers):
        return None
    n_lags, n_references, shift, *weights = numbers.tolist()
    width = len(REFERENCE_ROWS)
    of_columns = [tuple(weights[at : at + width]) for at in range(n_lags, len(weights), width)]
    pairs = tuple(zip(references[:n_references], of_columns, strict=True))
    return Linear(shift, centre, tuple(weights[:n_lags]), pairs)


def _stretches(n_rows: int) -> list[slice]:
    """Of the rows that predictors are fitted to: all, or stretches far apart."""
    size = LARGE_SAMPLE_ROWS if n_rows >= SAMPLE_SHARE * LARGE_SAMPLE_ROWS else SAMPLE_ROWS
    if n_rows <= size:
        return [slice(0, n_rows)]
    length = size // STRETCHES
    room = n_rows - length - MOST_LAGS - 1  # all have rows before and behind: zeros there would weigh too much
    starts = (MOST_LAGS + room * number // (STRETCHES - 1) for number in range(STRETCHES))
    return [slice(start, start + length) for start in starts]


def _terms(values: Integers, columns: Sequence[Integers], centres: Sequence[int]) -> Floats:
    """What may predict each row of a sample, and last what is predicted: ``(terms + 1, rows)``."""
    stretches, width = _stretches(len(values)), len(REFERENCE_ROWS)
    n_rows = sum(rows.stop - rows.start for rows in stretches)
    terms, at = np.empty((MOST_LAGS + width * len(columns) + 1, n_rows)), 0
    for rows in stretches:
        part, length = slice(at, at := at + rows.stop - rows.start), rows.stop - rows.start
        own = sliding_window_view(_centred_rows(values, centres[0], rows.start - MOST_LAGS, rows.stop), length)
        terms[:MOST_LAGS, part], terms[-1, part] = own[-2::-1], own[-1]
        for number, (column, centre) in enumerate(zip(columns, centres[1:], strict=True)):
            around = _centred_rows(column, centre, rows.start + REFERENCE_ROWS[0], rows.stop + REFERENCE_ROWS[-1])
            place = MOST_LAGS + width * number
            terms[place : place + width, part] = sliding_window_view(around, length)
    return terms


def _centred_rows(values: Integers, centre: int, start: int, stop: int) -> Floats:
    """Some rows without the centre, and 0 for rows that there are not."""
    found, first = np.zeros(stop - start), max(0, start)
    there = values[first:stop] - centre
    found[first - start : first - start + len(there)] = there
    return found


def _largest(columns: Sequence[Integers], centres: Sequence[int]) -> int:
    """What no value is farther than from its column's centre."""
    sides = [(int(column.min()), int(column.max())) for column in columns]
    return max(max(high - centre, centre - low) for (low, high), centre in zip(sides, centres, strict=True))


def _range(values: Integers) -> int:
    return int(values.max()) - int(values.min())


def reference_columns(values: Integers, previous: Sequence[Integers]) -> list[int]:
    """The numbers of the columns whose steps correlate most with those of ``values``, in order.

    Args:
        values: of a column in a chunk, int64 ``(rows,)``.
        previous: the chunk's columns before; the last ``MOST_COMPARED`` of them are compared.
    """
    compared = previous[-MOST_COMPARED:]
    if not compared:
        return []
    stretches = _stretches(len(values))
    stacked = np.stack([_sampled(column, stretches) for column in [*compared, values]])
    ranges = list(map(operator.sub, stacked.max(1).tolist(), stacked.min(1).tolist()))
    shifts = [max(0, width.bit_length() - STEP_BITS) for width in ranges]
    steps = np.diff(stacked >> np.array(shifts)[:, None])
    if len(stretches) > 1:  # no steps from one to the next
        steps = np.delete(steps, np.cumsum([rows.stop - rows.start for rows in stretches[:-1]]) - 1, axis=1)
    energies = np.einsum("cr,cr->c", steps, steps).tolist()
    products, first = (steps @ steps[-1]).tolist(), len(previous) - len(compared)
    likeness = {
        first + at: -(products[at] ** 2) / max(1, energies[-1] * energies[at])
        for at in range(len(compared))
        if 0 < ranges[at] < WIDEST_RANGE
    }
    chosen = sorted(likeness, key=likeness.__getitem__)[:MOST_REFERENCES]
    return sorted(column for column in chosen if len(stretches) == 1 or _range(previous[column]) < WIDEST_RANGE)


def _sampled(values: Integers, stretches: Sequence[slice]) -> Integers:
    return values if len(stretches) == 1 else np.concatenate([values[rows] for rows in stretches])


def _products(terms: Floats) -> Floats:
    """Sums of products of all pairs of terms; the same whichever way they are added up, since all are integers."""
    room = (53 - terms.shape[1].bit_length()) // 2
    too_wide = max(0, int(np.abs(terms).max()).bit_length() - room)
    small = np.floor(terms * 2.0**-too_wide) if too_wide else terms
    return small @ small.T
