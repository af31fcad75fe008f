"""Files with tables: their suffixes, and a table from one and to one as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from vqaudio.series.table import Table

SUFFIXES = (".csv", ".parquet", ".npy", ".npz")
PACKED = (".csv.gz", ".csv.zst")
"""Those of CSV files that are packed."""
RECORDINGS = (".edf", ".bdf", ".hea")
"""Those of recordings of signals, which are read alone."""
_MAGICS = {
    **{b"PAR1": ".parquet", b"\x93NUMPY": ".npy", b"PK\3\4": ".npz"},
    **{b"\x1f\x8b": ".csv.gz", b"\x28\xb5\x2f\xfd": ".csv.zst"},
}


def suffix_of(path: Path) -> str:
    """The suffix of a table's file, or an empty text for any other."""
    name = path.name.lower()
    return next((suffix for suffix in (*SUFFIXES, *PACKED, *RECORDINGS) if name.endswith(suffix)), "")


def sniffed_suffix(file: IO[bytes]) -> str:
    """The suffix that the name of an open file should have, by its first bytes: what is nothing else is a CSV."""
    start = file.read(6)
    file.seek(0)
    return next((suffix for magic, suffix in _MAGICS.items() if start.startswith(magic)), ".csv")


def read_table(
    file: IO[bytes], name: str, *, suffix: str, delimiter: str | None = None, decimal: str | None = None
) -> Table:
    """A table from an open file; arguments and errors are those of
    :func:`vqaudio.series.formats.in_pieces.open_table`.
    """
    from vqaudio.series.formats.in_pieces import open_table  # late: suffixes are asked for by commands that start

    reader = open_table(file, name, suffix=suffix, delimiter=delimiter, decimal=decimal)
    (table,) = reader.pieces(max(1, reader.n_rows or 1))
    return table


def write_table(table: Table, file: IO[bytes], *, name: str, suffix: str) -> None:
    """Write a table in the format that ``suffix`` names, into an open file called ``name``.

    Raises:
        SeriesError: a table that the format cannot hold at all, and as
            :func:`vqaudio.series.formats.in_pieces.create_table`.
    """
    from vqaudio.series.formats.in_pieces import create_table

    with create_table(file, name, suffix=suffix, n_rows=table.n_rows) as writer:
        writer.write(table)
