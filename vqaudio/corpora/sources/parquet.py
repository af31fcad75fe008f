"""Parquet as a list of recordings: a row for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vqaudio.corpora import storage
from vqaudio.corpora.columns import Columns
from vqaudio.corpora.listing import FileListing, Listed
from vqaudio.errors import CorpusError, install

if TYPE_CHECKING:
    import pyarrow.parquet

SUFFIXES = (".parquet", ".pq")
_BATCH = 4096  # rows in memory


class Parquet(FileListing):
    """A Parquet file, of which some rows at a time are read, and no more columns than are known.

    Raises:
        FileError: it cannot be read. CorpusError: it is no Parquet file, none of its columns has paths, or pyarrow is
            missing.
    """

    kind, empty = "parquet", "has no rows, expected one for each recording"

    def rows(self) -> Iterator[Listed]:
        with storage.open_read(self._path) as file, self._explained() as parquet:
            table = parquet.ParquetFile(file, pre_buffer=False)
            columns = Columns(table.schema_arrow.names, self._path)
            index = 0
            for batch in table.iter_batches(_BATCH, columns=columns.used, use_threads=False):
                for row in batch.to_pylist():
                    yield columns.listed(row, f"{self._path}: row {index} (the first is 0)")
                    index += 1

    @contextmanager
    def _explained(self) -> Iterator[pyarrow.parquet]:
        """The module, and its failures in sentences."""
        try:
            import pyarrow  # late: other kinds do without
            import pyarrow.parquet
        except ModuleNotFoundError:
            raise CorpusError(f"{self._path}: pyarrow is needed to read it: {install('tables')}") from None
        try:
            yield pyarrow.parquet
        except (pyarrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CorpusError(f"{self._path}: is no Parquet file that can be read ({reason}); write it again") from None
