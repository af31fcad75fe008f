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

Names of here are imported when they are asked for: who only wants to know what a table's file is called waits for none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vqaudio.series.appending import append_file as append_file
    from vqaudio.series.coding.mixed_choice import mixes as mixes
    from vqaudio.series.coding.model import Model as Model
    from vqaudio.series.coding.model import model_for as model_for
    from vqaudio.series.coding.model import model_named as model_named
    from vqaudio.series.encodings.bounds import Bounds as Bounds
    from vqaudio.series.encodings.bounds import MaxError as MaxError
    from vqaudio.series.encodings.bounds import Prd as Prd
    from vqaudio.series.encodings.bounds import Psnr as Psnr
    from vqaudio.series.encodings.bounds import RelativeError as RelativeError
    from vqaudio.series.formats.suffixes import SUFFIXES as SUFFIXES
    from vqaudio.series.formats.suffixes import read_table as read_table
    from vqaudio.series.formats.suffixes import suffix_of as suffix_of
    from vqaudio.series.formats.suffixes import write_table as write_table
    from vqaudio.series.header import TableHeader as TableHeader
    from vqaudio.series.paths import compress_file as compress_file
    from vqaudio.series.paths import write_file as write_file
    from vqaudio.series.stored import StoredTable as StoredTable
    from vqaudio.series.table import Column as Column
    from vqaudio.series.table import Table as Table
    from vqaudio.series.writer import compress as compress

_HOMES = {
    "appending": ("append_file",),
    "coding.mixed_choice": ("mixes",),
    "coding.model": ("Model", "model_for", "model_named"),
    "encodings.bounds": ("Bounds", "MaxError", "Prd", "Psnr", "RelativeError"),
    "formats.suffixes": ("SUFFIXES", "read_table", "suffix_of", "write_table"),
    "header": ("TableHeader",),
    "paths": ("compress_file", "write_file"),
    "stored": ("StoredTable",),
    "table": ("Column", "Table"),
    "writer": ("compress",),
}
_MODULES = {name: f"vqaudio.series.{module}" for module, names in _HOMES.items() for name in names}

__all__ = ["SUFFIXES", "Column", "MaxError", "StoredTable", "Table", "compress"]
__all__ += ["read_table", "suffix_of", "write_table"]
__all__ += ["Bounds", "Prd", "Psnr", "RelativeError"]
__all__ += ["Model", "mixes", "model_for", "model_named"]
__all__ += ["TableHeader", "append_file", "compress_file", "write_file"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'vqaudio.series' has no attribute {name!r}")
