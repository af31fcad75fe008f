"""Rows of tokens in tar files: WebDataset's, and what Lhotse Shar keeps its arrays in.

A tar's global header (pax) holds what a Parquet shard has in its metadata, where readers of tars pass it by. Nothing
else but the rows is in it: times, owners and permissions are always the same.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from vqaudio.corpora import storage
from vqaudio.errors import FileError
from vqaudio.tokens.part import Header
from vqaudio.tokens.rows import Origin, Row

HEADER = "VQAUDIO.header"
EMPTY = "__empty__"
"""A file in a tar of no rows, which webdataset passes by: of a tar without files Python does not read the header."""


def write_tar(path: str, header: Header, members: Sequence[tuple[str, bytes]]) -> None:
    """Write files, by name, into a tar, atomically.

    Raises:
        FileError: it cannot be written.
    """
    pax = {HEADER: json.dumps(header.to_texts())}
    with (
        storage.write_atomically(path) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, pax_headers=pax) as tar,
    ):
        for name, data in members or [(EMPTY, b"")]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, BytesIO(data))


def tar_header(path: str) -> Header:
    """What a tar says of itself.

    Raises:
        FileError: it cannot be read, or holds no tokens.
    """
    with storage.open_read(path) as file:
        try:
            with tarfile.open(fileobj=file, mode="r|") as tar:
                tar.next()
                return Header.from_texts(json.loads(tar.pax_headers[HEADER]))
        except (tarfile.TarError, KeyError, TypeError, ValueError) as error:
            raise FileError(f"{path}: is no file of tokens ({error}); remove it and write it again") from None


def array_of(row: Row, origin: Origin) -> NDArray[np.generic]:
    """A row's codes ``(streams, frames)``, where its streams are equally long."""
    return np.stack(row.codes).astype(origin.dtype)


def npy_of(array: NDArray[np.generic]) -> bytes:
    """An array as the bytes of an NPY file."""
    data = BytesIO()
    np.lib.format.write_array(data, array, allow_pickle=False)
    return data.getvalue()


def json_of(facts: object) -> bytes:
    """A line of JSON."""
    return json.dumps(facts, ensure_ascii=False).encode() + b"\n"


def names_of(rows: Sequence[Row]) -> list[str]:
    """A name for each row, of which there is no other in a corpus: its id, and what tells copies of a recording apart.

    Of two rows in a number of codebooks, the one with fewer says so.
    """
    most: dict[tuple[str, int], int] = {}
    for row in rows:
        key = row.id, row.version
        most[key] = max(most.get(key, 0), len(row.codes))
    names = []
    for row in rows:
        version = f"-version-{row.version}" if row.version else ""
        fewer = f"-{len(row.codes)}-codebooks" if len(row.codes) < most[row.id, row.version] else ""
        names.append(f"{row.id}{version}{fewer}")
    return names
