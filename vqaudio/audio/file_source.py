"""Sound in files, decoded as it is read."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import PurePath
from typing import IO, Any, Self

import numpy as np

from vqaudio.audio.decoding import Chain, NoDecoderError, SequentialReader, TooLongError, UnreadableError
from vqaudio.audio.source import Window, check_rate, check_values, padded_window
from vqaudio.errors import AudioError, FileError, install
from vqaudio.files import Path, input_name, open_input

SUFFIXES = frozenset(
    f".{kind}"
    for kinds in (
        ("wav", "wave", "rf64", "w64", "aif", "aiff", "aifc", "au", "snd", "caf", "flac", "ogg", "oga", "opus", "spx"),
        (
            "mp3",
            "mp2",
            "m4a",
            "m4b",
            "mp4",
            "3gp",
            "aac",
            "webm",
            "weba",
            "mka",
            "mkv",
            "wma",
            "amr",
            "ac3",
            "wv",
            "tta",
        ),
    )
    for kind in kinds
)
"""Names of files that a search through a folder takes for sound."""

_STORAGE = "see whether its disk or server is well"
_LOST = 2**63  # the decoder's place after a failure: behind every sample, so that the next read begins with a jump


class FileSource:
    """A sound file, decoded as it is read: WAV and its kin, FLAC, OGG, MP3, M4A, whatever libsndfile or FFmpeg reads.

    ``file`` is a path, ``-`` or an open binary file that can seek (which stays open); ``name`` is for messages. The
    last window is kept: one that starts within or right after it is read without seeking. Memory holds two windows
    and never grows with the duration. What lasts longer than ``most_seconds`` is refused before more of it is decoded.
    The length is what was decoded, never what a header announces, over all streams
    that were chained in the file; only of PCM it follows from the number of bytes. Where something is missing or
    damaged, what is there can be read, and ``problems`` tells the rest. A context manager.

    Attributes:
        problems: what the file lacks of what it should hold, each a sentence that begins with the name.

    Raises:
        FileError: the file cannot be opened, or its disk or server fails, also while reading.
        AudioError: not a sound file, damaged, no samples, or a sample rate out of range; while reading: samples that
            cannot be decoded, are not finite or far beyond full scale.
    """

    sample_rate: int
    channels: int
    n_samples: int
    _kept: Window  # samples _start to _position; the decoder stands at _position
    _start: int
    _position: int

    def __init__(self, file: Path | IO[bytes], name: str | None = None, *, most_seconds: float = math.inf):
        with ExitStack() as stack:
            if isinstance(file, str | os.PathLike):
                self.name = name or input_name(file)
                self._file = stack.enter_context(open_input(file))
            else:
                self.name = name or "the file"
                self._file = file
            self._position = 0
            chain = self._opened(most_seconds)
            stack.callback(chain.close)
            self.problems = tuple(f"{self.name}: {problem}" for problem in chain.problems)
            if chain.n_samples < 1:
                why = "; ".join(chain.problems) or "check how it was recorded"
                raise AudioError(f"{self.name}: holds no samples, expected at least one; {why}")
            self.sample_rate = check_rate(chain.sample_rate, self.name)
            self.channels, self.n_samples = chain.channels, chain.n_samples
            self._decoder = chain.pcm or SequentialReader(chain)
            stack.callback(self._decoder.close)
            self._start = 0
            self._kept = np.zeros((self.channels, 0), np.float32)
            self._close = stack.pop_all().close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._close()

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop``: see :meth:`vqaudio.audio.source.Source.read`."""
        return padded_window(self, self._inside, start=start, stop=stop)

    def _opened(self, most_seconds: float) -> Chain:
        if self._file.seek(0, 2) == 0:
            raise AudioError(f"{self.name}: is empty (0 bytes), expected a sound file")
        try:
            return Chain(self._file, most_seconds)
        except TooLongError:
            raise AudioError(
                f"{self.name}: lasts more than the {most_seconds:g} s that are taken: cut it first"
            ) from None
        except UnreadableError as error:
            raise AudioError(f"{self.name}: {_refusal(error, self.name)}") from None
        except OSError as error:
            raise FileError(f"{self.name}: cannot be read ({error.strerror}); {_STORAGE}") from None

    def _inside(self, first: int, last: int) -> Window:
        try:
            if not self._start <= first <= self._position:
                self._kept = self._kept[:, :0]
                self._start = self._position = first
                self._attempt(self._decoder.seek, first)
            if last > self._position:
                kept = self._kept[:, first - self._start :]
                fresh = self._decode(last - self._position).T
                self._kept = np.concatenate([kept, fresh], axis=1)
                self._start, self._position = first, last
        except BaseException:
            self._start = self._position = _LOST
            raise
        return self._kept[:, first - self._start : last - self._start]

    def _decode(self, count: int) -> Window:
        """The next ``count`` samples as ``(count, channels)``."""
        block: Window = self._attempt(self._decoder.read, count)
        if len(block) < count:
            raise AudioError(
                f"{self.name}: ends at {(self._position + len(block)) / self.sample_rate:.3f} s, where there was more "
                "before: it changes while it is read; try again with a copy"
            )
        check_values(block.T, self.name, start=self._position, sample_rate=self.sample_rate)
        return block

    def _attempt(self, action: Callable[[int], Any], argument: int) -> Any:
        """What ``action`` of the decoder returns, with failures in words."""
        try:
            return action(argument)
        except OSError as error:
            raise FileError(f"{self._unread(error.strerror)}; {_STORAGE}") from None
        except UnreadableError as error:
            damaged = f"it is damaged: get a whole copy, or {_convert(self.name)}"
            raise AudioError(f"{self._unread(error)}; {damaged}") from None

    def _unread(self, reason: object) -> str:
        return f"{self.name}: cannot be read past {self._position / self.sample_rate:.3f} s ({reason})"


def _refusal(error: UnreadableError, name: str) -> str:
    """Why a file is not taken, and what to do, as the rest of a sentence."""
    if isinstance(error, NoDecoderError):
        media = f"{install('media')}, or {_convert(name)}"
        if not error.kind:
            return f"is not a sound file that libsndfile reads ({error}); if FFmpeg does, {media}"
        why = f" ({error})" if str(error) else ""
        return f"looks like {error.kind}{why}, which FFmpeg's libraries decode: {media}"
    if error.kind:
        return f"looks like {error.kind} but cannot be decoded ({error}); get a whole copy, or {_convert(name)}"
    return f"is not a sound file that libsndfile or FFmpeg reads ({error}); if it holds sound, {_convert(name)}"


def _convert(name: str) -> str:
    """The ffmpeg line that turns a file of this name into a WAV."""
    path = PurePath(name)
    if not path.suffix:
        return "convert it first: ffmpeg -i in.m4a in.wav"
    wav = path.with_name(f"{path.stem}-converted.wav") if path.suffix.lower() == ".wav" else path.with_suffix(".wav")
    return f"convert it first: ffmpeg -i {shlex.quote(name)} {shlex.quote(str(wav))}"
