"""Tables to NPY and NPZ files, piece by piece."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from vqaudio.errors import SeriesError
from vqaudio.series.formats.base import TableWriter
from vqaudio.series.formats.npy import SINGLE, arrays_of
from vqaudio.series.table import Table

Segment = tuple[int, np.dtype[Any], tuple[int, ...]]
"""Where some rows of an array begin in the temporary file, and their type and shape."""


class NpyWriter(TableWriter):
    """An NPY or NPZ file.

    Arrays stand one after another, with their lengths before them: what cannot be written at once waits in a temporary
    file.

    Args:
        file: an open one, which need not seek.
        name: of it, for errors.
        suffix: ``.npy`` or ``.npz``.
        n_rows: that will be written, where it is known.
    """

    def __init__(self, file: IO[bytes], name: str, *, suffix: str, n_rows: int | None = None):
        self._file, self._name, self._suffix, self._n_rows = file, name, suffix, n_rows
        self._held = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the file is done
        self._segments: dict[str, list[Segment]] = {}
        self._n_written = 0

    def write(self, piece: Table) -> None:
        """See :meth:`TableWriter.write`: refused are types that do not fit one array, and gaps among integers."""
        arrays = arrays_of(piece, self._name, self._suffix)
        single = arrays.get(SINGLE) if self._suffix == ".npy" and self._n_rows is not None else None
        if single is not None and single.dtype.kind != "U":  # texts are as wide as the widest
            if not self._n_written:
                _write_header(self._file, single.dtype, (self._n_rows or 0, *single.shape[1:]))
            self._file.write(single.tobytes())
        else:
            for key, array in arrays.items():
                segment = self._held.tell(), array.dtype, array.shape
                self._segments.setdefault(key, []).append(segment)
                self._held.write(array.tobytes())
        self._n_written += piece.n_rows

    def finish(self) -> None:
        """See :meth:`TableWriter.finish`."""
        if self._n_rows is not None and self._n_rows != self._n_written:
            raise SeriesError(f"{self._name}: {self._n_written} rows were written, expected {self._n_rows}")
        if self._suffix == ".npy" and self._segments:
            self._write_array(self._file, self._segments[SINGLE])
        elif self._suffix == ".npz":
            with zipfile.ZipFile(self._file, "w") as archive:
                for key, segments in self._segments.items():
                    member = zipfile.ZipInfo(f"{key}.npy")  # its date is fixed, so that equal tables give equal files
                    with archive.open(member, "w", force_zip64=True) as stream:
                        self._write_array(stream, segments)
        self._held.close()

    def abandon(self) -> None:
        """See :meth:`TableWriter.abandon`."""
        self._held.close()

    def _write_array(self, file: IO[bytes], segments: list[Segment]) -> None:
        dtype = np.result_type(*(kind for _, kind, _ in segments))
        n_rows = sum(shape[0] for _, _, shape in segments)
        _write_header(file, dtype, (n_rows, *segments[0][2][1:]))
        for array in self._read(segments):
            file.write(array.astype(dtype).tobytes())

    def _read(self, segments: list[Segment]) -> Iterator[NDArray[Any]]:
        for start, dtype, shape in segments:
            self._held.seek(start)
            count = int(np.prod(shape))
            data = self._held.read(count * dtype.itemsize)
            yield np.frombuffer(data, dtype).reshape(shape) if data else np.zeros(shape, dtype)


def _write_header(file: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    about = {"descr": npy_format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy_format.write_array_header_1_0(file, about)
