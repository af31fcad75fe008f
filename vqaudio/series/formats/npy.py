"""NPY and NPZ: arrays of one dimension or two, whose columns become a table's, and the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import SeriesError
from vqaudio.series.table import TEXTS, Column, Table, decimal_of, is_binary, known_cells

SINGLE = ""
"""The name of an NPY file's only array."""
_UNITS = ("s", "ms", "us", "ns")
_DATE_UNITS = {"date32": "D", "date64": "ms"}
_NUMPY_TIMES = {"timestamp": "datetime64", "date32": "datetime64", "date64": "datetime64"} | dict.fromkeys(
    ("duration", "time32", "time64"), "timedelta64"
)


def column_of(title: str, values: NDArray[Any], name: str) -> Column:
    """The column that an array ``(rows,)`` is.

    Raises:
        SeriesError: it holds what no column may.
    """
    kind, dtype = values.dtype.kind, values.dtype.newbyteorder("=")
    values, cells = known_cells(np.ascontiguousarray(values, dtype))
    if kind in "mM":
        unit = np.datetime_data(dtype)[0]
        if unit not in _UNITS or np.datetime_data(dtype)[1] != 1:
            raise SeriesError(f"{name}: {title!r} holds {dtype}; expected times in {', '.join(_UNITS)}")
        return Column(title, f"{'timestamp' if kind == 'M' else 'duration'}[{unit}]", values.view(np.int64), cells)
    if kind == "U":
        return Column(title, "string", values.astype(object), cells)
    if kind not in "biuf" or dtype.itemsize > 8:
        raise SeriesError(f"{name}: {title!r} holds {dtype}, which is no column: expected integers, floats or bool")
    return Column(title, dtype.name, values, cells)


def shapes_of(shapes: Mapping[str, tuple[int, ...]], name: str) -> dict[str, list[int]]:
    """What an origin says of arrays of these shapes: how many dimensions each has, and its columns.

    Raises:
        SeriesError: shapes that do not make a table.
    """
    for key, shape in shapes.items():
        if len(shape) not in (1, 2) or shape[0] != next(iter(shapes.values()))[0]:
            raise SeriesError(
                f"{name}: the array {key!r} has the shape {shape}; expected (rows,) or (rows, columns), and as many "
                "rows in every array"
            )
    return {key: [len(shape), *shape[1:]] for key, shape in shapes.items()}


def table_of(arrays: Mapping[str, NDArray[Any]], name: str, *, suffix: str) -> Table:
    """The columns of arrays that are called so, as a file of them with that suffix would hold them.

    Raises:
        SeriesError: arrays that do not make a table.
    """
    origin = {"suffix": suffix, "arrays": shapes_of({key: array.shape for key, array in arrays.items()}, name)}
    columns = []
    for key, array in arrays.items():
        for number, values in enumerate(array.T if array.ndim == 2 else [array]):
            title = key if array.ndim == 1 else f"{key}[{number}]" if key else str(number)
            columns.append(column_of(title, values, name))
    return Table(columns, origin)


def arrays_of(table: Table, name: str, suffix: str) -> Mapping[str, NDArray[Any]]:
    """The arrays of a table by their names, as files hold them."""
    columns = [_values(column, name) for column in table.columns]
    shapes = table.origin.get("arrays")
    if shapes is None or (suffix == ".npy") != (SINGLE in shapes):
        if suffix == ".npz":
            names = [column.name or str(number) for number, column in enumerate(table.columns)]
            if len(set(names)) < len(names) or any("/" in title for title in names):
                names = [str(number) for number in range(len(names))]
            return dict(zip(names, columns, strict=True))
        shapes = {SINGLE: [2, len(columns)]}
    arrays, used = {}, 0
    for key, (n_axes, *widths) in shapes.items():
        width = widths[0] if widths else 1
        parts = columns[used : used + width]
        used += width
        if len({part.dtype for part in parts}) > 1:
            types = ", ".join(sorted({part.dtype.name for part in parts}))
            raise SeriesError(f"{name}: columns of {types} do not fit one array; write .npz, .csv or .parquet")
        arrays[key] = parts[0] if n_axes == 1 else _joined(parts, table.n_rows)
    return arrays


def _joined(parts: list[NDArray[Any]], n_rows: int) -> NDArray[Any]:
    return np.stack(parts, 1) if parts else np.zeros((n_rows, 0))


def _values(column: Column, name: str) -> NDArray[Any]:
    gaps = ~column.known
    kind, _, unit = column.dtype.rstrip("]").partition("[")
    unit = unit or _DATE_UNITS.get(kind, "")
    if unit and kind in _NUMPY_TIMES:
        values = column.values.copy()
        values[gaps] = np.iinfo(np.int64).min
        return values.view(f"{_NUMPY_TIMES[kind]}[{unit}]")
    if column.values.dtype.kind == "f":
        return np.where(gaps, np.array(np.nan, column.values.dtype), column.values)
    if is_binary(column.dtype) or decimal_of(column.dtype):
        raise SeriesError(f"{name}: column {column.name!r} holds {column.dtype}, which arrays cannot; write .parquet")
    if gaps.any():
        raise SeriesError(
            f"{name}: column {column.name!r} has {gaps.sum()} gaps, which arrays of {column.dtype} cannot hold; write "
            ".parquet or .csv"
        )
    if column.dtype not in TEXTS:
        return column.values
    if any(text.endswith("\0") for text in column.values.tolist()):
        raise SeriesError(f"{name}: column {column.name!r} holds text that ends in NUL, which arrays cut off")
    return column.values.astype(str)
