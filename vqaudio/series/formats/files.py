"""Files with tables: which suffix is read and written by what."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from vqaudio.errors import SeriesError
from vqaudio.series.table import Table

SUFFIXES = (".csv", ".parquet", ".npy", ".npz")


def suffix_of(path: Path) -> str:
    """The suffix of a table's file, or an empty text for any other."""
    suffix = path.suffix.lower()
    return suffix if suffix in SUFFIXES else ""


def read_table(
    file: IO[bytes], name: str, suffix: str, delimiter: str | None = None, decimal: str | None = None
) -> Table:
    """A table from an open file in the format that ``suffix`` names; ``delimiter`` and ``decimal`` are those of a CSV.

    Raises:
        SeriesError: it cannot be read so, or holds what no column may.
    """
    if suffix != ".csv" and (delimiter or decimal):
        raise SeriesError(f"{name}: --delimiter and --decimal are for .csv; leave them out")
    if suffix in (".npy", ".npz"):
        from vqaudio.series.formats import numpyfile

        return numpyfile.read(file, name, suffix)
    if suffix == ".csv":
        from vqaudio.series.formats import csvfile  # late, as below: Arrow takes a while to import

        return csvfile.read(file, name, delimiter, decimal)
    from vqaudio.series.formats import arrow

    return arrow.read_parquet(file, name)


def write_table(table: Table, file: IO[bytes], name: str, suffix: str) -> None:
    """Write a table in the format that ``suffix`` names.

    Raises:
        SeriesError: a table that the format cannot hold at all, or another suffix.
    """
    if suffix in (".npy", ".npz"):
        from vqaudio.series.formats import numpyfile

        numpyfile.write(table, file, name, suffix)
    elif suffix == ".csv":
        from vqaudio.series.formats import csvfile

        csvfile.write(table, file, name)
    elif suffix == ".parquet":
        from vqaudio.series.formats import arrow

        arrow.write_parquet(table, file, name)
    else:
        raise SeriesError(f"{name}: a table is written to one of {', '.join(SUFFIXES)}: choose such a name")
