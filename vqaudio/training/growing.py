"""Arrays that grow on the disk, beyond memory: ``.npy`` files once they are whole, gone on with after a kill."""

from __future__ import annotations

import errno
import os
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from vqaudio.errors import FileError

SUFFIX = ".part"
_COPY_BYTES = 1 << 20


class GrowingArray:
    """A one-dimensional array in a file of its own, to which values are appended.

    While it grows it lies beside ``path`` under a name that ends with ``.part``, its length unsaid: numpy leaves room
    for any in the header. What a killed process appended is there for the next one, which says how much of it counts.

    Args:
        path: of the ``.npy`` file that it becomes.
        dtype: of its values.

    Raises:
        FileError: the file cannot be written.
    """

    def __init__(self, path: Path, dtype: DTypeLike):
        self.path, self.dtype = path, np.dtype(dtype)
        self._growing = path.with_suffix(SUFFIX)
        header = _header(self.dtype, 0)
        self._header_bytes = len(header)
        try:
            if path.exists() and not self._growing.exists():  # killed when it was whole, but what belongs to it was not
                os.replace(path, self._growing)
            self._file = open(self._growing, "a+b")  # noqa: SIM115 - closed by finish or close
            if os.fstat(self._file.fileno()).st_size < self._header_bytes:
                self._file.truncate(0)
                self._file.write(header)
                self._file.flush()
        except OSError as error:
            raise self._explained(error) from None

    def __len__(self) -> int:
        """Values that the file holds; those of one that was cut off do not count."""
        return (os.fstat(self._file.fileno()).st_size - self._header_bytes) // self.dtype.itemsize

    def __getitem__(self, index: int) -> int:
        """A value, counted from the start.

        Raises:
            IndexError: there is none.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"{self._growing}: holds {len(self)} values, not one of number {index}")
        self._file.seek(self._header_bytes + index * self.dtype.itemsize)
        return int(np.frombuffer(self._file.read(self.dtype.itemsize), self.dtype)[0])

    def append(self, values: NDArray[np.generic]) -> None:
        """Add values ``(n,)`` at the end.

        Raises:
            FileError: the disk is full.
        """
        try:
            self._file.write(np.ascontiguousarray(values, self.dtype).data)
            self._file.flush()
        except OSError as error:
            raise self._explained(error) from None

    def append_file(self, path: Path) -> None:
        """Add the values that a file holds, as bytes and nothing else, at the end.

        Raises:
            FileError: the disk is full.
        """
        try:
            with open(path, "rb") as file:
                shutil.copyfileobj(file, self._file, _COPY_BYTES)
            self._file.flush()
        except OSError as error:
            raise self._explained(error) from None

    def sync(self) -> None:
        """See to it that what was appended outlives a power cut."""
        os.fsync(self._file.fileno())

    def truncate(self, length: int) -> None:
        """Drop what comes after the first ``length`` values."""
        self._file.truncate(self._header_bytes + length * self.dtype.itemsize)

    def finish(self) -> None:
        """Say the length, and take the name; the file is whole from then on.

        Raises:
            FileError: it cannot be written.
        """
        length = len(self)
        self.close()
        try:
            with open(self._growing, "r+b") as file:
                file.write(_header(self.dtype, length))
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._growing, self.path)
        except OSError as error:
            raise self._explained(error) from None

    def close(self) -> None:
        """Leave it as it is, for another process to go on with."""
        self._file.close()

    def remove(self) -> None:
        """It was of use for the time of writing alone."""
        self.close()
        self._growing.unlink(missing_ok=True)

    def _explained(self, error: OSError) -> FileError:
        advice = (
            "free some space or set data.cache" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "set data.cache"
        )
        return FileError(f"{self._growing}: cannot be written ({error.strerror}); {advice} to another folder")


def _header(dtype: np.dtype[np.generic], length: int) -> bytes:
    """What a ``.npy`` file begins with: as many bytes for any length."""
    file = BytesIO()
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}
    npy.write_array_header_1_0(file, described)
    return file.getvalue()
