"""NPY and NPZ: arrays of one dimension or two, whose columns become a table's."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from vqaudio.errors import SeriesError
from vqaudio.series.table import TEXTS, Column, Table, decimal_of, is_binary, known_cells

SINGLE = ""
"""The name of an NPY file's only array."""
END_OF_ARCHIVE, END_SIZE = b"PK\5\6", 22
"""How the last record of a ZIP archive begins, and its bytes before the archive's comment."""
_UNITS = ("s", "ms", "us", "ns")
_DATE_UNITS = {"date32": "D", "date64": "ms"}
_NUMPY_TIMES = {"timestamp": "datetime64", "date32": "datetime64", "date64": "datetime64"} | dict.fromkeys(
    ("duration", "time32", "time64"), "timedelta64"
)


def read(file: IO[bytes], name: str, *, suffix: str) -> Table:
    """The arrays of an open file.

    Raises:
        SeriesError: not such a file, or arrays that do not make a table.
    """
    try:
        arrays = {SINGLE: _array(file)} if suffix == ".npy" else _members(file)
    except Exception as error:  # damaged headers end in whatever Python's own parser and unpackers raise
        raise SeriesError(f"{name}: cannot be read as {suffix} ({error}); save plain arrays of numbers") from None
    columns, shapes = [], {}
    for key, array in arrays.items():
        if array.ndim not in (1, 2) or len(array) != len(next(iter(arrays.values()))):
            raise SeriesError(
                f"{name}: the array {key!r} has the shape {array.shape}; expected (rows,) or (rows, columns), and as "
                "many rows in every array"
            )
        shapes[key] = [array.ndim, *array.shape[1:]]
        for number, values in enumerate(array.T if array.ndim == 2 else [array]):
            title = key if array.ndim == 1 else f"{key}[{number}]" if key else str(number)
            columns.append(_column(title, values, name))
    return Table(columns, {"suffix": suffix, "arrays": shapes})


def _array(stream: IO[bytes]) -> NDArray[Any]:
    """The array in a stream, and nothing but that."""
    array: NDArray[Any] = npy_format.read_array(stream, allow_pickle=False)
    if stream.read(1):
        raise ValueError("something follows its array, maybe a second one, which belongs into an .npz")
    return array


def _members(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(file) as archive:
        file.seek(-END_SIZE - len(archive.comment), 2)
        first = min((entry.header_offset for entry in archive.infolist()), default=0)
        if first or file.read(len(END_OF_ARCHIVE)) != END_OF_ARCHIVE:
            raise ValueError("something stands before or behind its arrays, which would be lost")
        for member in archive.namelist():
            title = member.removesuffix(".npy")
            if title in arrays:
                raise ValueError(f"it holds two arrays named {title!r}")
            with archive.open(member) as stream:
                arrays[title] = _array(stream)
    if not arrays:
        raise ValueError("it holds no arrays")
    return arrays


def _column(title: str, values: NDArray[Any], name: str) -> Column:
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


def write(table: Table, file: IO[bytes], *, name: str, suffix: str) -> None:
    """Write a table's columns, as the arrays that they come from, if any.

    Raises:
        SeriesError: columns of several types for one array, or gaps among integers.
    """
    arrays = _arrays(table, name, suffix)
    if suffix == ".npy":
        npy_format.write_array(file, arrays[SINGLE], allow_pickle=False)
        return
    with zipfile.ZipFile(file, "w") as archive:
        for key, array in arrays.items():
            member = zipfile.ZipInfo(f"{key}.npy")  # its date is fixed, so that equal tables give equal files
            with archive.open(member, "w", force_zip64=True) as stream:
                npy_format.write_array(stream, array, allow_pickle=False)


def _arrays(table: Table, name: str, suffix: str) -> Mapping[str, NDArray[Any]]:
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
