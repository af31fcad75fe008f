"""A ``.vq`` file as a sound to read from, whole or in part, with whatever of it is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vqaudio.audio.resampling import BLOCK_SECONDS, FILTER_REACH
from vqaudio.audio.source import MAX_RATE, MIN_RATE
from vqaudio.codec.blocks import Block, decoded
from vqaudio.container import Chunk, Header, Reader
from vqaudio.errors import ContainerError, ModelError
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.registry import find_fingerprint, name_of

LARGEST_BLOCK = 2**28
"""Samples of all channels that are held at once: 1 GiB as float32."""
MOST_AHEAD = 64
"""Chunks that an entropy coder decodes side by side. The first time it is one, then twice as many each time."""
MOST_CODES = 2**22
"""Codes that may be decoded ahead."""


@dataclass(frozen=True)
class Damage:
    """A stretch of sound that could not be decoded as it was coded: from, to (seconds), and why."""

    start: float
    stop: float
    reason: str

    def __str__(self) -> str:
        return f"{self.start:.2f}-{self.stop:.2f} s: {self.reason}"


class Stored:
    """A ``.vq`` file open for decoding, to the voice with the number ``speaker`` or, with 0, to no known one.

    Attributes:
        reader: the container.
        sound: a :class:`vqaudio.audio.source.Source` at the rate, with the channels and samples, that were coded.

    Raises:
        ContainerError: a sample rate or a chunk beyond what can be handled.
    """

    def __init__(self, model: Autoencoder, silence: list[int], reader: Reader, speaker: int = 0):
        header = reader.header
        if not MIN_RATE <= header.source_rate <= MAX_RATE:
            found = f"its sample rate is {header.source_rate} Hz"
            raise ContainerError(f"{reader.name}: {found}, expected {MIN_RATE} to {MAX_RATE}: it is damaged")
        try:
            refuse_large(header)
        except ContainerError as error:
            raise ContainerError(f"{reader.name}: {error}") from None
        self.reader = reader
        self._reach = model.decoder_context / model.config.frame_rate
        if header.source_rate != header.coded_rate:
            self._reach += FILTER_REACH / min(header.source_rate, header.coded_rate)
        self._lost: dict[int, str] = {}
        self._chunks: dict[int, Chunk] = {}
        self._ahead = 1
        shape = (
            header.channels,
            lambda: reader.n_samples,
            header.source_rate,
            header.chunk_frames,
            len(header.streams),
        )
        fading = header.version == 1
        self.sound = decoded(model, silence, self._block_of, *shape, speaker, header.margin, fading)

    @property
    def n_samples(self) -> int:
        """Of the sound, in each channel; ``ENDLESS`` while the end of the file has not arrived."""
        return self.reader.n_samples

    @property
    def problems(self) -> list[str]:
        """A sentence for whatever is wrong with the file as a whole."""
        return self.reader.problems

    @property
    def damage(self) -> list[Damage]:
        """What was found damaged while reading from ``sound`` so far.

        Each lost chunk's time range is wider by what decoding and resampling see beyond its edges.
        """
        end = self.n_samples / self.reader.header.source_rate
        found = []
        for index, reason in sorted(self._lost.items()):
            start, stop = self.reader.time_range(index)
            found.append(
                Damage(max(0.0, start - self._reach), min(end, stop + self._reach), f"chunk {index}: {reason}")
            )
        return found

    def check(self) -> None:
        """Read all chunks, so that ``damage`` lists whatever is damaged; decodes nothing."""
        for index in range(self.reader.n_chunks):
            self._block_of(index)

    def _block_of(self, index: int) -> Block | None:
        if index not in self._chunks:
            if not self.reader.reach(index):  # the file ended, and that is known only now
                return None
            self._read_from(index)
        chunk = self._chunks[index]
        if chunk.problem is not None:
            self._lost[index] = chunk.problem
        return None if chunk.codes is None else Block(chunk.codes, chunk.levels)

    def _read_from(self, index: int) -> None:
        """Read a chunk and, where that pays, some of those after it; forget those that are far away."""
        header = self.reader.header
        codes = header.channels * sum(stream.codes_in(header.chunk_frames) for stream in header.streams)
        most = max(1, min(MOST_AHEAD, MOST_CODES // codes))
        count = 1 if header.entropy == "none" else min(self._ahead, most)
        self._chunks = {at: chunk for at, chunk in self._chunks.items() if abs(at - index) <= most}
        self.reader.reach(index + count - 1, wait=False)
        wanted = [at for at in range(index, min(index + count, self.reader.n_chunks)) if at not in self._chunks]
        self._chunks |= {chunk.index: chunk for chunk in self.reader.chunks(wanted)}
        self._ahead = min(2 * self._ahead, MOST_AHEAD)


def refuse_large(header: Header) -> None:
    """Do nothing where a chunk's sound, and a resampled block, fit into memory.

    Raises:
        ContainerError: they are beyond ``LARGEST_BLOCK``.
    """
    chunk = header.chunk_frames * header.hop_length
    samples = header.channels * max(chunk, BLOCK_SECONDS * header.source_rate)
    if samples > LARGEST_BLOCK:
        raise ContainerError(
            f"{header.channels} channels at {header.source_rate} Hz in chunks of {header.chunk_seconds:g} s need "
            f"{samples} samples in memory at once, and at most {LARGEST_BLOCK} are handled: use shorter chunks, a "
            "lower sample rate or fewer channels"
        )


def model_of(reader: Reader) -> Path:
    """The model that decodes a ``.vq`` file: a shipped one, or one that a checkout keeps.

    Raises:
        ModelError: there is none here.
    """
    try:
        return find_fingerprint(reader.header.codec, reader.header.prior)
    except ModelError as error:
        raise ModelError(f"{reader.name}: {error}") from None


def called(fingerprint: str) -> str:
    """What messages call a model: its name where it is known, and its fingerprint."""
    name = name_of(fingerprint)
    return f"{name} ({fingerprint})" if name else fingerprint
