"""A file back to codes, in any order, with a word for whatever is wrong with it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from vqaudio.container.chunk import (
    CHUNK_START,
    LONGEST_HEAD,
    SMALLEST_CHUNK,
    ChunkHead,
    ParsedChunk,
    is_intact,
    parse_chunk,
    parse_head,
)
from vqaudio.container.codes import ChunkCodes, CodedPayload, Coder
from vqaudio.container.fields import Cursor, DamageError
from vqaudio.container.header import LONGEST_HEADER, SoundHeader
from vqaudio.container.levels import Level
from vqaudio.container.trailer import TRAILER, parse_trailer
from vqaudio.errors import ContainerError, VqaudioError

AT_ONCE = 64
"""Chunks that are decoded side by side when all are read."""


@dataclass(frozen=True)
class Chunk:
    """One chunk as read: its codes, or what is wrong with it."""

    index: int
    n_frames: int
    codes: ChunkCodes | None
    """One int32 array of shape ``(channels, ceil(n_frames / stride))`` per stream; None where a problem is set."""
    problem: str | None = None
    levels: tuple[Level, ...] = ()
    """One for each channel; none where a problem is set."""


def no_coder(header: SoundHeader) -> Coder:
    """The coder of those who have none.

    Raises:
        ContainerError: always.
    """
    raise ContainerError(f"entropy mode {header.entropy} cannot be read without its coder")


class Reader:
    """Reads a seekable file chunk by chunk, in any order, and holds no more than the chunks that it is asked for.

    ``size`` is the file's, in bytes; ``n_samples`` counts samples per channel at the source rate, and is an estimate
    where ``has_trailer`` is false. ``problems`` has a sentence for whatever is wrong with the file as a whole; what is
    wrong with a chunk stands in the chunk. Iterating gives the chunks in order, those that are lost included.

    ``coder_for`` gives the coder that a header asks for; it is called when the first chunk is read that needs it, and
    what it raises is passed on.

    Raises:
        ContainerError: the file's header cannot be read; the message starts with ``name``.
    """

    def __init__(self, file: BinaryIO, name: str, *, coder_for: Callable[[SoundHeader], Coder] = no_coder):
        self._file, self.name = file, name
        self.coder_for = coder_for
        self._coder: Coder | None = None
        self.size = file.seek(0, 2)
        try:
            self.header, self._start = SoundHeader.from_bytes(self._bytes_at(0, LONGEST_HEADER))
        except ContainerError as error:
            raise ContainerError(f"{name}: {error}") from None
        self._forget_chunks()
        self._find_chunks()

    @property
    def n_chunks(self) -> int:
        """Chunks in the file, lost ones included."""
        return len(self._sizes)

    def n_frames(self, index: int) -> int:
        """Frames of a chunk: ``header.chunk_frames``, or fewer for the last."""
        if not 0 <= index < self.n_chunks:
            raise IndexError(f"chunk {index} of {self.n_chunks}")
        return self.header.chunk_frames if index < self.n_chunks - 1 else self._last_frames

    def reach(self, index: int, wait: bool = True) -> bool:
        """Whether there is a chunk of this number. A file that is here whole has nothing to ``wait`` for."""
        return index < self.n_chunks

    def time_range(self, index: int) -> tuple[float, float]:
        """The sound that a chunk's frames stand for: from, to, in seconds."""
        start = index * self.header.chunk_seconds - self.header.margin / self.header.coded_rate
        stop = start + self.n_frames(index) / self.header.frame_rate
        end = self.n_samples / self.header.source_rate
        return min(max(0.0, start), end), min(stop, end)

    def __iter__(self) -> Iterator[Chunk]:
        for first in range(0, self.n_chunks, AT_ONCE):
            yield from self.chunks(range(first, min(first + AT_ONCE, self.n_chunks)))

    def chunk(self, index: int) -> Chunk:
        """Read one chunk; damage is reported in it, never raised."""
        return self.chunks([index])[0]

    def chunks(self, indices: Sequence[int]) -> list[Chunk]:
        """Read several chunks, which coders decode side by side; damage is reported in each, never raised."""
        parsed: dict[int, ParsedChunk | DamageError] = {index: self._parse(index) for index in indices}
        coded = {index: one.stored for index, one in parsed.items() if isinstance(one, ParsedChunk)}
        waiting = {index: stored for index, stored in coded.items() if isinstance(stored, CodedPayload)}
        if waiting:
            decoded = dict(zip(waiting, self._opened_coder().decode(list(waiting.values())), strict=True))
        found = []
        for index, one in parsed.items():
            n_frames = self.n_frames(index)
            try:
                if isinstance(one, DamageError):
                    raise one
                stored = decoded[index] if isinstance(one.stored, CodedPayload) else one.stored
                found.append(Chunk(index, n_frames, one.channels(stored), levels=one.levels))
            except DamageError as damage:
                found.append(Chunk(index, n_frames, None, str(damage)))
        return found

    def _opened_coder(self) -> Coder:
        if self._coder is None:
            try:
                self._coder = self.coder_for(self.header)
            except VqaudioError as error:
                raise type(error)(f"{self.name}: {error}") from None
        return self._coder

    def _parse(self, index: int) -> ParsedChunk | DamageError:
        n_frames = self.n_frames(index)
        try:
            if not self._sizes[index]:
                raise DamageError("it was not found in the file")
            data = self._bytes_at(self._offsets[index], self._sizes[index])
            return parse_chunk(self.header, data, index=index, n_frames=n_frames)
        except DamageError as damage:
            return damage

    def _bytes_at(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(max(0, min(count, self.size - offset)))

    def _forget_chunks(self) -> None:
        self.problems: list[str] = []
        self.n_samples = 0
        self.has_trailer = False
        # Where each chunk starts and how many bytes it has; 0 bytes for a chunk that is lost.
        self._offsets, self._sizes = array("q"), array("q")
        self._last_frames = 0

    def _find_chunks(self) -> None:
        self.has_trailer = self._read_trailer()
        if not self.has_trailer:
            self._scan()

    def _read_trailer(self) -> bool:
        """Take sample count and index from the trailer, if there is one and all of it agrees with the file."""
        size = int.from_bytes(self._bytes_at(max(0, self.size - 3), 3), "little")
        end_of_chunks = self.size - size
        if end_of_chunks < self._start or self._bytes_at(end_of_chunks, 1) != bytes([TRAILER]):
            return False
        try:
            n_samples, sizes = parse_trailer(self.header, self._bytes_at(end_of_chunks, size))
        except DamageError:
            return False
        if sum(sizes) != end_of_chunks - self._start:
            return False
        self.n_samples, self._sizes = n_samples, sizes
        offset = self._start
        for chunk_size in sizes:
            self._offsets.append(offset)
            offset += chunk_size
        self._last_frames = self.header.n_frames(n_samples) - (len(sizes) - 1) * self.header.chunk_frames
        return True

    def _scan(self) -> None:
        """Find the chunks without an index: each where the one before it ends, or else at the next place that fits."""
        # A file made to hold a false start at every byte would otherwise take time that grows with its size squared.
        self._may_check = 64 * self.size
        position = self._start
        while found := self._find_chunk(position):
            offset, head = found
            lost = head.index - self.n_chunks
            self._offsets.extend([0] * lost + [offset])
            self._sizes.extend([0] * lost + [head.size])
            self._last_frames = head.n_frames
            position = offset + head.size
            if head.n_frames < self.header.chunk_frames:
                break
        header = self.header
        n_frames = max(0, self.n_chunks - 1) * header.chunk_frames + self._last_frames
        coded_samples = max(0, n_frames * header.hop_length - 2 * header.margin)
        self.n_samples = coded_samples * header.source_rate // header.coded_rate
        self.problems.append(
            "the trailer is missing or damaged (is the file cut off?): the sound's length is estimated"
        )
        if position < self.size:
            self.problems.append(f"the last {self.size - position} bytes hold no readable chunk")

    def _find_chunk(self, start: int) -> tuple[int, ChunkHead] | None:
        return next(((at, head) for at in self._possible_starts(start) if (head := self._intact_chunk(at))), None)

    def _possible_starts(self, start: int, block: int = 1 << 16) -> Iterator[int]:
        yield start
        for base in range(start + 1, self.size, block):
            for match in CHUNK_START.finditer(self._bytes_at(base, block)):
                yield base + match.start()

    def _intact_chunk(self, offset: int) -> ChunkHead | None:
        """The head of the chunk at ``offset``, if its checksum is right and it may follow those found so far."""
        try:
            head = parse_head(self.header, Cursor(self._bytes_at(offset, LONGEST_HEAD)))
        except DamageError:
            return None
        # The second bound keeps a forged number from standing for more lost chunks than a file like this could hold.
        plausible = self.n_chunks <= head.index <= self.size // SMALLEST_CHUNK
        if not plausible or offset + head.size > self.size or head.size > self._may_check:
            return None
        self._may_check -= head.size
        return head if is_intact(self._bytes_at(offset, head.size)) else None
