"""Cells as text: how they were written, and the same again.

A style is found once for a column, and tried on all of its cells; the few that it does not fit are kept as they stood
(``spelled``), so that a column's text comes back to the letter. Styles have these keys, all optional:

- ``gap``: what a cell without value holds;
- ``digits``: floats have so many behind the point; ``short``: no ``.0`` behind whole ones; else as Python writes them;
- ``stretches``: floats of so many rows have so many digits each, or are ``short`` where that is -1;
- ``exceptions``: floats that are always written as no other ones are (``0`` among ``0.50`` and ``7.25``), and how;
- ``point``: what floats have for it, where it is a comma;
- ``words``: of false and true;
- ``pattern``: of times whose days, months and years stand in another order; see :mod:`vqaudio.series.time_text`;
- ``unit``, ``between``, ``end``: the finest unit of a time, what stands before the hours, and what follows them;
- ``spelled``: rows, each counted from the one before, and their texts.

Texts are Arrow's arrays of strings: :mod:`vqaudio.series.cell_text` writes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vqaudio.series import cell_text
from vqaudio.series.table import FLOATS, NAN, NULL, Column, decimal_of

SPELLED_SHARE = 50
"""One cell in so many may be kept as it stood; beyond, no style fits."""
MOST_DIGITS = 1100
"""Digits that some float has behind its point."""
SAMPLE_ROWS = 1000
"""Cells that say which styles are tried, and which are tried in vain."""
MUCH = 10 * SAMPLE_ROWS
MOST_EXCEPTIONS = 8
"""Values that a style may name."""
ROWS_PER_STRETCH = 32
SHORT = -1
"""Stands for the digits of a stretch whose floats are ``short``."""
_TIME_UNITS = ("s", "m", "D", "ms", "us", "ns")


def render_cells(column: Column) -> Any:
    """All cells as text: an Arrow array of strings ``(rows,)``, without nulls.

    Raises:
        UnicodeEncodeError: text that UTF-8 has not.
    """
    if column.parts:
        return pa.concat_arrays([render_cells(part) for part in _stretches(column)])
    texts = _plain(column, column.style)
    for marker, text in ((NULL, column.style.get("gap", "")), (NAN, "nan")):
        if (column.cells == marker).any():
            texts = pc.if_else(pa.array(column.cells == marker), text, texts)
    gaps, spelled = column.style.get("spelled", ([], []))
    return cell_text.replaced(texts, dict(zip(accumulate(gaps), spelled, strict=True)))


def _stretches(column: Column) -> Iterator[Column]:
    """Those of a column that have a style each."""
    start = 0
    for n_rows, style in column.parts:
        rows = slice(start, start + n_rows)
        yield replace(column, values=column.values[rows], cells=column.cells[rows], style=style, parts=(), texts=None)
        start += n_rows


def find_style(column: Column) -> dict[str, Any] | None:
    """The style in which the column was written, or None where no style fits most of its texts."""
    written = column.texts if column.texts is not None else pa.array([], pa.string())
    common = known_style(column) | gap_style(column)
    best, fewest = None, len(written) // SPELLED_SHARE + 1
    tried = []
    for style in _styles(column, written):
        trial = replace(column, style=style | common, parts=())
        if len(written) > MUCH and _is_hopeless(trial, written):
            continue
        wrong = _wrong(trial, written)
        if not len(wrong):
            return trial.style
        tried.append((trial, wrong))
    for trial, wrong in tried:
        if len(wrong) > MOST_EXCEPTIONS and column.dtype in FLOATS and (found := _exceptions(column, written, wrong)):
            trial.style["exceptions"] = found
            wrong = _wrong(trial, written)
        if len(wrong) < fewest:
            rows = np.diff(wrong, prepend=0).tolist()
            spelled = {"spelled": [rows, written.take(pa.array(wrong)).to_pylist()]} if rows else {}
            best, fewest = trial.style | spelled, len(wrong)
        if not len(wrong):
            break
    if best is None and column.dtype in FLOATS and "stretches" not in column.style:
        return _style_of_stretches(column, written, common)
    return best


def _exceptions(column: Column, written: Any, wrong: NDArray[np.int64]) -> list[tuple[float, str]]:
    """Floats in ``wrong`` rows that are few, and written in one way wherever they stand."""
    found: list[tuple[float, str]] = []
    values, counts = np.unique(column.values[wrong[column.known[wrong]]], return_counts=True)
    for value in values[np.argsort(-counts, kind="stable")][:MOST_EXCEPTIONS].tolist():
        texts = written.filter(pa.array((column.values == value) & column.known)).unique()
        if len(texts) == 1:
            found.append((value, texts[0].as_py()))
    return found


def _style_of_stretches(column: Column, written: Any, common: dict[str, Any]) -> dict[str, Any] | None:
    """A style of few stretches that have so many digits each; None where there is none."""
    points = pc.find_substring(written, column.style.get("point", "."))
    behind = pc.if_else(pc.less(points, 0), 0, pc.subtract(pc.subtract(pc.utf8_length(written), points), 1))
    counts = Counter(behind.filter(pa.array(column.known)).to_pylist()).most_common(MOST_EXCEPTIONS)
    kinds = [SHORT, *(count for count, _ in counts if count <= MOST_DIGITS)]
    ends = []
    for kind in kinds:
        trial = replace(column, style=common | {"stretches": [[len(written), kind]]}, parts=())
        misfits = pc.not_equal(render_cells(trial), written).to_numpy(zero_copy_only=False)
        rows = np.where(misfits, np.arange(len(written)), len(written))
        ends.append(np.minimum.accumulate(rows[::-1])[::-1])
    stretches: list[list[int]] = []
    start = 0
    while start < len(written):
        end, place = max((int(end[start]), -place) for place, end in enumerate(ends))
        if end == start or len(stretches) * ROWS_PER_STRETCH > len(written):
            return None
        stretches.append([end - start, kinds[-place]])
        start = end
    return common | {"stretches": stretches}


def _wrong(trial: Column, written: Any) -> NDArray[np.int64]:
    """Rows that a style does not fit."""
    return np.flatnonzero(pc.not_equal(render_cells(trial), written).to_numpy(zero_copy_only=False))


def _is_hopeless(trial: Column, written: Any) -> bool:
    """Whether a style fits less than half of some cells from all over the column."""
    rows = np.linspace(0, len(written) - 1, SAMPLE_ROWS).astype(np.int64)
    some = replace(trial, values=trial.values[rows], cells=trial.cells[rows])
    equal = pc.equal(render_cells(some), written.take(pa.array(rows)))
    return int(pc.sum(equal).as_py()) < SAMPLE_ROWS // 2


def bounded_style(column: Column, sentinels: Sequence[int | float]) -> dict[str, Any]:
    """The style of a column whose values may be off: its gaps and ``sentinels`` come back to the letter."""
    style = known_style(column) | gap_style(column)
    if column.texts is None:
        return style
    if column.dtype in FLOATS and sentinels:
        rows = np.flatnonzero(np.isin(column.values, sentinels) & column.known)
        style["exceptions"] = _exceptions(column, column.texts, rows)
    odd = np.flatnonzero(pc.not_equal(column.texts, style.get("gap", "")).to_numpy(zero_copy_only=False))
    odd = odd[column.cells[odd] == NULL]
    if len(odd):
        style["spelled"] = [np.diff(odd, prepend=0).tolist(), column.texts.take(pa.array(odd)).to_pylist()]
    return style


def gap_style(column: Column) -> dict[str, Any]:
    """The style's part that says what stands in cells without value."""
    if column.texts is None or not (column.cells == NULL).any():
        return {}
    counts = column.texts.filter(pa.array(column.cells == NULL)).value_counts()
    usual = counts.field("values")[int(np.argmax(counts.field("counts").to_numpy()))].as_py()
    return {"gap": usual} if usual else {}


def known_style(column: Column) -> dict[str, Any]:
    """The style's part that who read the column found."""
    return {key: column.style[key] for key in ("point", "pattern") if key in column.style}


def _styles(column: Column, written: Any) -> Iterator[dict[str, Any]]:
    some = written.take(pa.array(np.flatnonzero(column.known)[:SAMPLE_ROWS])).to_pylist()
    if column.dtype in FLOATS:
        point = column.style.get("point", ".")
        digits = Counter(
            len(text.partition(point)[2]) for text in some if text.replace(point, "").lstrip("-").isdigit()
        )
        yield from ({"digits": count} for count, _ in digits.most_common(1) if count <= MOST_DIGITS)
        yield from ({}, {"short": True})
    elif column.dtype == "bool":
        yield {"words": [next((text for text in some if text.lower() == word), word) for word in ("false", "true")]}
    elif "pattern" in column.style:
        yield {}
    elif cell_text.is_time(column.dtype):
        usual = _usual_of_times(column)
        between = "T" if any("T" in text for text in some[:1]) else " "
        for unit in _TIME_UNITS:
            for end in ("", "Z", "+00:00") if column.zone else ("",):
                made = {"unit": unit, "between": between, "end": end}
                yield {key: value for key, value in made.items() if value != usual[key]}
    else:
        yield {}


def _usual_of_times(column: Column) -> dict[str, str]:
    """How times are written where their style says nothing else."""
    return {"unit": cell_text.usual_unit(column.dtype), "between": " ", "end": "Z" if column.zone else ""}


def _plain(column: Column, style: dict[str, Any]) -> Any:
    """All cells as if they held values."""
    if column.dtype in FLOATS:
        if style.get("stretches"):
            texts = _in_stretches(column.values, style["stretches"])
        else:
            texts = cell_text.of_floats(column.values, digits=style.get("digits"), short=style.get("short", False))
        for value, text in style.get("exceptions", ()):
            texts = pc.if_else(pa.array(column.values == value), text, texts)
        return pc.replace_substring(texts, ".", style["point"]) if style.get("point", ".") != "." else texts
    if (decimal := decimal_of(column.dtype)) is not None:
        return cell_text.of_decimals(column.values, decimal[2])
    if column.dtype == "bool":
        false, true = style.get("words", ["false", "true"])
        return pc.if_else(pa.array(column.values), true, false)
    if "pattern" in style:
        return cell_text.of_pattern(column.values, style["pattern"])
    if cell_text.is_time(column.dtype):
        found = _usual_of_times(column) | style
        return cell_text.of_times(
            column.values, column.dtype, shown=found["unit"], between=found["between"], end=found["end"]
        )
    return pa.array(column.values).cast(pa.string())


def _in_stretches(values: NDArray[Any], stretches: Sequence[Sequence[int]]) -> Any:
    """Floats in stretches of so many rows, which have so many digits each; rows beyond have none."""
    lengths, kinds = np.array(stretches, np.int64).reshape(-1, 2).T
    ends = np.minimum(np.minimum(lengths, len(values)).cumsum(), len(values))
    of_rows = np.zeros(len(values), np.int64)
    of_rows[: ends[-1]] = np.repeat(kinds, np.diff(ends, prepend=0))
    texts = pa.array([""]).take(pa.array(np.zeros(len(values), np.int64)))
    for kind in np.unique(of_rows).tolist():
        mask = of_rows == kind
        some = cell_text.of_floats(values[mask], digits=None if kind == SHORT else kind, short=True)
        texts = pc.replace_with_mask(texts, pa.array(mask), some)
    return texts
