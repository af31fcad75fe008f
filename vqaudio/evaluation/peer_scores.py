"""How small and how fast other compressors are on a table's columns of numbers, and whether they keep the bound."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vqaudio.evaluation.number_forms import Form, NumberColumn, narrowed, number_column
from vqaudio.evaluation.packers import little_endian, zstd
from vqaudio.evaluation.series_scores import PeerComparison, PeerScore, rms
from vqaudio.evaluation.table_peers import Setting, TablePeer, Zstd
from vqaudio.series import Table
from vqaudio.series.encodings.bounds import distances

Result = TypeVar("Result")
OURS = "vqaudio"
SEPARATOR = "\x1f"
MOST_ALONE = 200
"""Columns that compressors are given one by one in all ways; of wider tables all columns of integers together alone."""


@dataclass(frozen=True)
class Packed:
    """Columns in one form, by one setting; ``shares`` are their errors in units of the bounds ``(columns, rows)``."""

    n_bytes: int
    pack_seconds: float
    unpack_seconds: float
    good: bool
    shares: list[NDArray[np.float64]] = field(default_factory=list)


@dataclass(frozen=True)
class NumberColumns:
    """What compressors get of a table, and what they do not get.

    Args:
        columns: of numbers, times and flags.
        rest_bytes: of the texts, and of what tells gaps from values, by zstd at its level 19.
        rest: what that is.
    """

    columns: list[NumberColumn]
    rest_bytes: int
    rest: str


def number_columns(table: Table, bounds: Sequence[float]) -> NumberColumns:
    """The columns of a table that numbers stand for, each with its bound, and the bytes of the rest."""
    found, rest_bytes, n_texts, n_gappy = [], 0, 0, 0
    for column, bound in zip(table.columns, bounds, strict=True):
        if not column.known.all():
            rest_bytes += len(zstd(np.packbits(column.known).tobytes()))
            n_gappy += 1
        if column.values.dtype.kind == "O":
            rest_bytes += _text_bytes([str(value) for value in column.values])
            n_texts += 1
        elif column.dtype != "null":
            found.append(number_column(column, bound))
    words = [f"{n_texts} columns of text"] if n_texts else []
    words += [f"the gaps of {n_gappy}"] if n_gappy else []
    return NumberColumns(found, rest_bytes, " and ".join(words))


def _text_bytes(cells: list[str]) -> int:
    """Bytes of a column of text by zstd: as it is, or as words and their numbers."""
    words, codes = np.unique(np.array(cells, dtype=object).astype(str), return_inverse=True)
    plain = len(zstd(SEPARATOR.join(cells).encode("utf-8", "surrogatepass")))
    dictionary = zstd(SEPARATOR.join(words).encode("utf-8", "surrogatepass"))
    return min(plain, len(dictionary) + len(zstd(little_endian(narrowed(codes.reshape(-1))))))


def compare(
    table: Table,
    bounds: Sequence[float],
    *,
    n_bytes: int,
    seconds: tuple[float, float],
    peers: Sequence[TablePeer],
    step: Callable[[str], object] = lambda what: None,
) -> PeerComparison:
    """Our file of a table beside other compressors of its columns of numbers.

    Args:
        table: as it was.
        bounds: how far each column may be off; 0 for not at all.
        n_bytes: of our file.
        seconds: that it took to write and to read.
        peers: the others.
        step: told what comes next.
    """
    numbers = number_columns(table, bounds)
    others = []
    for peer in peers:
        step(f"packing with {peer.name}")
        others.append(score_peer(peer, numbers.columns))
    ours = PeerScore(OURS, n_bytes, *seconds, 0.0, 0.0, True)
    n_values = table.n_rows * len(numbers.columns)
    return PeerComparison(ours, others, n_values, numbers.rest, numbers.rest_bytes)


def score_peer(peer: TablePeer, columns: Sequence[NumberColumn]) -> PeerScore:
    """What a compressor makes of columns: each for itself, or those of integers together, whichever is smaller."""
    together = [column for column in columns if column.integers is not None]
    joined = _packed_together(peer, together) if len(together) > 1 else None
    others = columns
    ways = []
    if joined is not None:
        others = [column for column in columns if column.integers is None]
        ways.append(_sum(peer, [joined], others))
    if joined is None or len(columns) <= MOST_ALONE:
        ways.append(_sum(peer, [], columns))
    return min(ways, key=lambda way: (not way.keeps_bounds, way.n_bytes))


def _sum(peer: TablePeer, joined: list[Packed], columns: Sequence[NumberColumn]) -> PeerScore:
    parts, replaced = list(joined), []
    for column in columns:
        part = _packed(peer, column)
        if part is None:
            replaced.append(column.name)
            part = _packed(Zstd(), column)
        assert part is not None, "zstd takes everything"
        parts.append(part)
    shares = [share for part in parts for share in part.shares if len(share)]
    flat = np.concatenate(shares) if shares else np.zeros(0)
    return PeerScore(
        peer.name,
        sum(part.n_bytes for part in parts),
        sum(part.pack_seconds for part in parts),
        sum(part.unpack_seconds for part in parts),
        rms(flat),
        float(flat.max(initial=0)),
        all(part.good for part in parts),
        () if joined else tuple(part.n_bytes for part in parts),
        tuple(replaced),
    )


def _packed(peer: TablePeer, column: NumberColumn) -> Packed | None:
    """A column in the form and by the setting that make the least of it within the bound; else, the least of it."""
    found = [
        _tried(setting, [column], [form])
        for form in column.forms
        for setting in peer.settings([form.array], form.tolerance)
    ]
    return _best(found)


def _packed_together(peer: TablePeer, columns: Sequence[NumberColumn]) -> Packed | None:
    """Columns that integers stand for, in one piece."""
    forms = [column.integers for column in columns]
    known = [form for form in forms if form is not None]
    settings = peer.settings([form.array for form in known], 0.0)
    return _best([_tried(setting, columns, known) for setting in settings])


def _best(found: Sequence[Packed | None]) -> Packed | None:
    packed = [one for one in found if one is not None]
    return min(packed, key=lambda one: (not one.good, one.n_bytes), default=None)


def _tried(setting: Setting, columns: Sequence[NumberColumn], forms: Sequence[Form]) -> Packed | None:
    """There and back; None where the compressor refuses."""
    arrays = [form.array for form in forms]
    try:
        data, pack_seconds = timed(lambda: setting.pack(arrays))
        unpacked, unpack_seconds = timed(lambda: setting.unpack(data, arrays))
    except Exception:  # whatever a library raises for what it does not take
        return None
    restored = [form.restore(array) for form, array in zip(forms, unpacked, strict=True)]
    pairs = list(zip(columns, restored, strict=True))
    good = all(column.keeps_bound(values) for column, values in pairs)
    return Packed(len(data), pack_seconds, unpack_seconds, good, [_shares(column, values) for column, values in pairs])


def _shares(column: NumberColumn, restored: NDArray[Any]) -> NDArray[np.float64]:
    """Errors in units of the bound; none for columns without one."""
    if not column.bound:
        return np.zeros(0)
    if column.values.dtype.kind == "f":
        with np.errstate(invalid="ignore", over="ignore"):
            errors = np.abs(column.values.astype(np.float64) - restored.astype(np.float64))
    else:
        errors = distances(column.values, restored).astype(np.float64)
    return np.asarray(np.where(np.isnan(errors), math.inf, errors) / column.bound)


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """What it gives, and the seconds that it took of a processor, which others on the machine hardly lengthen."""
    start = time.process_time()
    found = call()
    return found, time.process_time() - start
