"""What is fuzzed: for each kind of input intact files, how one is mutated, and what must be true of what is read.

Whatever is asked here may refuse an input by a :class:`vqaudio.errors.VqaudioError`, and may report damage; it may
raise nothing else. What it gives out without a word must be what was in the intact file.
"""

from __future__ import annotations

import io
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import IO, Any, cast
from unittest.mock import patch

import numpy as np

from benchmarks.fuzzing import files
from benchmarks.fuzzing.forgeries import forged_sound, forged_table
from benchmarks.fuzzing.mutations import mutated
from vqaudio.audio.file_source import FileSource
from vqaudio.codec.opened import open_vq
from vqaudio.container import ChunkCodes, Level, Reader, SoundHeader, Stream, Writer
from vqaudio.container.codes import channel_bytes
from vqaudio.prior.context import ContextPrior
from vqaudio.prior.entropy import PriorCoder, coders, load_prior, prior_of
from vqaudio.registry import find, fingerprint
from vqaudio.series import StoredTable, Table, compress, model_named, read_table, writer
from vqaudio.series.table import NULL

INTACT, DAMAGED, LONG = "intact", "damaged", "long"
MODEL = Path(__file__).parents[2] / "tests" / "golden" / "tiny.safetensors"
EARLIER = ("table.vq", "fields.vq", "types.vq")
"""Files of version 2, beside the model."""
SHORT_CHUNK_ROWS = 16
FORGED = 0.3
"""Share of ``.vq`` files that are sealed anew after a field was changed."""
MOST_CODES, MOST_SAMPLES = 1 << 16, 1 << 24
"""Forged files may say that they hold more: entropy-coded codes, or samples in a chunk, which no reader can know to be
untrue. They are counted as long, and not decoded: that takes time and memory in proportion, as it should."""
WEIGHTS = {"none": 40, "context": 1, "prior": 1}
"""How often files of each entropy mode are mutated: the others take ten times as long to decode."""
WINDOW, WINDOWS = 1 << 14, 24


class WrongError(Exception):
    """Something was given out as if it were intact, and is not what was coded."""


class Subject(ABC):
    """One kind of input."""

    files: list[bytes]

    def make(self, random: Random) -> tuple[bytes, bool]:
        """An input, and whether its checksums were made to fit."""
        return mutated(random.choice(self.files), self.files, random), False

    @abstractmethod
    def check(self, data: bytes, forged: bool) -> str:
        """Read an input: what became of it. WrongError where that is silently wrong."""


# ------------------------------------------------------------------------------------------------------------- sound


def headers() -> list[SoundHeader]:
    """Small files of every entropy mode, with one channel and several, streams of several strides, chunks cut short."""
    tiny = {"source_rate": 22050, "coded_rate": 16000, "hop_length": 320, "chunk_frames": 8}
    codec, digits = fingerprint(MODEL), fingerprint(find("digits"))
    prior = prior_of(digits)
    assert prior is not None
    streams = (Stream(64),) * 4
    made = [
        SoundHeader(codec, channels=channels, streams=streams, entropy=entropy, **tiny)
        for channels, entropy in ((1, "none"), (2, "none"), (1, "context"), (3, "context"))
    ]
    strided = (Stream(1000, 2), Stream(5))
    made += [replace(made[index], codec="00112233aabb", streams=strided) for index in (1, 2)]
    made += [replace(header, margin=960) for header in made[1:4]] + [replace(made[1], version=1)]
    known = load_prior(prior)
    shape = {"source_rate": 8000, "coded_rate": 16000, "hop_length": 320, "chunk_frames": 5, "channels": 1}
    made.append(SoundHeader(digits, streams=known.streams[:2], entropy="prior", prior=fingerprint(prior), **shape))
    return made


def _shape(header: SoundHeader) -> object:
    return header.entropy, header.prior, header.channels, header.streams, header.chunk_frames


def said(codes: ChunkCodes, levels: Sequence[Level]) -> bytes:
    """All that a chunk says, to be compared."""
    return b"".join(channel_bytes(codes)) + repr([level for level in levels if level != Level()]).encode()


def coded(header: SoundHeader, seed: int) -> tuple[bytes, list[int], list[bytes]]:
    """A file of random codes, where its header and each chunk end, and what each chunk says."""
    random = np.random.default_rng(seed)
    coder = None
    if header.entropy == "context":
        coder = PriorCoder(ContextPrior(header.streams), len(header.streams))
    elif header.prior is not None:
        coder = cast(Any, coders()(header))
    file = io.BytesIO()
    writer = Writer(file, header, coder=coder)
    ends, codes = [file.tell()], []
    for frames in (header.chunk_frames,) * 3 + (header.chunk_frames - 2,):
        few = [random.integers(0, min(stream.alphabet, 3 + 60 * (seed % 2)), 2) for stream in header.streams]
        chunk = [
            random.choice(values, (header.channels, stream.codes_in(frames))).astype(np.int32)
            for stream, values in zip(header.streams, few, strict=True)
        ]
        if header.channels > 1 and seed % 3:
            for block in chunk:
                block[-1] = block[0]
        levels = tuple(Level(int(random.integers(-3, 4)), int(random.integers(-999, 999))) for _ in chunk[0])
        writer.write(chunk, kept := levels if header.margin and len(codes) % 2 else ())
        ends.append(file.tell())
        codes.append(said(chunk, kept))
    coded_samples = (4 * header.chunk_frames - 2) * header.hop_length - 2 * header.margin
    writer.close(coded_samples * header.source_rate // header.coded_rate)
    return file.getvalue(), ends, codes


class Codes(Subject):
    """``.vq`` files of sound, down to their codes."""

    def __init__(self) -> None:
        self.files, self._ends, self._weights = [], [], []
        self._samples: dict[SoundHeader, int] = {}
        self._said: dict[object, set[tuple[int, bytes]]] = {}  # a chunk of another file fits where all of this is equal
        self._coders = coders()
        for header in headers():
            for seed in range(3):
                data, ends, chunks = coded(header, seed)
                self.files.append(data)
                self._ends.append(ends)
                self._weights.append(WEIGHTS[header.entropy])
                self._said.setdefault(_shape(header), set()).update(enumerate(chunks))
            self._samples[header] = Reader(cast(Any, io.BytesIO(data)), "x.vq").n_samples

    def make(self, random: Random) -> tuple[bytes, bool]:
        """See :meth:`Subject.make`."""
        (chosen,) = random.choices(range(len(self.files)), self._weights)
        if random.random() >= FORGED:
            return mutated(self.files[chosen], self.files, random), False
        return forged_sound(self.files[chosen], self._ends[chosen], self.files, random), True

    def check(self, data: bytes, forged: bool) -> str:
        """Every chunk that is read must be one that was written, of that number."""
        reader = Reader(cast(Any, io.BytesIO(data)), "x.vq", coder_for=self._coders)
        if forged and self.is_long(reader):
            return LONG
        chunks = list(reader)
        lost = [chunk for chunk in chunks if chunk.codes is None]
        damaged = bool(lost or reader.problems)
        if not forged:
            known, n_samples = self._said.get(_shape(reader.header), set()), self._samples.get(reader.header)
            for chunk in chunks:
                if chunk.codes is not None and (chunk.index, said(chunk.codes, chunk.levels)) not in known:
                    raise WrongError(f"chunk {chunk.index} has codes that were never written")
            if not damaged and reader.n_samples != n_samples:
                raise WrongError(f"{reader.n_samples} samples, {n_samples} were coded")
        return DAMAGED if damaged else INTACT

    def is_long(self, reader: Reader) -> bool:
        """Whether it takes long to decode all that a file says it holds."""
        header = reader.header
        frames = sum(reader.n_frames(index) for index in range(reader.n_chunks))
        return header.entropy != "none" and frames * header.channels * len(header.streams) > MOST_CODES


class Decoded(Codes):
    """The same files, down to sound, with a tiny model."""

    def __init__(self) -> None:
        super().__init__()
        import torch

        from vqaudio.codec.codec import load

        torch.set_num_threads(1)
        self._codec = load(MODEL)
        kept = [n for n, data in enumerate(self.files) if data[4:10].hex() == self._codec.fingerprint]
        self.files, self._ends, self._weights = (
            [every[n] for n in kept] for every in (self.files, self._ends, self._weights)
        )

    def check(self, data: bytes, forged: bool) -> str:
        """Sound of the length and the channels that the file speaks of, in numbers."""
        sound = self._codec.open(open_vq(io.BytesIO(data), name="x.vq"))
        if forged and self.is_long(sound.stored.reader):
            return LONG
        samples = sound.read(0, min(sound.n_samples, sound.sample_rate))
        if not np.isfinite(samples).all():
            raise WrongError("samples that are no numbers")
        sound.stored.check()
        return DAMAGED if sound.damage else INTACT

    def is_long(self, reader: Reader) -> bool:
        """Or where its chunks or its rate take much memory."""
        header = reader.header
        samples = max(header.chunk_frames * header.hop_length, 10 * header.source_rate)
        return super().is_long(reader) or header.channels * samples > MOST_SAMPLES


class Sounds(Subject):
    """Sound files of a format."""

    def __init__(self, suffix: str) -> None:
        self._name, self.files = f"x{suffix}", files.sounds(suffix)

    def check(self, data: bytes, forged: bool) -> str:
        """Samples that are numbers, from the beginning on, and once more from a place before."""
        with tempfile.TemporaryFile() as file, self._opened(file, data) as sound:  # files refuse what memory does not
            for start in range(0, min(sound.n_samples, WINDOW * WINDOWS), WINDOW):
                if not np.isfinite(sound.read(start, start + WINDOW)).all():
                    raise WrongError("samples that are no numbers")
            sound.read(100, 200)
            return DAMAGED if sound.problems else INTACT

    def _opened(self, file: IO[bytes], data: bytes) -> FileSource:
        file.write(data)
        return FileSource(file, self._name)


# ------------------------------------------------------------------------------------------------------------ tables


def equal(table: Table, original: Table, lost: bool) -> bool:
    """Whether tables are the same, but for gaps where rows are ``lost``."""
    if len(table.columns) != len(original.columns):
        return False
    if lost and table.n_rows != original.n_rows:  # without its index, a file does not say what it lost at its end
        rows = min(table.n_rows, original.n_rows)
        if any((column.cells[rows:] != NULL).any() for column in table.columns):
            return False
        table, original = (_first_rows(one, rows) for one in (table, original))
    if table.n_rows != original.n_rows:
        return False
    for found, column in zip(table.columns, original.columns, strict=True):
        same = (found.name, found.dtype) == (column.name, column.dtype)
        there = found.cells != NULL if lost else np.ones(len(found.cells), bool)
        known = column.known & there
        same = same and np.array_equal(found.cells[there], column.cells[there])
        if not same or not np.array_equal(found.values[known], column.values[known]):
            return False
    return True


def _first_rows(table: Table, rows: int) -> Table:
    return Table(
        [replace(column, values=column.values[:rows], cells=column.cells[:rows]) for column in table.columns],
        table.origin,
    )


class Tables(Subject):
    """``.vq`` files of tables: some of a chunk, some of several, some of version 2."""

    def __init__(self) -> None:
        self.files, self._tables = [], []
        for suffix in files.TABLES:
            for number, data in enumerate(files.tables(suffix)):
                table = read_table(io.BytesIO(data), f"x{suffix}", suffix=suffix)
                model = model_named(None) if number == 1 and suffix == ".npy" else None
                with patch.object(writer, "chunk_rows_for", lambda n_columns: SHORT_CHUNK_ROWS):
                    self.files.append(compress(table, lossless=True, model=model))
                self.files.append(compress(table, lossless=True, model=model))
                self._tables.append(StoredTable(self.files[-1]).table())
        for name in EARLIER:
            self.files.append((MODEL.parent / name).read_bytes())
            self._tables.append(StoredTable(self.files[-1]).table())

    def make(self, random: Random) -> tuple[bytes, bool]:
        """See :meth:`Subject.make`."""
        if random.random() >= FORGED:
            return super().make(random)
        return forged_table(random.choice(self.files), self.files, random), True

    def check(self, data: bytes, forged: bool) -> str:
        """Every cell that is read must be one that was written."""
        stored = StoredTable(data, "x.vq")
        table = stored.table()
        damaged = bool(stored.damage)
        if not forged and not any(equal(table, original, damaged) for original in self._tables):
            raise WrongError("cells that were never written")
        return DAMAGED if damaged else INTACT


class TableFiles(Subject):
    """Tables in a format of others: read, and the smaller part of them compressed, which compares what comes back."""

    def __init__(self, suffix: str) -> None:
        self._suffix, self.files = suffix, files.tables(suffix)

    def check(self, data: bytes, forged: bool) -> str:
        """See :func:`vqaudio.series.compress`."""
        table = read_table(io.BytesIO(data), f"x{self._suffix}", suffix=self._suffix)
        if len(data) % 8 == 0:
            compress(table, lossless=True)
        return INTACT


def kinds() -> Sequence[str]:
    """What can be fuzzed."""
    return ("vq", "vq-decoded", "vq-table", *files.SOUNDS, *files.TABLES)


def subject(kind: str) -> Subject:
    """One of :func:`kinds`, with its intact files made."""
    whole = {"vq": Codes, "vq-decoded": Decoded, "vq-table": Tables}
    if kind in whole:
        return cast(Subject, whole[kind]())
    return Sounds(kind) if kind in files.SOUNDS else TableFiles(kind)
