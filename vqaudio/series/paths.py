"""Tables on disk to ``.vq`` files and back."""

from __future__ import annotations

import io
from pathlib import Path

from vqaudio.errors import SeriesError
from vqaudio.files import atomic_write, input_name, open_input
from vqaudio.series.coding.model import model_for
from vqaudio.series.encodings.bounds import MaxError
from vqaudio.series.formats.suffixes import read_table, suffix_of, write_table
from vqaudio.series.stored import Progress
from vqaudio.series.table import Table
from vqaudio.series.writer import compress


def compress_file(
    source: Path,
    target: Path,
    *,
    max_error: MaxError | None,
    lossless: bool,
    progress: Progress,
    model: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
) -> tuple[Table, int]:
    """Compress the table in a file; returns it, its remarks included, and the bytes that were written.

    Args:
        source: a table's file, or ``-``.
        target: the ``.vq`` file.
        max_error, lossless, progress: as for :func:`vqaudio.series.writer.compress`.
        model: a name as for :func:`vqaudio.series.coding.model.model_for`.
        delimiter, decimal: those of a CSV, if it does not tell them itself.

    Raises:
        SeriesError: as :func:`vqaudio.series.writer.compress` does, or the file cannot be read.
        FileError: either file cannot be opened.
    """
    name = input_name(source)
    with open_input(source) as file:
        table = read_table(file, name, suffix=suffix_of(source), delimiter=delimiter, decimal=decimal)
    chosen = model_for(table.n_cells, model)
    data = compress(table, max_error, lossless=lossless, model=chosen, name=name, progress=progress)
    with atomic_write(target) as file:
        file.write(data)
    return table, len(data)


def write_file(table: Table, target: Path, *, name: str) -> None:
    """Write a table from the ``.vq`` file ``name`` in the format that the target asks for, or its own into a pipe.

    Raises:
        SeriesError: a format that cannot hold the table.
        FileError: the target cannot be written.
    """
    suffix = table.origin["suffix"] if str(target) == "-" else suffix_of(target)
    if not suffix:
        raise SeriesError(f"{target}: {name} holds a table; name an output in .csv, .parquet, .npy or .npz")
    buffer = io.BytesIO()
    write_table(table, buffer, name=str(target), suffix=suffix)
    with atomic_write(target) as file:
        file.write(buffer.getbuffer())
