"""Shards of tokens: Parquet files with a row for each recording, which pyarrow, polars and `datasets` read as they are.

============================================================== =====================================================
``id``, ``path``, ``corpus``, ``speaker``, ``label``           strings, as in the corpus
``text``, ``split``
``starts``                                                     list<float64>: when each word or letter of ``text``
                                                               begins (s); empty where not known
``version``                                                    int32: 0 for a recording, from 1 on for its copies
``seconds``                                                    float64: how long the coded sound is
``codes``                                                      list<list<int16>>, ``[n_q][frames]``: a list for each
                                                               stream in use, shorter ones for streams of a stride;
                                                               int32 where an alphabet is above 32768
``model``                                                      string: the codec's fingerprint
============================================================== =====================================================

Values are dictionary-encoded, so that a code takes about as many bits as its alphabet needs, and compressed (zstd).
The schema's metadata name the codec (``vqaudio``, JSON), how the shard was made (``settings``)
and what came of its part of the corpus (``part``, JSON).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from vqaudio.corpora import storage
from vqaudio.errors import FileError, ModelError, VqaudioError, install
from vqaudio.tokens.part import Header, PartDone, summary
from vqaudio.tokens.rows import Origin, Row

if TYPE_CHECKING:
    import pyarrow

SUFFIX = ".parquet"
TEXTS = ("id", "path", "corpus", "speaker", "label", "text", "split")
COLUMNS = (*TEXTS, "starts", "version", "seconds", "codes")


def write(
    path: Path | str, origin: Origin, rows: Sequence[Row], *, settings: str = "", part: PartDone | None = None
) -> None:
    """Write one shard, atomically, to a path or an fsspec URL.

    Args:
        path: of the shard. origin: whose tokens they are. rows: in their order.
        settings: how they were made, for :func:`header_of`.
        part: what came of their part of the corpus, where that is known.

    Raises:
        FileError: it cannot be written.
    """
    pyarrow = _arrow()
    from pyarrow import parquet

    header = Header(origin, settings, part or summary(origin, rows))
    table = _table_of(pyarrow, origin, rows).replace_schema_metadata(header.to_texts())
    with storage.write_atomically(str(path)) as file:
        parquet.write_table(table, file, compression="zstd")


def read(folder: Path) -> tuple[Origin, list[Row]]:
    """All tokens in a folder and those in it, or in one shard; of many, see :func:`vqaudio.tokens.open_tokens`.

    Raises:
        FileError: no shards, or one that cannot be read. ModelError: shards of several codecs.
    """
    origins = SameOrigin(folder)
    rows: list[Row] = []
    for shard in shards_in(folder):
        origins.add(origin_of(shard))
        for table in tables_of(shard, COLUMNS):
            rows.extend(_rows(table))
    return origins.origin, rows


def shards_in(folder: Path) -> list[Path]:
    """The shards in a folder and those in it, or the one that it is, by name.

    Raises:
        FileError: there are none.
    """
    shards = [folder] if folder.is_file() else sorted(folder.rglob(f"*{SUFFIX}"))
    if not shards:
        raise FileError(f"{folder}: holds no tokens; write them with python -m vqaudio.tokenize RECORDINGS {folder}")
    return shards


def origin_of(shard: Path) -> Origin:
    """Whose tokens a shard holds.

    Raises:
        FileError: it cannot be read.
    """
    return header_of(shard).origin


def header_of(shard: Path | str) -> Header:
    """What a shard says of itself, read from its end.

    Raises:
        FileError: it cannot be read.
    """
    with storage.open_read(str(shard)) as file, _explained(shard):
        return Header.from_texts(_opened(file).schema_arrow.metadata or {})


def tables_of(shard: Path, columns: Sequence[str]) -> Iterator[pyarrow.Table]:
    """Some columns of a shard, a row group at a time.

    Raises:
        FileError: it cannot be read, or lacks a column.
    """
    with _explained(shard):
        file = _opened(shard)
        for name in columns:
            if name not in file.schema_arrow.names:
                raise FileError(f"{shard}: lacks the column {name!r}; remove it and write it again")
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, list(columns))


class SameOrigin:
    """Sees to it that all shards of a folder are of one codec, which is then ``origin``."""

    origin: Origin

    def __init__(self, folder: Path):
        self._folder = folder

    def add(self, origin: Origin) -> None:
        """One more shard's.

        Raises:
            ModelError: it is of another codec.
        """
        if getattr(self, "origin", origin) != origin:
            found = ", ".join(sorted({self.origin.codec, origin.codec}))
            raise ModelError(
                f"{self._folder}: holds tokens of several codecs ({found}); keep each in a folder of its own"
            )
        self.origin = origin


def _arrow() -> Any:
    try:
        import pyarrow  # late: it takes a while, and compressing does without
    except ModuleNotFoundError:
        raise VqaudioError(f"tokens are Parquet files, for which pyarrow is needed: {install('tables')}") from None
    return pyarrow


def _table_of(pyarrow: Any, origin: Origin, rows: Sequence[Row]) -> pyarrow.Table:
    columns = {name: pyarrow.array([getattr(row, name) for row in rows], pyarrow.string()) for name in TEXTS}
    columns["starts"] = pyarrow.array([row.starts for row in rows], pyarrow.list_(pyarrow.float64()))
    columns["version"] = pyarrow.array([row.version for row in rows], pyarrow.int32())
    columns["seconds"] = pyarrow.array([row.seconds for row in rows], pyarrow.float64())
    streams = [codes for row in rows for codes in row.codes]
    values = np.concatenate([np.empty(0, origin.dtype), *(codes.astype(origin.dtype) for codes in streams)])
    inner = pyarrow.ListArray.from_arrays(_offsets(pyarrow, streams), pyarrow.array(values))
    columns["codes"] = pyarrow.ListArray.from_arrays(_offsets(pyarrow, [row.codes for row in rows]), inner)
    columns["model"] = pyarrow.array([origin.codec] * len(rows), pyarrow.string())
    return pyarrow.table(columns)


def _offsets(pyarrow: Any, parts: Sequence[Any]) -> Any:
    """Where each of some lists, one after the other, begins and ends."""
    return pyarrow.array(np.cumsum([0, *map(len, parts)]), pyarrow.int32())


def _opened(file: Path | IO[bytes]) -> Any:
    _arrow()
    from pyarrow import parquet

    return parquet.ParquetFile(file)


@contextmanager
def _explained(shard: Path | str) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise FileError(f"{shard}: is no file of tokens ({error}); remove it and write it again") from None


def _rows(table: pyarrow.Table) -> Iterator[Row]:
    texts = {name: table.column(name).to_pylist() for name in TEXTS}
    starts, versions, seconds = (table.column(name).to_pylist() for name in ("starts", "version", "seconds"))
    codes = table.column("codes")
    for at in range(len(table)):
        known = {name: values[at] for name, values in texts.items()}
        streams = [np.asarray(stream.values, dtype=np.int32) for stream in codes[at].values or ()]
        yield Row(**known, starts=tuple(starts[at]), version=versions[at], seconds=seconds[at], codes=streams)
