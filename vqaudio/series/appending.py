"""Rows added to a table's ``.vq`` file: the chunks that are there are copied as they are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from vqaudio.errors import SeriesError
from vqaudio.files import atomic_write, input_name, open_input
from vqaudio.series.chunk_writer import ChunkWriter, NoStyleError, WritingOptions
from vqaudio.series.coding.model import find_model, model_named
from vqaudio.series.formats.base import TableReader
from vqaudio.series.formats.in_pieces import open_table
from vqaudio.series.formats.suffixes import sniffed_suffix, suffix_of
from vqaudio.series.layout import Version4
from vqaudio.series.stored import Progress, StoredTable
from vqaudio.series.table import FLOATS, INTEGERS, NULL, TEXTS, Column, Table
from vqaudio.series.writer import Written, as_text, chunk_rows_for, in_one_style


def append_file(
    coded: Path,
    source: Path,
    target: Path,
    *,
    progress: Progress,
    model: str | None = None,
    suffix: str = "",
    delimiter: str | None = None,
    decimal: str | None = None,
) -> Written:
    """Write a table's ``.vq`` file with more rows; returns what was added.

    Numbers are as far off as the file says that they may be. The target may be the file itself: until all is written it
    stays as it is.

    Args:
        coded: the ``.vq`` file.
        source: a table's file with the same columns, or ``-``.
        target: the file with all rows.
        model: where that of ``coded`` is not shipped, its name or its file.
        progress, suffix, delimiter, decimal: as for :func:`vqaudio.series.paths.compress_file`.

    Raises:
        SeriesError: columns that do not fit, or cells that they cannot hold.
        ContainerError: no whole file of a table, or one of an earlier version.
        ModelError: the model that the file was written by is not at hand.
        FileError: a file cannot be opened.
    """
    name = input_name(source)
    with open_input(coded) as old, open_input(source) as more:
        stored = StoredTable(old, str(coded), model=model_named(model) if model else None)
        layout = _whole(stored)
        suffix = suffix or suffix_of(source) or sniffed_suffix(more)
        reader = open_table(more, name, suffix=suffix, delimiter=delimiter, decimal=decimal)
        used = find_model(stored.model, stored.given) if stored.model else None
        with atomic_write(target) as made:
            old.seek(0)
            shutil.copyfileobj(_First(old, layout.ends_at), made)
            chunks = ChunkWriter.following(stored, made, WritingOptions(lossless=True, model=used), name)
            before = chunks.n_rows
            for piece in _fitted(reader, stored):
                try:
                    chunks.add(piece)
                except NoStyleError as odd:
                    named = ", ".join(repr(stored.columns[number].name) for number in sorted(odd.numbers))
                    raise SeriesError(
                        f"{name}: {named}: cells are written in no way that {coded} can keep to the letter: decompress "
                        "it, and compress all rows together"
                    ) from None
                progress(piece.n_rows)
            chunks.finish()
        return Written(chunks.n_rows - before, len(stored.columns), chunks.size, reader.remarks)


class _First:
    """The first bytes of a file, as something to copy."""

    def __init__(self, file: Any, count: int):
        self._file, self._left = file, count

    def read(self, count: int = -1, /) -> bytes:
        data: bytes = self._file.read(self._left if count < 0 else min(count, self._left))
        self._left -= len(data)
        return data


def _whole(stored: StoredTable) -> Version4:
    if not isinstance(stored.layout, Version4):
        raise SeriesError(
            f"{stored.name}: was written by an earlier version, and takes no more rows: decompress it, and compress "
            "all rows together"
        )
    for problem in stored.layout.damage:
        raise SeriesError(f"{stored.name}: is damaged: {problem}; decompress what is left of it")
    return stored.layout


def _fitted(reader: TableReader, stored: StoredTable) -> Iterator[Table]:
    """Rows to add, with the columns of the file."""
    names = [column.name for column in stored.columns]
    for number, piece in enumerate(reader.pieces(chunk_rows_for(len(names)))):
        found = [column.name for column in piece.columns]
        if found != names:
            raise SeriesError(
                f"{reader.name}: has the columns {_listed(found)}; expected those of {stored.name}: {_listed(names)}"
            )
        if not piece.n_rows:
            raise SeriesError(f"{reader.name}: holds no rows; expected one or more")
        columns = [
            _converted(in_one_style(column), like, reader.name, stored.name)
            for column, like in zip(piece.columns, stored.empty.columns, strict=True)
        ]
        lines = {key: piece.origin[key] for key in ("blank_lines", "ends") if key in piece.origin}
        if not number and piece.origin.get("header", True) and "blank_lines" in lines:
            behind = [place - 1 for place in accumulate(lines.pop("blank_lines")) if place]
            if behind:
                lines["blank_lines"] = np.diff(behind, prepend=0).tolist()
        yield Table(columns, stored.empty.origin | lines)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _converted(column: Column, like: Column, name: str, stored_name: str) -> Column:
    """A column in the type of the file's: wider numbers for narrower ones, the text of cells for anything."""
    fits: dict[str, Any] = {"name": like.name, "zone": like.zone, "notes": like.notes, "nullable": like.nullable}
    values = None
    if column.dtype == like.dtype and column.zone == like.zone:
        values = column.values
        if like.dictionary is not None:
            strange = set(values[column.known].tolist()) - set(like.dictionary.words)
            if strange:
                raise SeriesError(
                    f"{name}: column {column.name!r} holds {min(strange)!r}, which the dictionary in {stored_name} has "
                    "not: decompress it, and compress all rows together"
                )
    elif (column.cells == NULL).all():
        values = np.full(len(column.cells), "" if like.values.dtype == object else 0, like.values.dtype)
    elif like.dtype in TEXTS and column.texts is not None:
        return replace(as_text(column), dtype=like.dtype, **fits)
    elif column.dtype in INTEGERS + FLOATS and like.dtype in INTEGERS + FLOATS:
        with np.errstate(over="ignore", invalid="ignore"):
            values = column.values.astype(like.values.dtype)
            same = values.astype(column.values.dtype) == column.values
        values = values if same[column.known].all() and _is_wider(column.dtype, like.dtype) else None
    if values is None:
        raise SeriesError(
            f"{name}: column {column.name!r} holds {column.dtype}, and in {stored_name} it is {like.dtype}; convert it"
        )
    return replace(column, dtype=like.dtype, values=values, dictionary=like.dictionary, **fits)


def _is_wider(dtype: str, like: str) -> bool:
    """Whether values of a type may be taken for another's, if that has them all: not floats for integers."""
    return dtype in INTEGERS or like in FLOATS
