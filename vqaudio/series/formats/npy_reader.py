"""NPY and NPZ files to tables, some rows of all arrays at a time."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from vqaudio.errors import SeriesError
from vqaudio.files import Readable, copy_to_temporary
from vqaudio.series.formats.base import TableReader
from vqaudio.series.formats.npy import SINGLE, column_of, shapes_of
from vqaudio.series.formats.window import Window
from vqaudio.series.table import Table

END_OF_ARCHIVE, END_SIZE = b"PK\5\6", 22
"""How the last record of a ZIP archive begins, and its bytes before the archive's comment."""


@dataclass(frozen=True)
class StoredArray:
    """An array in a file.

    Args:
        open: gives a stream that stands at its first value.
        shape, dtype: its own.
        is_transposed: whether it is stored column by column (Fortran's order).
    """

    open: Callable[[], Readable]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_transposed: bool

    @property
    def width(self) -> int:
        """Columns."""
        return self.shape[1] if len(self.shape) == 2 else 1

    @property
    def n_bytes(self) -> int:
        """Of all values."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    def pieces(self, rows: int) -> Iterator[NDArray[Any]]:
        """So many rows each ``(rows, width)``, but the last.

        Raises:
            ValueError: the file ends before, or does not.
        """
        stream = self.open()
        if self.is_transposed:
            yield from self._columns(stream, rows)
            return
        for start in range(0, self.shape[0], rows):
            n_rows = min(rows, self.shape[0] - start)
            yield self._parsed(_exactly(stream, n_rows * self.width * self.dtype.itemsize), n_rows, self.width)
        if stream.read(1):  # archives look at their checksum where they end
            raise ValueError("something follows its array")

    def _columns(self, stream: Readable, rows: int) -> Iterator[NDArray[Any]]:
        with copy_to_temporary(stream, "the array") as file:
            for start in range(0, self.shape[0], rows):
                n_rows = min(rows, self.shape[0] - start)
                data = b""
                for number in range(self.width):
                    file.seek((number * self.shape[0] + start) * self.dtype.itemsize)
                    data += _exactly(file, n_rows * self.dtype.itemsize)
                yield self._parsed(data, self.width, n_rows).T

    def _parsed(self, data: bytes, *shape: int) -> NDArray[Any]:
        if not data:
            return np.zeros(shape, self.dtype)
        return np.frombuffer(data, self.dtype).reshape(shape)


def _exactly(stream: Readable, count: int) -> bytes:
    parts = []
    while count and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    if count:
        raise ValueError(f"{count} bytes of its values are missing")
    return b"".join(parts)


class NpyReader(TableReader):
    """An NPY or NPZ file: plain arrays of as many rows each.

    Args:
        file: an open one, which can seek.
        name: of it, for errors.
        suffix: ``.npy`` or ``.npz``.

    Raises:
        SeriesError: not such a file, or arrays that do not make a table.
    """

    n_rows: int

    def __init__(self, file: IO[bytes], name: str, *, suffix: str):
        self.name, self._suffix = name, suffix
        with self._refusing():
            self._arrays = {SINGLE: _single(file)} if suffix == ".npy" else _members(file)
        shapes = shapes_of({key: array.shape for key, array in self._arrays.items()}, name)
        self.origin, self.remarks = {"suffix": suffix, "arrays": shapes}, []
        self.n_rows = next(iter(self._arrays.values())).shape[0]

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # damaged headers end in whatever Python's own parser and unpackers raise
            raise SeriesError(
                f"{self.name}: cannot be read as {self._suffix} ({error}); save plain arrays of numbers"
            ) from None

    def pieces(self, rows: int) -> Iterator[Table]:
        """See :meth:`TableReader.pieces`."""
        if not self.n_rows:
            yield self._table([np.zeros((0, array.width), array.dtype) for array in self._arrays.values()])
            return
        streams = [array.pieces(rows) for array in self._arrays.values()]
        while True:
            with self._refusing():
                found = [next(stream, None) for stream in streams]
            arrays = [array for array in found if array is not None]
            if not arrays:
                return
            yield self._table(arrays)

    def _table(self, arrays: list[NDArray[Any]]) -> Table:
        columns = []
        for (key, stored), array in zip(self._arrays.items(), arrays, strict=True):
            for number, values in enumerate(array.T):
                title = key if len(stored.shape) == 1 else f"{key}[{number}]" if key else str(number)
                columns.append(column_of(title, values, self.name))
        return Table(columns, dict(self.origin), self.remarks)


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran's order, and type of the array in a stream, which then stands at its values."""
    version = npy_format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"it is of version {version}, whose arrays are no plain ones")
    parse = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, is_fortran, dtype = parse(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python's objects")
    if min(shape, default=0) < 0:
        raise ValueError(f"its shape is {shape}")
    return shape, is_fortran and len(shape) > 1, dtype


def _single(file: IO[bytes]) -> StoredArray:
    """The array in a file, and nothing but that."""
    lock = threading.Lock()
    window = Window(file, 0, lock)
    shape, is_transposed, dtype = _header(window)
    start = window.position
    array = StoredArray(lambda: Window(file, start, lock), shape, dtype, is_transposed)
    _check_size(array, file.seek(0, 2) - start)
    return array


def _check_size(array: StoredArray, n_bytes: int) -> None:
    if n_bytes > array.n_bytes:
        raise ValueError("something follows its array, maybe a second one, which belongs into an .npz")
    if n_bytes < array.n_bytes:
        raise ValueError(f"{array.n_bytes - n_bytes} bytes of its values are missing")


def _members(file: IO[bytes]) -> dict[str, StoredArray]:
    arrays: dict[str, StoredArray] = {}
    archive = zipfile.ZipFile(file)
    file.seek(-END_SIZE - len(archive.comment), 2)
    first = min((entry.header_offset for entry in archive.infolist()), default=0)
    if first or file.read(len(END_OF_ARCHIVE)) != END_OF_ARCHIVE:
        raise ValueError("something stands before or behind its arrays, which would be lost")
    for entry in archive.infolist():
        title = entry.filename.removesuffix(".npy")
        if title in arrays:
            raise ValueError(f"it holds two arrays named {title!r}")
        arrays[title] = _member(archive, entry)
    if not arrays:
        raise ValueError("it holds no arrays")
    return arrays


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> StoredArray:
    def opened() -> IO[bytes]:
        stream = archive.open(entry)
        _header(stream)
        return stream

    with archive.open(entry) as stream:
        shape, is_transposed, dtype = _header(stream)
        start = stream.tell()
    array = StoredArray(opened, shape, dtype, is_transposed)
    _check_size(array, entry.file_size - start)
    return array
