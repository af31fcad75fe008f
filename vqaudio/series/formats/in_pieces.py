"""The reader and the writer of pieces that a suffix names."""

from __future__ import annotations

import importlib.util
import weakref
from typing import IO

from vqaudio.errors import SeriesError, install
from vqaudio.series.formats.base import TableReader, TableWriter, WholeTableReader


def open_table(
    file: IO[bytes], name: str, *, suffix: str, delimiter: str | None = None, decimal: str | None = None
) -> TableReader:
    """The table in an open file, to be read in pieces.

    Args:
        file: open at its start; it can seek, and stays open while pieces are read.
        name: of it, for errors.
        suffix: ``.csv``, ``.csv.gz``, ``.csv.zst``, ``.parquet``, ``.npy``, ``.npz``, ``.edf``, ``.bdf`` or ``.hea``.
        delimiter, decimal: those of a CSV, a character each; None where the file tells them itself.

    Raises:
        SeriesError: it cannot be read so, or holds what no column may; or it is CSV or Parquet, and pyarrow is missing.
    """
    if not suffix.startswith(".csv") and (delimiter or decimal):
        raise SeriesError(f"{name}: --delimiter and --decimal are for .csv; leave them out")
    if suffix in (".npy", ".npz"):
        from vqaudio.series.formats.npy_reader import NpyReader

        return NpyReader(file, name, suffix=suffix)
    if suffix in (".edf", ".bdf", ".hea"):
        from vqaudio.series.formats import recordings

        read = recordings.read_wfdb(file, name) if suffix == ".hea" else recordings.read_edf(file, name, suffix=suffix)
        return WholeTableReader(read, name)
    if not _has_arrow():
        kind = "Parquet" if suffix == ".parquet" else "CSV"
        raise SeriesError(f"{name}: is a {kind} file, which pyarrow reads: {install('tables')}, or save it as .npz")
    if suffix == ".csv":
        from vqaudio.series.formats.csv_reader import CsvReader  # late, as below: Arrow takes a while to import

        return CsvReader(file, name, delimiter=delimiter, decimal=decimal)
    if suffix != ".parquet":
        from vqaudio.series.formats.csv_reader import CsvReader
        from vqaudio.series.formats.packed import unpacked

        held = unpacked(file, name, suffix=suffix)
        try:
            reader = CsvReader(held, name, delimiter=delimiter, decimal=decimal)
        except BaseException:
            held.close()
            raise
        weakref.finalize(reader, held.close)
        return reader
    from vqaudio.series.formats.parquet import ParquetReader

    return ParquetReader(file, name)


def create_table(
    file: IO[bytes], name: str, *, suffix: str, n_rows: int | None = None, has_gaps: bool = False
) -> TableWriter:
    """What writes a table in pieces.

    Args:
        file: an open one, which need not seek.
        name: of it, for errors.
        suffix: as for :func:`open_table`.
        n_rows: that will be written, where it is known.
        has_gaps: whether rows are lost, which come as gaps.

    Raises:
        SeriesError: another suffix; or CSV or Parquet, and pyarrow is missing.
    """
    if suffix in (".npy", ".npz"):
        from vqaudio.series.formats.npy_writer import NpyWriter

        return NpyWriter(file, name, suffix=suffix, n_rows=n_rows)
    if suffix not in (".csv", ".csv.gz", ".csv.zst", ".parquet"):
        raise SeriesError(f"{name}: a table is written to .csv, .parquet, .npy or .npz: choose such a name")
    if not _has_arrow():
        kind = "Parquet" if suffix == ".parquet" else "CSV"
        raise SeriesError(f"{name}: {kind} is written by pyarrow: {install('tables')}, or name a .npz")
    if suffix == ".csv":
        from vqaudio.series.formats.csv_writer import CsvWriter

        return CsvWriter(file, name)
    if suffix != ".parquet":
        from vqaudio.series.formats.packed import PackedCsvWriter

        return PackedCsvWriter(file, name, suffix=suffix)
    from vqaudio.series.formats.parquet import ParquetWriter

    return ParquetWriter(file, name, has_gaps=has_gaps)


def _has_arrow() -> bool:
    return importlib.util.find_spec("pyarrow") is not None
