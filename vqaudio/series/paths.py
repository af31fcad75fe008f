"""Tables on disk to ``.vq`` files and back."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from vqaudio.errors import SeriesError
from vqaudio.files import atomic_write, input_name, open_input, writes_in_place
from vqaudio.series.chunk_writer import WritingOptions
from vqaudio.series.coding.mixed_choice import MOST_VALUES, mixes
from vqaudio.series.coding.model import model_for
from vqaudio.series.encodings.bounds import Bounds, ColumnBound
from vqaudio.series.formats.in_pieces import create_table, open_table
from vqaudio.series.formats.suffixes import sniffed_suffix, suffix_of
from vqaudio.series.span import Edge, RowSpan
from vqaudio.series.stored import Progress, StoredTable
from vqaudio.series.writer import Written, write


def compress_file(
    source: Path,
    target: Path,
    *,
    max_error: Bounds | ColumnBound | None,
    lossless: bool,
    progress: Progress,
    model: str | None = None,
    suffix: str = "",
    delimiter: str | None = None,
    decimal: str | None = None,
) -> Written:
    """Compress the table in a file; memory holds a chunk of it.

    Args:
        source: a table's file, or ``-``.
        target: the ``.vq`` file, or ``-``.
        max_error, lossless, progress: as for :func:`vqaudio.series.writer.compress`.
        model: the name of one, ``"none"`` for the quick coder; by default tables up to
            :data:`vqaudio.series.coding.mixed_choice.MOST_VALUES` are mixed.
        suffix: names the format of a source whose name does not; without it, the file's first bytes tell.
        delimiter, decimal: those of a CSV, if it does not tell them itself.

    Raises:
        SeriesError: as :func:`vqaudio.series.writer.compress` does, or the file cannot be read.
        FileError: either file cannot be opened.
    """
    name = input_name(source)
    with open_input(source) as file:
        suffix = suffix or suffix_of(source) or sniffed_suffix(file)
        reader = open_table(file, name, suffix=suffix, delimiter=delimiter, decimal=decimal)
        first = next(reader.pieces(1), None)
        n_values = MOST_VALUES + 1 if first is None or reader.n_rows is None else reader.n_rows * len(first.columns)
        options = WritingOptions(max_error, lossless, model=model_for(model), mixing=mixes(n_values, model))
        with atomic_write(target) as made:
            if not writes_in_place(target):
                return write(reader, made, options, progress=progress)
            with tempfile.TemporaryFile() as waiting:  # until it is known that no column has to be coded anew
                written = write(reader, waiting, options, progress=progress)
                waiting.seek(0)
                shutil.copyfileobj(waiting, made)
            return written


def write_file(
    stored: StoredTable, target: Path, *, progress: Progress = lambda rows: None, start: Edge = None, end: Edge = None
) -> tuple[int, int]:
    """Write the table of an open ``.vq`` file, or some of its rows, chunk by chunk; returns its rows and columns.

    The target's name says in which format; into a pipe it is the table's own.

    Raises:
        SeriesError: a format that cannot hold the table, or a span without rows.
        ModelError: the model that the file was written by is not at hand.
        FileError: the target cannot be written.
    """
    suffix = stored.suffix if str(target) == "-" else suffix_of(target)
    if not suffix:
        raise SeriesError(f"{target}: {stored.name} holds a table; name an output in .csv, .parquet, .npy or .npz")
    n_rows = RowSpan(start, end).n_rows(stored)
    done = 0
    has_gaps = suffix == ".parquet" and _has_new_gaps(stored)
    with (
        atomic_write(target) as file,
        create_table(file, str(target), suffix=suffix, n_rows=n_rows, has_gaps=has_gaps) as writer,
    ):
        for piece in stored.pieces(progress, start=start, end=end):
            writer.write(piece)
            done += piece.n_rows
    return done, len(stored.columns)


def _has_new_gaps(stored: StoredTable) -> bool:
    """Whether rows are lost of columns that have no gaps by their types, which Parquet must know beforehand."""
    if all(column.nullable for column in stored.empty.columns):
        return False
    stored.check()
    return bool(stored.damage)
