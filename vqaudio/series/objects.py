"""Tables as other libraries hold them to ours and back: numpy's arrays, and what speaks Arrow's C data interface."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, get_args

import numpy as np

from vqaudio.errors import SeriesError, choice, install
from vqaudio.series.table import Table

Kind = Literal["table", "arrow", "pandas", "polars", "numpy", "dict"]
STREAM, ARRAY = "__arrow_c_stream__", "__arrow_c_array__"
"""What objects have that hand themselves over to Arrow (the Arrow PyCapsule interface)."""


class ArrowTable(Table):
    """A table that polars, pandas, DuckDB, Arrow and others take as it is, without a copy where types allow."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The table as a capsule with an ``ArrowArrayStream``."""
        return convert_table(self, "arrow").__arrow_c_stream__(requested_schema)


def table_of(data: Any, name: str = "the table") -> Table:
    """Whatever holds a table, as one of ours.

    Args:
        data: a :class:`vqaudio.series.Table`; a mapping of names to arrays; an array of numpy, ``(rows,)``,
            ``(rows, columns)`` or structured; a pandas or polars DataFrame or Series; an Arrow table, record batch,
            reader of these, or array; or anything else with Arrow's PyCapsule interface.
        name: for errors.

    Raises:
        SeriesError: something else, or columns that no table here can have.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, np.ndarray):
        return _of_array(data, name)
    if isinstance(data, Mapping):
        return _of_mapping(data, name)
    if hasattr(data, STREAM) or hasattr(data, ARRAY) or _is_pandas(data):
        return _of_arrow(data, name)
    raise SeriesError(
        f"{name}: is of the type {type(data).__name__}; expected a dict of arrays, a numpy array, a pandas or polars "
        "DataFrame, an Arrow table, or anything else with __arrow_c_stream__"
    )


def _is_pandas(data: Any) -> bool:
    """Whether it is of a pandas that came before the interface."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame | pandas.Series)


def _of_array(data: Any, name: str) -> Table:
    from vqaudio.series.formats import npy

    if data.dtype.names:
        return npy.table_of({field: data[field] for field in data.dtype.names}, name, suffix=".npz")
    return npy.table_of({npy.SINGLE: data}, name, suffix=".npy")


def _of_mapping(data: Mapping[str, Any], name: str) -> Table:
    from vqaudio.series.formats import npy

    arrays = {}
    for key, values in data.items():
        try:
            array = np.asarray(values)
        except ValueError as error:
            raise SeriesError(f"{name}: {key!r} is no array ({error})") from None
        if array.dtype == object:  # text with gaps, times of Python, decimals
            return _of_arrow({str(key): _list_or_array(one) for key, one in data.items()}, name)
        arrays[str(key)] = array
    return npy.table_of(arrays, name, suffix=".npz")


def _list_or_array(values: Any) -> Any:
    return values.tolist() if isinstance(values, np.ndarray) and values.dtype == object else values


def _of_arrow(data: Any, name: str) -> Table:
    pa = _arrow(name)
    from vqaudio.series.formats import arrow_table

    try:
        if hasattr(data, "to_frame"):  # a Series of pandas or polars
            data = data.to_frame("0" if data.name is None else str(data.name))
        if isinstance(data, pa.Array | pa.ChunkedArray):
            data = {"0": data}
        found = pa.table(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise SeriesError(
            f"{name}: cannot be taken as an Arrow table ({said}); expected columns of one type each"
        ) from None
    return arrow_table.of_arrow_table(found, name)


def convert_table(table: Table, to: Kind = "table", *, name: str = "the table") -> Any:
    """A table as another library holds it.

    Args:
        table: ours.
        to: ``table`` (ours, with ``__arrow_c_stream__``), ``arrow``, ``pandas``, ``polars``, ``dict`` (of arrays) or
            ``numpy``: the array that it comes from, else ``(rows, columns)``, or structured where types differ.
        name: for errors.

    Raises:
        SeriesError: something that it cannot be, or a library that is not here.
    """
    if to not in get_args(Kind):
        raise SeriesError(f"{name}: no table becomes {to!r}: {choice(str(to), get_args(Kind))}")
    if to == "table":
        return ArrowTable(table.columns, table.origin, table.remarks)
    if to in ("numpy", "dict"):
        return _to_arrays(table, name, as_dict=to == "dict")
    pa = _arrow(name)
    from vqaudio.series.formats import arrow_table

    try:
        found = arrow_table.to_arrow_table(table, name)
        if to == "arrow":
            return found
        library = import_module(to)  # pandas or polars
    except ImportError:
        raise SeriesError(f"{name}: {to} is not installed; pip install {to}, or take another kind") from None
    except (pa.ArrowException, ValueError) as error:
        raise SeriesError(f"{name}: cannot be held by Arrow ({str(error).partition(chr(10))[0]})") from None
    return found.to_pandas() if to == "pandas" else library.from_arrow(found)


def _to_arrays(table: Table, name: str, *, as_dict: bool) -> Any:
    from vqaudio.series.formats import npy

    if as_dict:
        return npy.arrays_of(table, name, suffix=".npz")
    if npy.SINGLE in table.origin.get("arrays", {}) or len({column.values.dtype for column in table.columns}) == 1:
        return npy.arrays_of(table, name, suffix=".npy")[npy.SINGLE]
    arrays = npy.arrays_of(table, name, suffix=".npz")
    dtype = [(key, array.dtype, array.shape[1:]) for key, array in arrays.items()]
    found = np.empty(table.n_rows, dtype)
    for key, array in arrays.items():
        found[key] = array
    return found


def _arrow(name: str) -> Any:
    try:
        return import_module("pyarrow")
    except ImportError:
        raise SeriesError(f"{name}: is handed over by pyarrow: {install('tables')}, or use numpy's arrays") from None
