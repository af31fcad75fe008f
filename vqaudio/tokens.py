"""Tokens on disk: what priors learn from. Arrow files with a row for each recording, readable by whatever reads Arrow.

Columns: ``path``, ``corpus``, ``speaker``, ``label`` and ``split`` as in the manifest; ``version`` (0 for the recording
as it is, from 1 on for varied copies); and ``stream_0``, ``stream_1``, ... with the codes. A row that was coded with
fewer codebooks has empty lists in the others. The schema's metadata names the codec.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.container import Stream
from vqaudio.errors import FileError, ModelError, VqaudioError, install
from vqaudio.files import atomic_write

if TYPE_CHECKING:
    import pyarrow

TEXTS = ("path", "corpus", "speaker", "label", "split")
SUFFIX = ".arrow"


@dataclass(frozen=True)
class Origin:
    """Whose tokens they are: a codec's fingerprint, its streams, and its frames per second (Hz)."""

    codec: str
    streams: tuple[Stream, ...]
    frame_rate: float


@dataclass(frozen=True)
class Row:
    """The tokens of one recording: for each stream in use an int32 array ``(codes,)``, and what is known of it."""

    path: str
    corpus: str
    speaker: str
    label: str
    split: str
    version: int
    codes: list[NDArray[np.int32]]


def write(path: Path, origin: Origin, rows: Sequence[Row], *, settings: str = "") -> None:
    """Write one shard, atomically; ``settings`` say how it was made, for :func:`made_by`."""
    pyarrow = _arrow()
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in TEXTS}
    columns["version"] = pyarrow.array([row.version for row in rows], pyarrow.int32())
    codes = pyarrow.list_(pyarrow.uint16())
    for index in range(len(origin.streams)):
        found = [row.codes[index] if index < len(row.codes) else () for row in rows]
        columns[f"stream_{index}"] = pyarrow.array(found, codes)
    table = pyarrow.table(columns).replace_schema_metadata({"vqaudio": _described(origin), "settings": settings})
    with atomic_write(path) as file, pyarrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read(folder: Path) -> tuple[Origin, list[Row]]:
    """All tokens in a folder, or in one shard.

    Raises:
        FileError: no shards, or one that cannot be read. ModelError: shards of several codecs.
    """
    shards = [folder] if folder.is_file() else sorted(folder.glob(f"*{SUFFIX}"))
    if not shards:
        raise FileError(f"{folder}: holds no tokens; write them with python -m vqaudio.tokenize RECORDINGS {folder}")
    origins: set[Origin] = set()
    rows: list[Row] = []
    for shard in shards:
        table, origin = _table(shard)
        origins.add(origin)
        try:
            rows.extend(_rows(table, len(origin.streams)))
        except KeyError as error:
            raise FileError(f"{shard}: lacks the column {error}; remove it and write it again") from None
    if len(origins) > 1:
        found = ", ".join(sorted(origin.codec for origin in origins))
        raise ModelError(f"{folder}: holds tokens of several codecs ({found}); keep each in a folder of its own")
    return origins.pop(), rows


def made_by(shard: Path) -> tuple[Origin, str]:
    """Whose tokens a shard holds, and the settings that it was written with.

    Raises:
        FileError: it cannot be read.
    """
    table, origin = _table(shard)
    return origin, table.schema.metadata.get(b"settings", b"").decode(errors="replace")


def _arrow() -> Any:
    try:
        import pyarrow  # late: it takes a while, and compressing does without
    except ModuleNotFoundError:
        raise VqaudioError(f"tokens are Arrow files, for which pyarrow is needed: {install('tables')}") from None
    return pyarrow


def _described(origin: Origin) -> str:
    streams = [[stream.alphabet, stream.stride] for stream in origin.streams]
    return json.dumps({"codec": origin.codec, "streams": streams, "frame_rate": origin.frame_rate})


def _table(shard: Path) -> tuple[pyarrow.Table, Origin]:
    pyarrow = _arrow()
    try:
        with pyarrow.memory_map(str(shard)) as file:
            table = pyarrow.ipc.open_file(file).read_all()
        facts = json.loads(table.schema.metadata[b"vqaudio"])
        streams = tuple(Stream(*numbers) for numbers in facts["streams"])
        return table, Origin(facts["codec"], streams, facts["frame_rate"])
    except (OSError, KeyError, TypeError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise FileError(f"{shard}: is no file of tokens ({error}); remove it and write it again") from None


def _rows(table: pyarrow.Table, n_streams: int) -> Iterator[Row]:
    texts = [table.column(name).to_pylist() for name in TEXTS]
    versions = table.column("version").to_pylist()
    streams = [table.column(f"stream_{index}") for index in range(n_streams)]
    for at, (version, *named) in enumerate(zip(versions, *texts, strict=True)):
        codes = [np.asarray(stream[at].values, dtype=np.int32) for stream in streams]
        path, corpus, speaker, label, split = named
        yield Row(path, corpus, speaker, label, split, version, [known for known in codes if len(known)])
