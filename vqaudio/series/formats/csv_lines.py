"""Cells of a CSV to its lines, by Arrow: with the delimiter, line ends and quotes of a file, to the byte."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

SLICE_CELLS = 1 << 18
"""Cells whose lines are made at once."""


def lines_of(columns: Sequence[Any], origin: Mapping[str, Any], *, names: Sequence[str] | None = None) -> Iterator[Any]:
    """Rows as the bytes of lines.

    Args:
        columns: Arrow arrays of strings ``(rows,)``.
        origin: of the table or piece, see :class:`vqaudio.series.schema.Origin`.
        names: of the columns, where a line of them comes first.
    """
    quotes = origin.get("quotes") or {"names": (), "columns": ()}
    n_names, n_rows = int(names is not None), len(columns[0])
    blank = _blank_counts(origin.get("blank_lines", ()), n_names + n_rows)
    if names is not None:
        line = [pa.array([name], pa.string()) for name in names]
        yield _joined(line, origin, always=quotes["names"], blank=blank[:1])
    step = max(1, SLICE_CELLS // len(columns))
    newline, ends = origin.get("newline", "\n"), origin.get("ends", True) or blank[-1]
    for start in range(0, n_rows, step):
        some = [column[start : start + step] for column in columns]
        before = blank[n_names + start : n_names + min(start + step, n_rows)]
        data = _joined(some, origin, always=quotes["columns"], blank=before)
        yield data if ends or start + step < n_rows else data[: len(data) - len(newline)]
    if blank[-1]:
        yield (newline * int(blank[-1])).encode()


def _blank_counts(blank_lines: Sequence[int], n_lines: int) -> NDArray[np.int64]:
    """How many blank lines stand before each line, and behind the last."""
    if not blank_lines:
        return np.zeros(n_lines + 1, np.int64)
    places = np.minimum(np.fromiter(accumulate(blank_lines), np.float64), n_lines)
    return np.bincount(places.astype(np.int64), minlength=n_lines + 1)


def _joined(columns: Sequence[Any], origin: Mapping[str, Any], *, always: Collection[int], blank: NDArray[Any]) -> Any:
    delimiter, newline = origin.get("delimiter", ","), origin.get("newline", "\n")
    empty = "" if len(columns) > 1 or origin.get("bare", False) else '""'
    but = (origin.get("quotes") or {}).get("but", ())
    cells = [
        _quoted(column, delimiter, always=number in always, but=but, empty=empty)
        for number, column in enumerate(columns)
    ]
    cells[-1] = pc.binary_join_element_wise(cells[-1], newline, "")
    if blank.any():
        cells[0] = pc.binary_join_element_wise(pc.binary_repeat(newline, pa.array(blank)), cells[0], "")
    return text_of(pc.binary_join_element_wise(*cells, delimiter) if len(cells) > 1 else cells[0])


def _quoted(texts: Any, delimiter: str, *, always: bool, but: Sequence[str], empty: str) -> Any:
    if not always:
        data = text_of(texts).to_pybytes()
        if any(mark in data for mark in (delimiter.encode(), b'"', b"\r", b"\n")):
            special = pc.match_substring_regex(texts, f'[{re.escape(delimiter)}"\r\n]')
            texts = pc.if_else(special, _in_quotes(texts), texts)
        return pc.if_else(pc.equal(texts, ""), empty, texts) if empty else texts
    quoted = _in_quotes(texts)
    return pc.if_else(pc.is_in(texts, pa.array(but, pa.string())), texts, quoted) if but else quoted


def _in_quotes(texts: Any) -> Any:
    return pc.binary_join_element_wise("", pc.replace_substring(texts, '"', '""'), "", '"')


def text_of(texts: Any) -> Any:
    """All texts of an array of strings, one after another, as a buffer of bytes."""
    _, offsets, data = texts.buffers()
    if not len(texts) or data is None:
        return pa.py_buffer(b"")
    first, last = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]].tolist()
    return data.slice(first, last - first)
