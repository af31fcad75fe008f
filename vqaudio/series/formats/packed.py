"""CSV files that are packed: ``.csv.gz`` and ``.csv.zst``, by Arrow's streams."""

from __future__ import annotations

from typing import IO, Any

import pyarrow as pa

from vqaudio.errors import SeriesError
from vqaudio.files import copy_to_temporary
from vqaudio.series.formats.arrow import first_line
from vqaudio.series.formats.csv_writer import CsvWriter

METHODS = {".csv.gz": "gzip", ".csv.zst": "zstd"}


class _Kept:
    """A file that others read or write, but do not close."""

    closed = False

    def __init__(self, file: IO[bytes]):
        self.read, self.write, self.flush = file.read, file.write, file.flush

    def close(self) -> None:
        pass


class _Unpacked:
    """What a packed file holds, as something to copy."""

    def __init__(self, file: IO[bytes], name: str, method: str):
        self._name, self._method = name, method
        self._stream = pa.CompressedInputStream(pa.PythonFile(_Kept(file), mode="r"), method)

    def read(self, count: int, /) -> bytes:
        try:
            return bytes(self._stream.read(count))
        except (pa.ArrowException, OSError) as error:
            raise SeriesError(f"{self._name}: cannot be unpacked by {self._method} ({first_line(error)})") from None


def unpacked(file: IO[bytes], name: str, *, suffix: str) -> IO[bytes]:
    """What a packed file holds, as an unnamed file, which the caller closes.

    Raises:
        SeriesError: it is damaged, or packed otherwise.
        FileError: there is no room for it.
    """
    return copy_to_temporary(_Unpacked(file, name, METHODS[suffix]), name)


class PackedCsvWriter(CsvWriter):
    """A packed CSV file, written piece by piece; arguments are those of :class:`CsvWriter`, and one of ``METHODS``."""

    def __init__(self, file: IO[bytes], name: str, *, suffix: str):
        self._stream: Any = pa.CompressedOutputStream(pa.PythonFile(_Kept(file), mode="w"), METHODS[suffix])
        super().__init__(self._stream, name)

    def finish(self) -> None:
        """See :meth:`TableWriter.finish`."""
        self._stream.close()
