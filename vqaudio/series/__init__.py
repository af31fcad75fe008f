"""Time series: tables of numbers to ``.vq`` and back, each value within a bound or exact. No sound, no torch.

::

    CSV, Parquet, NPY ─formats/─▶ table ─encodings/─▶ integers ─prediction/─▶ residuals ─coding/─▶ chunks ─▶ .vq file
    CSV, Parquet, NPY ◀─formats/─ table ◀─encodings/─ integers ◀─prediction/─ residuals ◀─coding/─ chunks ◀─ .vq file

- ``table`` holds columns with names, types and gaps, ``cell_style`` how their cells are written as text.
- ``writer`` and ``stored`` are the whole way there and back; ``paths`` goes it from file to file.
- A file is a ``header``, whose ``schema`` says what the columns are, and ``chunk`` after chunk of rows.
- Residuals are coded by frequencies that adapt, or by the likelihoods of a small network, whichever is smaller.

From integers on all is integer arithmetic, so that the same file gives the same table on every machine; what comes
before is checked by the writer, which decodes its own bytes before it hands them out.
"""

from __future__ import annotations

from vqaudio.series.coding.model import Model, model_for, model_named
from vqaudio.series.encodings.bounds import MaxError
from vqaudio.series.formats.suffixes import SUFFIXES, read_table, suffix_of, write_table
from vqaudio.series.header import TableHeader
from vqaudio.series.paths import compress_file, write_file
from vqaudio.series.stored import StoredTable
from vqaudio.series.table import Column, Table
from vqaudio.series.writer import compress

__all__ = ["SUFFIXES", "Column", "MaxError", "StoredTable", "Table", "compress"]
__all__ += ["read_table", "suffix_of", "write_table"]
__all__ += ["Model", "model_for", "model_named"]
__all__ += ["TableHeader", "compress_file", "write_file"]
