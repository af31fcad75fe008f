"""Sound by libsndfile: PCM, in which it seeks exactly, and Vorbis and Opus in Ogg from the first sample on."""

from __future__ import annotations

from collections.abc import Generator
from typing import IO, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from vqaudio.audio.decoding.reader import Block, UnreadableError
from vqaudio.audio.decoding.section import Section
from vqaudio.audio.sndfile import GuardedFile, SequentialSoundFile

_PCM = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
_SAMPLE_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}  # one in the others
_UNKNOWN_LENGTH = 2**62  # at and above: libsndfile's answer where a header leaves the length out
_PIECE = 1 << 16  # samples decoded at a time
_FLAC_PIECE = 1 << 10  # of what cannot be decoded to its end, the piece at the damage is lost


class LibsndfileReader:
    """A stream of sound as libsndfile decodes it: see :class:`vqaudio.audio.decoding.reader.StreamReader`.

    Attributes:
        seeks_exactly: whether :meth:`seek` finds the very sample, and ``frames`` is what there is.
        frames: the number of samples in each channel, as far as libsndfile knows.
        sample_bytes: bytes that a sample of all channels takes, where it is PCM.

    Raises:
        UnreadableError: it is no sound that libsndfile reads.
        OSError: the file cannot be read.
    """

    def __init__(self, section: Section):
        self._guard = GuardedFile(cast(IO[bytes], section))
        try:
            self._sound = SequentialSoundFile(self._guard)
        except soundfile.LibsndfileError as error:
            self._guard.check()
            raise UnreadableError(error.error_string.rstrip(".")) from None
        self.sample_rate: int = self._sound.samplerate
        self.channels: int = self._sound.channels
        self.frames: int = self._sound.frames
        self.format, self.subtype = self._sound.format, self._sound.subtype
        self.seeks_exactly = self.subtype in _PCM and self.format != "FLAC"
        self.sample_bytes = _SAMPLE_BYTES.get(self.subtype, 1) * self.channels
        self.promised = self.frames if self.frames < _UNKNOWN_LENGTH else None
        self.tolerance = self.padding = 0
        self.problems: list[str] = []
        self.end = ""

    def read(self, count: int) -> NDArray[np.float32]:
        """The next ``count`` samples as ``(count, channels)``: fewer at the end.

        Raises:
            UnreadableError: they cannot be decoded.
            OSError: the file cannot be read.
        """
        try:
            block: NDArray[np.float32] = self._sound.read(count, "float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            self._guard.check()
            raise UnreadableError(error.error_string.rstrip(".")) from None
        self._guard.check()
        return block

    def seek(self, position: int) -> None:
        """Go to a sample, whatever failed before; errors as for :meth:`read`."""
        self._guard.error = None
        try:
            self._sound.seek(position)
        except soundfile.LibsndfileError as error:
            self._guard.check()
            raise UnreadableError(error.error_string.rstrip(".")) from None
        self._guard.check()

    def blocks(self) -> Generator[Block]:
        """All samples in order: see :meth:`StreamReader.blocks`."""
        position = 0
        piece = _FLAC_PIECE if self.format == "FLAC" else _PIECE
        try:
            while len(block := self.read(piece)):
                position += len(block)
                yield self.sample_rate, block
        except UnreadableError as error:
            self.end = f"cannot be decoded past {position / self.sample_rate:.3f} s ({error})"

    def close(self) -> None:
        """Release the decoder: see :meth:`StreamReader.close`."""
        self._sound.close()
