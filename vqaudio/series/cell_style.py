"""Cells as text: how they were written, and the same again.

A style is found once for a column, and tried on all of its cells; the few that it does not fit are kept as they stood
(``spelled``), so that a column's text comes back to the letter. Styles have these keys, all optional:

- ``gap``: what a cell without value holds;
- ``digits``: floats have so many behind the point; ``short``: no ``.0`` behind whole ones; else as Python writes them;
- ``point``: what floats have for it, where it is a comma;
- ``words``: of false and true;
- ``unit``, ``between``, ``end``: the finest unit of a time, what stands before the hours, and what follows them;
- ``spelled``: rows, each counted from the one before, and their texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.table import FLOATS, NAN, NULL, Column, decimal_of

SPELLED_SHARE = 50
"""One cell in so many may be kept as it stood; beyond, no style fits."""
MOST_DIGITS = 1100
"""Digits that some float has behind its point."""
_TIME_UNITS = ("s", "m", "D", "ms", "us", "ns")


def render_cells(column: Column) -> list[str]:
    """All cells as text."""
    if column.parts:
        return [text for part in _stretches(column) for text in render_cells(part)]
    texts = _plain(column, column.style)
    for marker, text in ((NULL, column.style.get("gap", "")), (NAN, "nan")):
        for row in np.flatnonzero(column.cells == marker).tolist():
            texts[row] = text
    gaps, spelled = column.style.get("spelled", ([], []))
    for row, text in zip(accumulate(gaps), spelled, strict=True):
        texts[row] = text
    return texts


def _stretches(column: Column) -> Iterator[Column]:
    """Those of a column that have a style each."""
    start = 0
    for n_rows, style in column.parts:
        rows = slice(start, start + n_rows)
        yield replace(column, values=column.values[rows], cells=column.cells[rows], style=style, parts=(), texts=None)
        start += n_rows


def find_style(column: Column) -> dict[str, Any] | None:
    """The style in which the column was written, or None where no style fits most of its texts."""
    written = column.texts() if column.texts else []
    common = point_style(column) | gap_style(column, written)
    best, fewest = None, len(written) // SPELLED_SHARE + 1
    for style in _styles(column, written):
        trial = Column(column.name, column.dtype, column.values, column.cells, zone=column.zone, style=style | common)
        wrong = [row for row, (one, other) in enumerate(zip(render_cells(trial), written, strict=True)) if one != other]
        if len(wrong) < fewest:
            rows = [row - before for before, row in zip([0, *wrong], wrong, strict=False)]
            spelled = {"spelled": [rows, [written[row] for row in wrong]]} if wrong else {}
            best, fewest = trial.style | spelled, len(wrong)
        if not wrong:
            break
    return best


def gap_style(column: Column, written: list[str]) -> dict[str, Any]:
    """The style's part that says what stands in cells without value."""
    gaps = Counter(written[row] for row in np.flatnonzero(column.cells == NULL).tolist()).most_common(1)
    return {"gap": gaps[0][0]} if gaps and gaps[0][0] else {}


def point_style(column: Column) -> dict[str, Any]:
    """The style's part that says what the point is, which who read the column found."""
    return {key: column.style[key] for key in ("point",) if key in column.style}


def _styles(column: Column, written: list[str]) -> Iterator[dict[str, Any]]:
    some = [written[row] for row in np.flatnonzero(column.known)[:1000].tolist()]
    if column.dtype in FLOATS:
        point = column.style.get("point", ".")
        digits = Counter(
            len(text.partition(point)[2]) for text in some if text.replace(point, "").lstrip("-").isdigit()
        )
        yield from ({"digits": count} for count, _ in digits.most_common(1) if count <= MOST_DIGITS)
        yield from ({}, {"short": True})
    elif column.dtype == "bool":
        yield {"words": [next((text for text in some if text.lower() == word), word) for word in ("false", "true")]}
    elif _is_time(column.dtype):
        between = "T" if any("T" in text for text in some[:1]) else " "
        for unit in _TIME_UNITS:
            for end in ("", "Z", "+00:00") if column.zone else ("",):
                yield {"unit": unit, "between": between, "end": end}
    else:
        yield {}


def _is_time(dtype: str) -> bool:
    return dtype.startswith(("timestamp", "date", "time"))


def _plain(column: Column, style: dict[str, Any]) -> list[str]:
    if column.dtype in FLOATS:
        numbers = floats_as_text(column.values, style)
        return [text.replace(".", style["point"]) for text in numbers] if "point" in style else numbers
    if (decimal := decimal_of(column.dtype)) is not None:
        return [_decimal(str(value or 0), decimal[2]) for value in column.values.tolist()]
    if column.dtype == "bool":
        words = style.get("words", ["false", "true"])
        return [words[value] for value in column.values.tolist()]
    if _is_time(column.dtype):
        kind, _, unit = column.dtype.rstrip("]").partition("[")
        stamps = column.values.view(f"datetime64[{unit or {'date32': 'D', 'date64': 'ms'}[kind]}]")
        shown = style.get("unit") or ("D" if kind.startswith("date") else unit)
        texts = np.char.replace(np.datetime_as_string(stamps, cast(Any, shown)), "T", style.get("between", " "))
        end = style.get("end", "Z" if column.zone else "")
        return [text[11 if kind.startswith("time") and kind != "timestamp" else 0 :] + end for text in texts.tolist()]
    return list(map(str, column.values.tolist()))


def _decimal(digits: str, scale: int) -> str:
    """An integer with a point before its last ``scale`` digits."""
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    digits = digits.zfill(scale + 1)
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else sign + digits


def floats_as_text(values: NDArray[Any], style: dict[str, Any]) -> list[str]:
    """Floats as ``style`` writes them; without one, the shortest text that is read back as the same number."""
    if (digits := style.get("digits")) is not None:
        return [f"{value:.{digits}f}" for value in values.tolist()]
    texts = list(map(str, values if values.dtype != np.float64 else values.tolist()))
    return [text.removesuffix(".0") for text in texts] if style.get("short") else texts
