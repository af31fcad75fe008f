"""A ``.vq`` file that is still arriving: its chunks one after another, before its trailer is there."""

from __future__ import annotations

import tempfile
from typing import Self

from vqaudio.container import Reader, SoundHeader
from vqaudio.container.chunk import CHUNK_START, LONGEST_HEAD, ChunkHead, is_intact, parse_head
from vqaudio.container.fields import Cursor, DamageError
from vqaudio.container.header import LONGEST_HEADER
from vqaudio.errors import ContainerError
from vqaudio.files.pipe import ENDLESS, Pipe

_PIECE = 1 << 16


class StreamingReader(Reader):
    """Reads a file out of a pipe; :meth:`reach` waits for chunks, ``n_samples`` is ``ENDLESS`` until the end has come.

    What comes is kept in a temporary file. From the first byte on that is not a whole chunk, be it the trailer's or a
    damaged one, it is waited for the end, and then this reads as any :class:`Reader` would. A context manager.

    Raises:
        ContainerError: the header cannot be read.
    """

    def __init__(self, pipe: Pipe):
        self._pipe = pipe
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self.size = 0
        self._all_there = False
        try:
            while not self._has_header() and self._fetch():
                pass
            super().__init__(self._file, pipe.name)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def reach(self, index: int, wait: bool = True) -> bool:
        """Whether there is a chunk of this number; without ``wait``, whether it is there already."""
        while not self._all_there and (index >= self.n_chunks or self._is_last()):
            if self._take_chunk(wait):
                continue
            if not wait:
                break
            while self._fetch():
                pass
            self._all_there = True
            self._find_chunks()
        return index < self.n_chunks

    def _find_chunks(self) -> None:
        super()._forget_chunks()
        if self._all_there:
            super()._find_chunks()
        else:
            self.n_samples, self._next = ENDLESS, self._start

    def _take_chunk(self, wait: bool) -> bool:
        """Whether the next chunk is there, whole; it is then among those that can be read."""
        if self._is_last():
            return False
        while (head := self._next_head()) is None or self._next + head.size > self.size:
            start = self._bytes_at(self._next, LONGEST_HEAD)
            none = head is None and (len(start) == LONGEST_HEAD or (start and not CHUNK_START.match(start)))
            if none or not (wait or self._pipe.waiting) or not self._fetch():
                return False
        if not wait and head.n_frames < self.header.chunk_frames:
            return False
        if head.index != self.n_chunks or not is_intact(self._bytes_at(self._next, head.size)):
            return False
        self._offsets.append(self._next)
        self._sizes.append(head.size)
        self._last_frames = head.n_frames
        self._next += head.size
        return True

    def _is_last(self) -> bool:
        """Whether the chunk that came last is short: how short the sound is, only the trailer says."""
        return self.n_chunks > 0 and self._last_frames < self.header.chunk_frames

    def _next_head(self) -> ChunkHead | None:
        try:
            return parse_head(self.header, Cursor(self._bytes_at(self._next, LONGEST_HEAD)))
        except DamageError:
            return None

    def _has_header(self) -> bool:
        """Whether the header is there, or as much that it never will be."""
        try:
            SoundHeader.from_bytes(self._bytes_at(0, LONGEST_HEADER))
        except ContainerError:
            return self.size >= LONGEST_HEADER
        return True

    def _fetch(self) -> bool:
        """Take some more out of the pipe; whether there was more."""
        data = self._pipe.take(_PIECE)
        self._file.seek(self.size)
        self._file.write(data)
        self.size += len(data)
        return bool(data)
