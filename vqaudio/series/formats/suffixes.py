"""Files with tables: which format reads and writes a suffix."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import IO, TYPE_CHECKING

from vqaudio.errors import SeriesError, install

if TYPE_CHECKING:
    from vqaudio.series.table import Table

SUFFIXES = (".csv", ".parquet", ".npy", ".npz")
_MAGICS = {b"PAR1": ".parquet", b"\x93NUMPY": ".npy", b"PK\3\4": ".npz"}


def suffix_of(path: Path) -> str:
    """The suffix of a table's file, or an empty text for any other."""
    suffix = path.suffix.lower()
    return suffix if suffix in SUFFIXES else ""


def sniffed_suffix(file: IO[bytes]) -> str:
    """The suffix that the name of an open file should have, by its first bytes: what is nothing else is a CSV."""
    start = file.read(6)
    file.seek(0)
    return next((suffix for magic, suffix in _MAGICS.items() if start.startswith(magic)), ".csv")


def read_table(
    file: IO[bytes], name: str, *, suffix: str, delimiter: str | None = None, decimal: str | None = None
) -> Table:
    """A table from an open file.

    Args:
        file: open at its start; it can seek.
        name: of it, for errors.
        suffix: one of ``SUFFIXES``, which names the format.
        delimiter, decimal: those of a CSV, a character each; None where the file tells them itself.

    Raises:
        SeriesError: it cannot be read so, or holds what no column may; or it is CSV or Parquet, and pyarrow is missing.
    """
    if suffix != ".csv" and (delimiter or decimal):
        raise SeriesError(f"{name}: --delimiter and --decimal are for .csv; leave them out")
    if suffix in (".npy", ".npz"):
        from vqaudio.series.formats import npy

        return npy.read(file, name, suffix=suffix)
    if not has_arrow():
        kind = "CSV" if suffix == ".csv" else "Parquet"
        raise SeriesError(f"{name}: is a {kind} file, which pyarrow reads: {install('tables')}, or save it as .npz")
    if suffix == ".csv":
        from vqaudio.series.formats import csv_reader  # late, as below: Arrow takes a while to import

        return csv_reader.read(file, name, delimiter=delimiter, decimal=decimal)
    from vqaudio.series.formats import parquet

    return parquet.read(file, name)


def write_table(table: Table, file: IO[bytes], *, name: str, suffix: str) -> None:
    """Write a table in the format that ``suffix`` names, into an open file called ``name``.

    Raises:
        SeriesError: a table that the format cannot hold at all, or another suffix; CSV or Parquet, and pyarrow is
            missing.
    """
    if suffix in (".npy", ".npz"):
        from vqaudio.series.formats import npy

        npy.write(table, file, name=name, suffix=suffix)
    elif suffix == ".csv":
        if not has_arrow():
            raise SeriesError(f"{name}: CSV is written by pyarrow: {install('tables')}, or name a .npz")
        from vqaudio.series.formats import csv_writer

        csv_writer.write(table, file, name=name)
    elif suffix == ".parquet":
        if not has_arrow():
            raise SeriesError(f"{name}: Parquet is written by pyarrow: {install('tables')}, or name a .npz")
        from vqaudio.series.formats import parquet

        parquet.write(table, file, name=name)
    else:
        raise SeriesError(f"{name}: a table is written to one of {', '.join(SUFFIXES)}: choose such a name")


def has_arrow() -> bool:
    """Whether pyarrow is installed."""
    return importlib.util.find_spec("pyarrow") is not None
