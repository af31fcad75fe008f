"""Sound that arrives through a pipe, decoded as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import soundfile

from vqaudio.audio.file_source import FileSource
from vqaudio.audio.live.header import read_header, unbounded
from vqaudio.audio.sndfile import GuardedFile, SequentialSoundFile
from vqaudio.audio.source import MAX_CHANNELS, MAX_LEVEL, Window, check_rate, check_values, padded_window
from vqaudio.config.coding import RAW_SUBTYPES
from vqaudio.errors import AudioError
from vqaudio.files import copy_to_temporary
from vqaudio.files.pipe import ENDLESS, Pipe

_BELIEVED = 0x7F000000 // 8
"""Samples: a header that announces more may hold what its writer put there before knowing."""
_MARKS = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"riff", b".snd", b"dns.")


@dataclass(frozen=True)
class RawFormat:
    """What samples without a header are: Hz, how many channels (interleaved), and libsndfile's name of the type.

    Numbers of several bytes are little-endian.

    Raises:
        AudioError: a rate or a number of channels out of range, or no such type.
    """

    sample_rate: int
    channels: int
    subtype: str

    @classmethod
    def parse(cls, sample_rate: str, channels: str, subtype: str) -> Self:
        """The same from words; AudioError where one is no number."""
        if not (sample_rate.isdecimal() and channels.isdecimal()):
            raise AudioError(f"raw samples: expected Hz and a number of channels, found {sample_rate} {channels}")
        return cls(int(sample_rate), int(channels), subtype)

    def __post_init__(self) -> None:
        check_rate(self.sample_rate, "raw samples")
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioError(f"raw samples: {self.channels} channels asked for, expected 1 to {MAX_CHANNELS}")
        if self.subtype not in RAW_SUBTYPES:
            raise AudioError(f"raw samples: no type is called {self.subtype!r}; use {', '.join(RAW_SUBTYPES)}")


class PipeSource:
    """Sound from a pipe: a :class:`vqaudio.audio.source.Source` whose end is known once it has been met.

    Read by libsndfile, to the same samples as from a file: WAV (RF64), W64, AU and AIFF, or what ``raw`` describes.
    Windows are read in order; memory holds one of them and the second before it, whatever the length. Where samples
    cannot be decoded or are no sound, the sound ends, and ``problem`` says why: what was heard before is not lost.

    Raises:
        AudioError: no samples.
    """

    def __init__(self, pipe: Pipe, decoder: _Decoder):
        self.name, self._pipe, self._decoder = pipe.name, pipe, decoder
        self.problem = ""
        decoder.file.opened = True
        self.sample_rate = check_rate(decoder.sound.samplerate, self.name)
        self.channels = decoder.sound.channels
        self.n_samples = ENDLESS
        self._kept: Window = np.zeros((self.channels, 0), np.float32)  # from sample _start on
        self._start = 0
        frames = decoder.sound.frames
        self._promised = frames if frames * self.channels < _BELIEVED else None
        self._fill(1)
        if not self.n_samples:
            raise AudioError(self.problem or f"{self.name}: holds no samples, expected at least one")

    @property
    def problems(self) -> tuple[str, ...]:
        """What the sound lacked of what its header announces, and what came behind it: sentences, once it has ended."""
        if self._promised is None or self.n_samples >= ENDLESS or self.problem:
            return ()
        if missing := self._promised - self.n_samples:
            ends, lacks = self.n_samples / self.sample_rate, missing / self.sample_rate
            return (f"{self.name}: ends at {ends:.3f} s, {lacks:.3f} s ({missing} samples) before its header says",)
        if any(mark in self._pipe.peek(5) for mark in _MARKS):
            return (f"{self.name}: more sound comes behind the first, which is not read: save it as a file first",)
        return ()

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop``: see :meth:`vqaudio.audio.source.Source.read`."""
        if max(start, 0) < self._start:
            raise ValueError(f"sample {start} has passed: what is still there begins at {self._start}")
        passed = min(max(0, start - self.sample_rate - self._start), self._kept.shape[1])
        self._kept, self._start = self._kept[:, passed:], self._start + passed
        self._fill(stop)
        return padded_window(self, self._inside, start=start, stop=stop)

    def _inside(self, first: int, last: int) -> Window:
        return self._kept[:, first - self._start : last - self._start]

    def _fill(self, stop: int) -> None:
        """Decode up to sample ``stop``, or the end."""
        reached = self._start + self._kept.shape[1]
        if reached >= min(stop, self.n_samples):
            return
        count = stop - reached
        if self._promised is not None:  # libsndfile would take more out of the pipe than it returns
            count = min(count, self._promised - reached)
        block = self._decode(count)
        try:
            if block.size:
                check_values(block, self.name, start=reached, sample_rate=self.sample_rate)
        except AudioError as error:
            self.problem = str(error)
            block = block[:, : (~(np.abs(block) <= MAX_LEVEL)).any(axis=0).argmax()]
        self._kept = np.concatenate([self._kept, block], axis=1)
        if block.shape[1] < stop - reached:
            self.n_samples = reached + block.shape[1]

    def _decode(self, count: int) -> Window:
        """The next ``count`` samples, fewer at the end."""
        try:
            block: Window = self._decoder.sound.read(count, "float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            self.problem = f"{self.name}: cannot be read any further ({error.error_string.rstrip('.')})"
            block = np.zeros((0, self.channels), np.float32)
        self._decoder.guard.check()
        if len(block) < count and self._pipe.error is not None:
            self.problem = f"{self.name}: cannot be read any further ({self._pipe.error.strerror})"
        return block.T


class _PipeFile:
    """A header, and behind it what comes out of a pipe, as a file that never ends: it can be read once.

    Until it is ``opened`` there is nothing behind the header: libsndfile would look there for what follows the sound.
    """

    def __init__(self, header: bytes, pipe: Pipe):
        self._header, self._pipe = header, pipe
        self.opened = False
        self._position = 0
        self._passed = len(header)  # where the pipe stands

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, ENDLESS)[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._header[self._position : self._position + len(buffer)]
        if self.opened and self._position == self._passed:
            data = self._pipe.read(len(buffer))
            self._passed += len(data)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def write(self, data: bytes) -> int:
        raise OSError("a pipe to read from cannot be written")


@dataclass(frozen=True)
class _Decoder:
    """libsndfile, and the file that it reads."""

    sound: SequentialSoundFile
    guard: GuardedFile
    file: _PipeFile


def _decoder(pipe: Pipe, header: bytes, raw: RawFormat | None) -> _Decoder:
    """What decodes samples that follow a header, or those that ``raw`` describes.

    Raises:
        AudioError: the header cannot be read.
    """
    form: dict[str, Any] = {}
    if raw is not None:
        form = {"samplerate": raw.sample_rate, "channels": raw.channels, "subtype": raw.subtype}
        form |= {"format": "RAW", "endian": "LITTLE"}
    file = _PipeFile(header, pipe)
    guard = GuardedFile(file)  # type: ignore[arg-type]
    try:
        return _Decoder(SequentialSoundFile(guard, **form), guard, file)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise AudioError(f"{pipe.name}: its header cannot be read ({reason}); it is damaged, or not for us") from None


@contextmanager
def open_pipe(pipe: Pipe, raw: RawFormat | None = None) -> Iterator[PipeSource | FileSource]:
    """The sound in a pipe, as it comes where its format allows that, and else once all of it is there.

    Raises:
        AudioError: no sound, or no samples.
        FileError: no room for a copy of what can be read only as a whole.
    """
    header = b"" if raw is not None else read_header(pipe)
    if header is not None:
        decoder = _decoder(pipe, unbounded(header), raw)
        if decoder.sound.subtype in RAW_SUBTYPES:  # each sample stands for itself
            yield PipeSource(pipe, decoder)
            return
        pipe.unread(header)
    with copy_to_temporary(pipe, pipe.name) as copy, FileSource(copy, pipe.name) as sound:
        yield sound
