"""A ``.vq`` file, open: :func:`open_vq` tells sound from tables. No torch: whoever decodes sound brings a codec along.

::

    with open_vq("speech.vq") as stored:             # a StoredSound, or a StoredTable
        print(stored.describe())                     # reads and checks all of it
        sound = load(model_of(stored)).open(stored)  # of a StoredSound: a Source, decoded as it is read
        table = stored.table()                       # of a StoredTable
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from vqaudio.container import Chunk, Reader, SoundHeader
from vqaudio.container.header import holds_table
from vqaudio.container.stored import Damage, StoredFile
from vqaudio.container.streaming import StreamingReader
from vqaudio.errors import ModelError
from vqaudio.files import copy_to_temporary, input_name, open_input
from vqaudio.files.pipe import Pipe, is_pipe
from vqaudio.prior.entropy import coders
from vqaudio.registry import NOT_SHIPPED, decoder_of, find_fingerprint, name_of

if TYPE_CHECKING:
    from vqaudio.series import StoredTable

MOST_AHEAD = 64
"""Chunks that an entropy coder decodes side by side: at first ``FIRST_AHEAD``, then twice as many each time."""
FIRST_AHEAD = 4
"""So many take a prior hardly longer than one, and who hears a chunk needs its neighbours for context anyway."""
MOST_CODES = 2**22
"""Codes that may be decoded ahead."""


def open_vq(
    source: str | Path | IO[bytes],
    *,
    name: str | None = None,
    prior: Path | None = None,
    table_model: str | None = None,
    as_it_arrives: bool = False,
) -> StoredSound | StoredTable:
    """Open a ``.vq`` file.

    Args:
        source: a path, ``-`` for standard input, or a binary file that can seek, which the caller closes.
        name: what messages call it; the path by default.
        prior: of a sound, the file of an integer prior to use beside the shipped ones.
        table_model: of a table, the name or the file of the model that it was coded with, where it is not shipped.
        as_it_arrives: read the sound that comes through a pipe chunk by chunk, before its end is there.

    Raises:
        ContainerError: not a ``.vq`` file, or its header is damaged. FileError: it cannot be opened. ModelError: there
            is no such ``table_model``.
    """
    with ExitStack() as closing:
        if not isinstance(source, str | Path):
            file, name = source, name or "the data"
        elif as_it_arrives and is_pipe(source):
            name = name or input_name(source)
            pipe = closing.enter_context(Pipe(source))
            if not holds_table(pipe.peek(4)):
                reader = closing.enter_context(StreamingReader(pipe))
                return StoredSound(reader, prior=prior, closing=closing.pop_all())
            file = closing.enter_context(copy_to_temporary(pipe, name))
        else:
            name = name or input_name(source)
            file = closing.enter_context(open_input(source))
        start = file.read(4)
        file.seek(0)
        if holds_table(start):
            from vqaudio.series import StoredTable, model_named  # late: sound does without

            given = model_named(table_model) if table_model else None
            kept = ExitStack()
            stored = StoredTable(file, name, model=given, closing=kept)
            kept.push(closing.pop_all())
            return stored
        return StoredSound(Reader(cast(Any, file), name), prior=prior, closing=closing.pop_all())


class StoredSound(StoredFile):
    """A sound in a ``.vq`` file: its codes, chunk by chunk. :meth:`vqaudio.Codec.open` decodes them to samples.

    Attributes:
        reader: the container; ``prior`` is the file of a prior for it, beside the shipped ones.
    """

    suffix = ".wav"

    def __init__(self, reader: Reader, *, prior: Path | None = None, closing: ExitStack | None = None):
        super().__init__(reader.name, closing)
        self.reader = reader
        reader.coder_for = coders(prior)
        self._lost: dict[int, str] = {}
        self._chunks: dict[int, Chunk] = {}
        self._ahead = FIRST_AHEAD

    def __repr__(self) -> str:
        header = self.header
        return (
            f"<StoredSound {self.name!r}: {self.n_samples} samples of {header.channels} channels at "
            f"{header.source_rate} Hz, {len(header.streams)} codebooks, {header.entropy}>"
        )

    @property
    def header(self) -> SoundHeader:
        """See :attr:`vqaudio.container.Reader.header`."""
        return self.reader.header

    @property
    def size(self) -> int:
        """Bytes, of those that have arrived."""
        return self.reader.size

    @property
    def n_samples(self) -> int:
        """Of the sound, in each channel; ``ENDLESS`` while the end of the file has not arrived."""
        return self.reader.n_samples

    @property
    def damage(self) -> list[Damage]:
        """See :attr:`StoredFile.damage`; the time ranges are those of the chunks."""
        return self.damage_heard(0.0)

    def damage_heard(self, reach: float) -> list[Damage]:
        """The same, with time ranges that are wider by what a decoder sees beyond a chunk's edges, in seconds."""
        end = self.n_samples / self.header.source_rate
        found = [Damage(problem) for problem in self.reader.problems]
        for index, reason in sorted(self._lost.items()):
            start, stop = self.reader.time_range(index)
            found.append(Damage(reason, index, max(0.0, start - reach), min(end, stop + reach)))
        return found

    def check(self) -> None:
        """See :meth:`StoredFile.check`; nothing is decoded to samples."""
        for index in range(self.reader.n_chunks):
            self.chunk(index)

    def chunk(self, index: int) -> Chunk | None:
        """A chunk, with its codes or with what is wrong with it; None where the file ends before it.

        Raises:
            ModelError: the prior that it was coded with is not at hand.
        """
        if index not in self._chunks:
            if not self.reader.reach(index):  # the file ended, and that is known only now
                return None
            self._read_from(index)
        found = self._chunks[index]
        if found.problem is not None:
            self._lost[index] = found.problem
        return found

    def _read_from(self, index: int) -> None:
        """Read a chunk and, where that pays, some of those after it; forget those that are far away."""
        header = self.header
        codes = header.channels * sum(stream.codes_in(header.chunk_frames) for stream in header.streams)
        most = max(1, min(MOST_AHEAD, MOST_CODES // codes))
        count = 1 if header.entropy == "none" else min(self._ahead, most)
        self._chunks = {at: chunk for at, chunk in self._chunks.items() if abs(at - index) <= most}
        self.reader.reach(index + count - 1, wait=False)
        wanted = [at for at in range(index, min(index + count, self.reader.n_chunks)) if at not in self._chunks]
        self._chunks |= {chunk.index: chunk for chunk in self.reader.chunks(wanted)}
        self._ahead = min(2 * self._ahead, MOST_AHEAD)

    def facts(self) -> dict[str, Any]:
        """See :meth:`StoredFile.facts`. The decoder is the one that plays the file here, if one does."""
        header = self.header
        seconds = self.n_samples / header.source_rate
        return {
            "model": name_of(header.codec) or NOT_SHIPPED,
            "model_fingerprint": header.codec,
            **_decoder(header.codec),
            "seconds": round(seconds, 6),
            "samples": self.n_samples,
            "sample_rate_hz": header.source_rate,
            "coded_rate_hz": header.coded_rate,
            "channels": header.channels,
            "codebooks": len(header.streams),
            "codebook_size": max(stream.alphabet for stream in header.streams),
            "frame_rate_hz": header.frame_rate,
            "entropy": header.entropy,
            "prior_fingerprint": header.prior or "none",
            "condition": header.condition,
            "chunks": self.reader.n_chunks,
            "chunk_seconds": header.chunk_seconds,
            "bytes": self.size,
            "kbps": round(self.size * 8 / seconds / 1000, 3) if seconds else 0.0,
        }


def _decoder(codes: str) -> dict[str, Any]:
    """The decoder that is here for some codes, by their fingerprint."""
    try:
        decoder = decoder_of(find_fingerprint(codes))
    except ModelError:
        return {"decoder_version": None, "decoder_fingerprint": None}
    return {"decoder_version": decoder.version, "decoder_fingerprint": decoder.fingerprint}


def model_of(stored: StoredSound) -> Path:
    """The model that decodes a sound: a shipped one, or one that a checkout keeps.

    Raises:
        ModelError: there is none here.
    """
    try:
        return find_fingerprint(stored.header.codec, stored.header.prior)
    except ModelError as error:
        raise ModelError(f"{stored.name}: {error}") from None


def called(fingerprint: str) -> str:
    """What messages call a model: its name where it is known, and its fingerprint."""
    name = name_of(fingerprint)
    return f"{name} ({fingerprint})" if name else fingerprint
