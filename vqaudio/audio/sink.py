"""Sound into files: block by block, and whole or not there at all."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from types import TracebackType
from typing import IO, Self

import numpy as np
import soundfile

from vqaudio.audio.sndfile import GuardedFile, SequentialSoundFile
from vqaudio.audio.source import MAX_CHANNELS, MAX_RATE, MIN_RATE, Source, Window
from vqaudio.audio.wav import MOST_BYTES, SAMPLE_BYTES, WavFormat, WavStream
from vqaudio.errors import AudioError
from vqaudio.files import Path, atomic_write, writes_in_place
from vqaudio.files.pipe import ENDLESS


@dataclass(frozen=True)
class _FileType:
    """What a kind of output file can hold; the first subtype is the default."""

    format: str
    subtypes: tuple[str, ...]
    max_channels: int = MAX_CHANNELS
    max_rate: int = MAX_RATE


_PCM = ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT")
_FILE_TYPES = {
    ".wav": _FileType("WAV", _PCM),
    ".w64": _FileType("W64", _PCM),
    ".flac": _FileType("FLAC", ("PCM_16", "PCM_24"), max_channels=8, max_rate=655_350),
    ".ogg": _FileType("OGG", ("VORBIS",), max_channels=8, max_rate=200_000),  # libvorbis crashes beyond these
}
_STEPS = {"PCM_U8": 2**7, "PCM_16": 2**15, "PCM_24": 2**23}  # to full scale; 32 bits are finer than float32
BLOCK_SECONDS = 5
CLIPPED = 1.25
"""Peaks up to here are cut off at full scale without a word: decoded sound overshoots a little."""
STREAMED_SECONDS = 0.1
"""In a pipe: what can be heard already does not wait for what cannot."""


def known_suffix(path: Path) -> str:
    """The suffix, in lower case, that decides an output's type.

    Raises:
        AudioError: no type that can be written.
    """
    suffix = PurePath(path).suffix.lower() or (".wav" if writes_in_place(path) else "")
    if suffix not in _FILE_TYPES:
        raise AudioError(f"{path}: cannot write {suffix or 'a name without suffix'}; use {', '.join(_FILE_TYPES)}")
    return suffix


class SoundFileSink:
    """Writes a sound file block by block: a context manager, after which the file is whole or not there at all.

    The suffix chooses the type: ``.wav`` (RF64 where ``n_samples`` will not fit), ``.w64``, ``.flac``, ``.ogg``;
    ``-`` is a WAV on standard output. A WAV goes into pipes block by block, and ``n_samples`` may be ``ENDLESS`` there;
    the others are collected in a temporary file, because their headers come last. ``subtype`` is one
    of PCM_16 (the default), PCM_24, PCM_32, PCM_U8, FLOAT, or VORBIS within ``.ogg``. PCM is rounded to the nearest
    step and clipped at full scale; ``peak`` is the highest peak so far.

    Raises:
        AudioError: that type of file cannot hold this.
        FileError: the file cannot be written.
    """

    def __init__(self, path: Path, sample_rate: int, *, channels: int, n_samples: int, subtype: str | None = None):
        self.path = path
        name = "standard output" if str(path) == "-" else str(path)
        suffix = known_suffix(path)
        kind = _FILE_TYPES[suffix]
        self.subtype = subtype or kind.subtypes[0]
        if self.subtype not in kind.subtypes:
            raise AudioError(f"{name}: {suffix} cannot hold {subtype}; use {', '.join(kind.subtypes)}")
        if not 1 <= channels <= kind.max_channels:
            raise AudioError(f"{name}: {suffix} holds 1 to {kind.max_channels} channels, not {channels}; use .wav")
        if not MIN_RATE <= sample_rate <= kind.max_rate:
            raise AudioError(
                f"{name}: {suffix} holds rates of {MIN_RATE} to {kind.max_rate} Hz, not {sample_rate}; use .wav"
            )
        self.sample_rate, self.channels, self.n_samples = sample_rate, channels, n_samples
        too_big = n_samples * channels * SAMPLE_BYTES.get(self.subtype, 0) > MOST_BYTES
        self.format = "RF64" if suffix == ".wav" and too_big else kind.format
        self._written = 0
        self.peak = 0.0
        self._sound: SequentialSoundFile | WavStream

    def __enter__(self) -> Self:
        self._context = self._opened()
        self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._context.__exit__(kind, error, trace)

    def write(self, block: Window) -> None:
        """Append ``(channels, samples)``; more than ``n_samples`` in all is a ``ValueError``."""
        self._written += block.shape[1]
        if self._written > self.n_samples:
            raise ValueError(f"{self._written} samples written to a file meant for {self.n_samples}")
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
        try:
            self._sound.write(np.ascontiguousarray(self._rounded(block).T, np.float32))
        finally:  # a full disk also makes soundfile fail: ours is the better message
            self._guard.check()

    def _rounded(self, block: Window) -> Window:
        """To the nearest step of PCM, within full scale: libsndfile itself rounds down."""
        if self.subtype not in _STEPS:
            return block
        steps = np.float32(_STEPS[self.subtype])
        rounded: Window = np.clip(np.rint(np.clip(block, -1, 1) * steps), -steps, steps - 1) / steps
        return rounded

    @contextmanager
    def _opened(self) -> Iterator[None]:
        if writes_in_place(self.path) and self.format in ("WAV", "RF64"):
            with atomic_write(self.path) as target:
                self._guard = GuardedFile(target)
                known = self.n_samples if self.n_samples < ENDLESS else None
                self._sound = WavStream(
                    target, WavFormat(self.sample_rate, self.channels, self.subtype), n_samples=known
                )
                yield
                self._sound.close()
            return
        with atomic_write(self.path) as target, ExitStack() as stack:
            streams = writes_in_place(self.path)
            file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile()) if streams else target
            self._guard = GuardedFile(file)
            settings = (self.sample_rate, self.channels, self.subtype)
            try:
                with SequentialSoundFile(self._guard, "w", *settings, format=self.format) as sound:
                    self._sound = sound
                    yield
                self._guard.check()
            except soundfile.LibsndfileError as error:
                self._guard.check()
                raise AudioError(f"{self.path}: cannot be written ({error.error_string})") from None
            if streams:
                file.seek(0)
                shutil.copyfileobj(file, target)


def write_array(wav: Window, path: Path, *, sample_rate: int) -> None:
    """Write ``(channels, samples)``, or ``(samples,)`` for one channel; errors as for :class:`SoundFileSink`."""
    wav = np.atleast_2d(wav)
    with SoundFileSink(path, sample_rate, channels=wav.shape[0], n_samples=wav.shape[1]) as sink:
        sink.write(wav)


def write_sound(
    sound: Source,
    path: Path,
    *,
    start: int = 0,
    stop: int | None = None,
    subtype: str | None = None,
    done: Callable[[float], object] | None = None,
) -> str:
    """Write samples ``start`` to ``stop`` of a sound, or all of it, block by block.

    Returns a sentence where it was too loud for samples that end at full scale, else nothing.
    ``done`` is called with the seconds written after each block. ``subtype`` and errors as for :class:`SoundFileSink`.
    """
    stop = sound.n_samples if stop is None else stop
    step = math.ceil((STREAMED_SECONDS if writes_in_place(path) else BLOCK_SECONDS) * sound.sample_rate)
    with SoundFileSink(
        path, sound.sample_rate, channels=sound.channels, n_samples=stop - start, subtype=subtype
    ) as sink:
        while start < min(stop, sound.n_samples):
            block = sound.read(start, min(start + step, stop))
            block = block[:, : max(0, sound.n_samples - start)]  # the end may have been met only now
            start += step
            sink.write(block)
            if done is not None:
                done(block.shape[1] / sound.sample_rate)
    if sink.peak <= CLIPPED or sink.subtype in ("FLOAT", "VORBIS"):
        return ""
    return f"{path}: peaks of up to {sink.peak:.3g} are cut off at full scale; FLOAT samples keep them"
