"""Time series: tables of numbers to ``.vq`` and back, each value within a bound or exact. No sound, no torch.

::

    CSV, Parquet, NPY, NPZ ─files─▶ table ─columns, grid─▶ integers ─predictor─▶ residuals ─coder─▶ bytes
                           ◀─files─ table ◀─columns, grid─ integers ◀─predictor─ residuals ◀─coder─ bytes
                                      text (how cells are written)          chunk, header (the file)

Tokens of the coder have frequencies that adapt, or likelihoods from a small network (``learned``: what ``model``
makes of its ``view`` of a row), whichever makes a column smaller.

Everything right of ``columns`` is integer arithmetic, so that the same file gives the same table on every machine; what
is left of it is checked by the writer, which decodes its own bytes before it hands them out.
"""

from __future__ import annotations

from vqaudio.series.codec import StoredTable, compress
from vqaudio.series.coding.model import Model, model_for, model_named
from vqaudio.series.encodings.bounds import MaxError
from vqaudio.series.formats.suffixes import SUFFIXES, read_table, suffix_of, write_table
from vqaudio.series.header import TableHeader
from vqaudio.series.paths import compress_file, write_file
from vqaudio.series.table import Column, Table

__all__ = ["SUFFIXES", "Column", "MaxError", "StoredTable", "Table", "compress"]
__all__ += ["read_table", "suffix_of", "write_table"]
__all__ += ["Model", "model_for", "model_named"]
__all__ += ["TableHeader", "compress_file", "write_file"]
