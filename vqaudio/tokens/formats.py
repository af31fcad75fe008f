"""The ways to write a shard of tokens: Parquet, WebDataset tars and Lhotse Shar. The rows are the same."""

from __future__ import annotations

import gzip
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from vqaudio.corpora import storage
from vqaudio.errors import ModelError
from vqaudio.tokens import parquet
from vqaudio.tokens.part import Header
from vqaudio.tokens.rows import Origin, Row
from vqaudio.tokens.tars import array_of, json_of, names_of, npy_of, tar_header, write_tar


class ShardFormat(ABC):
    """How a shard's rows become files.

    Attributes:
        folder: in that of the tokens, in which the shards are; empty for that itself.
    """

    folder = ""

    def place(self, out: str) -> str:
        """Where its shards are in a folder of tokens."""
        return storage.join(out, self.folder) if self.folder else out

    @abstractmethod
    def file(self, shard: str) -> str:
        """The file by which one knows that a shard is there, in :attr:`folder`; it is written last."""

    @abstractmethod
    def write(self, folder: str, shard: str, header: Header, rows: Sequence[Row]) -> None:
        """Write a shard into a folder, by path or URL; its files are whole, or not there.

        Raises:
            FileError: it cannot be written.
        """

    @abstractmethod
    def header(self, folder: str, shard: str) -> Header:
        """What a shard says of itself.

        Raises:
            FileError: it cannot be read, or is none.
        """

    def check(self, origin: Origin) -> None:
        """Do nothing if the tokens of a codec can be written so.

        Raises:
            ModelError: they cannot.
        """
        return


class Parquet(ShardFormat):
    """:mod:`vqaudio.tokens.parquet`."""

    def file(self, shard: str) -> str:
        return f"{shard}{parquet.SUFFIX}"

    def write(self, folder: str, shard: str, header: Header, rows: Sequence[Row]) -> None:
        path = storage.join(folder, self.file(shard))
        parquet.write(path, header.origin, rows, settings=header.settings, part=header.part)

    def header(self, folder: str, shard: str) -> Header:
        return parquet.header_of(storage.join(folder, self.file(shard)))


class WebDataset(ShardFormat):
    """Tars for webdataset: of each row a ``.npy`` with its codes ``(streams, frames)``, and a ``.json`` with the rest.

    Where streams have strides, and so lengths of their own, their codes are in the ``.json``. Keys are numbers: ids may
    hold dots, at which webdataset would cut them.
    """

    def file(self, shard: str) -> str:
        return f"{shard}.tar"

    def write(self, folder: str, shard: str, header: Header, rows: Sequence[Row]) -> None:
        members = []
        for number, row in enumerate(rows):
            key, facts = f"{shard}-{number:05}", _facts(row, header.origin)
            if _is_flat(header.origin):
                members.append((f"{key}.npy", npy_of(array_of(row, header.origin))))
            else:
                facts["codes"] = [codes.tolist() for codes in row.codes]
            members.append((f"{key}.json", json_of(facts)))
        write_tar(storage.join(folder, self.file(shard)), header, members)

    def header(self, folder: str, shard: str) -> Header:
        return tar_header(storage.join(folder, self.file(shard)))


class Shar(ShardFormat):
    """Lhotse Shar, for ``CutSet.from_shar(in_dir=...)``: cuts' ``codes`` are temporal arrays ``(streams, frames)``."""

    folder = "shar"  # where there is nothing else: Lhotse takes every file for a field

    def file(self, shard: str) -> str:
        return f"cuts.{shard}.jsonl.gz"

    def write(self, folder: str, shard: str, header: Header, rows: Sequence[Row]) -> None:
        names = names_of(rows)
        arrays = []
        for name, row in zip(names, rows, strict=True):
            codes = array_of(row, header.origin)
            arrays += [(f"{name}.npy", npy_of(codes)), (f"{name}.json", json_of(_temporal(codes.shape, header.origin)))]
        write_tar(self._arrays(folder, shard), header, arrays)
        with (
            storage.write_atomically(storage.join(folder, self.file(shard))) as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        ):
            for name, row in zip(names, rows, strict=True):
                packed.write(json_of(_cut(name, row, header.origin)))

    def header(self, folder: str, shard: str) -> Header:
        return tar_header(self._arrays(folder, shard))

    @staticmethod
    def _arrays(folder: str, shard: str) -> str:
        return storage.join(folder, f"codes.{shard}.tar")

    def check(self, origin: Origin) -> None:
        if not _is_flat(origin):
            strides = ", ".join(str(stream.stride) for stream in origin.streams)
            raise ModelError(
                f"Lhotse Shar holds codes as one array, but the model's streams have strides of {strides}; choose "
                "another --format"
            )


FORMATS: dict[str, ShardFormat] = {"parquet": Parquet(), "webdataset": WebDataset(), "shar": Shar()}


def _is_flat(origin: Origin) -> bool:
    return all(stream.stride == 1 for stream in origin.streams)


def _facts(row: Row, origin: Origin) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "codes"} | {"model": origin.codec}


def _temporal(shape: tuple[int, ...], origin: Origin) -> dict[str, Any]:
    array = {"storage_type": "shar", "storage_path": "", "storage_key": "", "shape": list(shape)}
    return {"array": array, "temporal_dim": 1, "frame_shift": 1.0 / origin.frame_rate, "start": 0}


def _cut(name: str, row: Row, origin: Origin) -> dict[str, Any]:
    seconds = row.seconds or len(row.codes[0]) / origin.frame_rate
    supervision = {
        "id": name,
        "recording_id": row.id,
        "start": 0.0,
        "duration": seconds,
        "channel": 0,
        "text": row.text,
        "speaker": row.speaker,
    }
    custom = {field: getattr(row, field) for field in ("path", "corpus", "label", "split", "starts", "version")}
    return {
        "id": name,
        "start": 0.0,
        "duration": seconds,
        "channel": 0,
        "supervisions": [supervision],
        "custom": custom | {"utterance": row.id, "model": origin.codec},
        "type": "MonoCut",
    }
