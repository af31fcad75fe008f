"""Tokens to learn from, in memory that does not grow with them: codes lie in one file, which is mapped, not read.

The first process that opens a folder of shards copies their codes into a cache, shard after shard; others wait for it.
All of them then share the pages of the same file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import FileError
from vqaudio.files.locking import locked
from vqaudio.tokens.parquet import SameOrigin, origin_of, shards_in, tables_of
from vqaudio.tokens.rows import Origin

if TYPE_CHECKING:
    import pyarrow

FIELDS = ("corpus", "speaker", "label", "split")
"""Columns of texts of which each has a number in the index."""
CACHE = "_cache"
"""Where an index is kept, in the folder of its shards, unless another place is named."""


@dataclass(frozen=True)
class Tokens:
    """The rows of a folder, in the order of its shards. All arrays are mapped from files, and read-only.

    Attributes:
        origin: whose tokens they are.
        names: of each of :data:`FIELDS` the texts that occur, in the order in which they first do.
        columns: of each of them int32 ``(rows,)``, which of its texts a row has.
        versions: int32 ``(rows,)``, 0 for recordings as they are.
        lengths: int32 ``(rows, streams)``, codes in each stream, 0 in those that a row does not use.
        starts: int64 ``(rows,)``, where a row's codes begin, its streams one after the other.
        values: int16 or int32 ``(codes,)``, see :attr:`Origin.dtype`.
        texts: uint8, what is said in all rows, in UTF-8. text_ends: int64 ``(rows,)``, where each one's ends in it.
        times: float64, when each symbol of these texts begins. time_ends: int64 ``(rows,)``, likewise.
    """

    origin: Origin
    names: dict[str, tuple[str, ...]]
    columns: dict[str, NDArray[np.int32]]
    versions: NDArray[np.int32]
    lengths: NDArray[np.int32]
    starts: NDArray[np.int64]
    values: NDArray[np.signedinteger[Any]]
    texts: NDArray[np.uint8]
    text_ends: NDArray[np.int64]
    times: NDArray[np.float64]
    time_ends: NDArray[np.int64]

    def __len__(self) -> int:
        """Rows."""
        return len(self.versions)

    def codes(self, row: int) -> list[NDArray[np.signedinteger[Any]]]:
        """A row's codes, for each stream in use ``(codes,)``: views into the file."""
        lengths = self.lengths[row]
        ends = self.starts[row] + np.cumsum(lengths, dtype=np.int64)
        used = np.flatnonzero(lengths)
        return [self.values[ends[stream] - lengths[stream] : ends[stream]] for stream in used]

    def text(self, row: int, field: str) -> str:
        """What a row has in one of :data:`FIELDS`."""
        return self.names[field][int(self.columns[field][row])]

    def said(self, row: int) -> str:
        """What is said in a row."""
        return _between(self.texts, self.text_ends, row).tobytes().decode()

    def said_at(self, row: int) -> NDArray[np.float64]:
        """When each symbol of that begins, in seconds; empty where not known."""
        return _between(self.times, self.time_ends, row)


def _between(values: NDArray[Any], ends: NDArray[np.int64], row: int) -> NDArray[Any]:
    return values[0 if row == 0 else ends[row - 1] : ends[row]]


def open_tokens(folder: Path | str, *, cache: Path | None = None) -> Tokens:
    """The tokens of a folder of Parquet shards, by an index that is made where there is none for just these shards.

    Args:
        folder: where the shards are, or one of them.
        cache: where the index is kept; by default in a folder below theirs.

    Raises:
        FileError: no shards, one that cannot be read or holds codes that its codec has not, or no room for the index.
        ModelError: shards of several codecs.
    """
    folder = Path(folder)
    shards = shards_in(folder)
    place = cache or (folder.parent if folder.is_file() else folder) / CACHE
    whose = _digest(str(folder.resolve()))[:8]
    stats = [(str(shard.relative_to(folder.parent)), shard.stat()) for shard in shards]
    state = _digest(*(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats))[:16]
    index = place / f"tokens-{whose}-{state}"
    if not index.is_dir():
        try:
            place.mkdir(parents=True, exist_ok=True)
            with locked(place / f"tokens-{whose}.lock"):
                if not index.is_dir():
                    _build(index, folder, shards)
                    for old in place.glob(f"tokens-{whose}-*"):
                        if old != index:
                            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise FileError(
                f"{place}: the index of the tokens cannot be written there ({error.strerror}); set data.cache to a "
                "folder with room for it"
            ) from None
    return _mapped(index)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


# ------------------------------------------------------------------------------------------------------------- writing


def _build(index: Path, folder: Path, shards: list[Path]) -> None:
    """Write an index beside its place, and give it its name once it is whole."""
    part = index.with_name(f"{index.name}-{uuid.uuid4().hex}.part")
    part.mkdir()
    origins = SameOrigin(folder)
    try:
        with _Writer(part, origin_of(shards[0])) as writer:
            for shard in shards:
                origins.add(origin_of(shard))
                for table in tables_of(shard, ("version", "codes", "text", "starts", *FIELDS)):
                    writer.add(table, shard)
        part.rename(index)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


class _Writer:
    """Appends tables to the files of an index."""

    def __init__(self, folder: Path, origin: Origin):
        self._folder, self._origin = folder, origin
        self._alphabets = np.array([stream.alphabet for stream in origin.streams])
        self._files: dict[str, IO[bytes]] = {}
        self._names: dict[str, dict[str, int]] = {field: {} for field in FIELDS}
        self._rows = self._codes = self._bytes = self._times = 0

    def __enter__(self) -> Self:
        names = ("values", "starts", "lengths", "version", "texts", "text_ends", "times", "time_ends", *FIELDS)
        self._files = {name: (self._folder / name).open("wb") for name in names}
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files.values():
            file.close()
        names = {field: [*known] for field, known in self._names.items()}
        facts = {
            "origin": self._origin.to_json(),
            "rows": self._rows,
            "codes": self._codes,
            "bytes": self._bytes,
            "times": self._times,
            "names": names,
        }
        (self._folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")

    def add(self, table: pyarrow.Table, shard: Path) -> None:
        """All rows of a table.

        Raises:
            FileError: it holds what no codec of this kind makes.
        """
        lists = table.column("codes").combine_chunks()
        rows, streams = lists.offsets.to_numpy(), lists.values.offsets.to_numpy()
        values = lists.values.values.to_numpy()
        row_of = np.repeat(np.arange(len(table)), np.diff(rows))
        stream_of = np.arange(rows[0], rows[-1]) - rows[row_of]
        counts = np.diff(streams[rows[0] : rows[-1] + 1])
        if lists.null_count or (len(stream_of) and stream_of.max() >= len(self._alphabets)):
            raise FileError(f"{shard}: has rows without codes, or with more than {len(self._alphabets)} streams")
        kept = values[streams[rows[0]] : streams[rows[-1]]]
        if ((kept < 0) | (kept >= np.repeat(self._alphabets[stream_of], counts))).any():
            raise FileError(f"{shard}: holds codes that do not fit their codebooks; remove it and write it again")
        lengths = np.zeros((len(table), len(self._alphabets)), np.int32)
        lengths[row_of, stream_of] = counts
        self._write("values", kept.astype(self._origin.dtype))
        self._write("starts", (self._codes + streams[rows[:-1]] - streams[rows[0]]).astype(np.int64))
        self._write("lengths", lengths)
        self._write("version", table.column("version").to_numpy().astype(np.int32))
        for field, numbers in self._names.items():
            texts = table.column(field).to_pylist()
            self._write(field, np.array([numbers.setdefault(text or "", len(numbers)) for text in texts], np.int32))
        texts = [(text or "").encode() for text in table.column("text").to_pylist()]
        times = [starts or [] for starts in table.column("starts").to_pylist()]
        self._write("texts", np.frombuffer(b"".join(texts), np.uint8))
        self._write("text_ends", self._bytes + np.cumsum([len(text) for text in texts], dtype=np.int64))
        self._write("times", np.array([time for starts in times for time in starts], np.float64))
        self._write("time_ends", self._times + np.cumsum([len(starts) for starts in times], dtype=np.int64))
        self._bytes += sum(map(len, texts))
        self._times += sum(map(len, times))
        self._rows += len(table)
        self._codes += len(kept)

    def _write(self, name: str, values: NDArray[Any]) -> None:
        self._files[name].write(values.tobytes())


# ------------------------------------------------------------------------------------------------------------- reading


def _mapped(index: Path) -> Tokens:
    facts = json.loads((index / "facts.json").read_text(encoding="utf-8"))
    origin, rows = Origin.from_json(facts["origin"]), facts["rows"]

    def mapped(name: str, dtype: Any, *shape: int) -> NDArray[Any]:
        if not np.prod(shape):
            return np.zeros(shape, dtype)
        return np.memmap(index / name, dtype, "r", shape=shape)

    return Tokens(
        origin,
        {field: tuple(names) for field, names in facts["names"].items()},
        {field: mapped(field, np.int32, rows) for field in FIELDS},
        mapped("version", np.int32, rows),
        mapped("lengths", np.int32, rows, len(origin.streams)),
        mapped("starts", np.int64, rows),
        mapped("values", origin.dtype, facts["codes"]),
        mapped("texts", np.uint8, facts["bytes"]),
        mapped("text_ends", np.int64, rows),
        mapped("times", np.float64, facts["times"]),
        mapped("time_ends", np.int64, rows),
    )
