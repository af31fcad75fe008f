"""Tables cut into pieces of some rows, and pieces joined to one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from vqaudio.series.table import Column, Table

BY_ROW = ("blank_lines", "ends")
"""What an origin says of the rows of one piece."""
BY_ROW_STYLE = {"spelled", "stretches"}
"""What a style says of single rows."""


def cut(table: Table, start: int, stop: int) -> Table:
    """The rows from ``start`` to ``stop``, which may lie beyond the last.

    Blank lines of a CSV and cells that are kept as they stood go with their rows.
    """
    if start <= 0 and stop >= table.n_rows:
        return table
    columns = [_cut_column(column, slice(start, stop)) for column in table.columns]
    origin = dict(table.origin)
    is_last = stop >= table.n_rows
    if not is_last:
        origin.pop("ends", None)
    if blank := origin.pop("blank_lines", None):
        names = int(origin.get("header", True))
        first = start + names if start else 0
        places = [at for at in accumulate(blank) if first <= at and (is_last or at < stop + names)]
        if places:
            origin["blank_lines"] = _steps(at - first for at in places)
    return Table(columns, origin, table.remarks)


def _cut_column(column: Column, rows: slice) -> Column:
    style = dict(column.style)
    if "spelled" in style:
        steps, texts = style.pop("spelled")
        spelled = zip(accumulate(steps), texts, strict=True)
        kept = [(row, text) for row, text in spelled if rows.start <= row < rows.stop]
        if kept:
            style["spelled"] = [_steps(row - rows.start for row, _ in kept), [text for _, text in kept]]
    if "stretches" in style:
        lengths, kinds = zip(*style["stretches"], strict=True)
        ends = [min(max(end - rows.start, 0), rows.stop - rows.start) for end in accumulate(lengths)]
        style["stretches"] = [[length, kind] for length, kind in zip(_steps(ends), kinds, strict=True) if length]
    return replace(
        column,
        values=column.values[rows],
        cells=column.cells[rows],
        style=style,
        parts=_cut_parts(column.parts, rows),
        texts=None if column.texts is None else column.texts[rows],
    )


def _cut_parts(parts: Sequence[tuple[int, dict[str, Any]]], rows: slice) -> tuple[tuple[int, dict[str, Any]], ...]:
    found, first = [], 0
    for n_rows, style in parts:
        inside = slice(max(0, rows.start - first), min(n_rows, rows.stop - first))
        if inside.start < inside.stop:
            whole = Column("", "null", np.zeros(n_rows, np.int8), np.zeros(n_rows, np.uint8), style=style)
            found.append((inside.stop - inside.start, _cut_column(whole, inside).style))
        first += n_rows
    return tuple(found)


def joined(pieces: Sequence[Table]) -> Table:
    """One table of all rows of some pieces, one at least, in order."""
    if len(pieces) == 1:
        return pieces[0]
    columns = [_joined_column(columns) for columns in zip(*(piece.columns for piece in pieces), strict=True)]
    origin = {key: value for key, value in pieces[0].origin.items() if key not in BY_ROW}
    names, places, first = int(origin.get("header", True)), [], 0
    for piece in pieces:
        places += [first + at for at in accumulate(piece.origin.get("blank_lines", ()))]
        first += piece.n_rows + (0 if first else names)
    if places:
        origin["blank_lines"] = _steps(places)
    if not pieces[-1].origin.get("ends", True):
        origin["ends"] = False
    return Table(columns, origin, pieces[0].remarks)


def _joined_column(columns: Sequence[Column]) -> Column:
    first = columns[0]
    parts: list[tuple[int, dict[str, Any]]] = []
    for column in columns:
        parts += column.parts or ((len(column.cells), column.style),)
    texts = [column.texts for column in columns]
    values = [column.values for column in columns]
    if len({one.dtype for one in values}) > 1:  # decimals of which only some fit 64 bits
        values = [one if one.dtype == object else one.astype(str).astype(object) for one in values]
    return replace(
        first,
        values=np.concatenate(values),
        cells=np.concatenate([column.cells for column in columns]),
        parts=tuple(parts) if any(style != parts[0][1] or BY_ROW_STYLE & set(style) for _, style in parts) else (),
        texts=None if any(one is None for one in texts) else _joined_texts(texts),
    )


def _joined_texts(texts: Sequence[Any]) -> Any:
    import pyarrow as pa  # late: it takes a while

    return pa.concat_arrays(texts)


def _steps(places: Iterable[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise([0, *places])]
