"""Sound from files and arrays, in windows of any size.

Whatever yields sound is a :class:`Source`: a file, an array, either of them at another rate, a decoder. A window of a
source is a float32 array ``(channels, samples)`` with full scale at ±1, and a sample's value never depends on how the
windows were cut.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import PurePath
from typing import IO, Any, Protocol, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from vqaudio.errors import AudioError
from vqaudio.files import Path, input_name, open_input
from vqaudio.sndfile import Guarded, OneWay

Window = NDArray[np.float32]

MIN_RATE, MAX_RATE = 100, 1_000_000  # Hz
MAX_CHANNELS = 1024  # libsndfile's own limit
MAX_LEVEL = 1000.0  # 60 dB above full scale: beyond, samples are integers stored as floats, or damaged


SUFFIXES = frozenset(
    f".{kind}"
    for kind in ("wav", "wave", "rf64", "w64", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "aifc", "au", "caf")
)
"""Names of files that a search through a folder takes for sound."""


ENDLESS = 2**62
"""``n_samples`` of a sound that is still arriving."""


class Source(Protocol):
    """Sound to be read in windows."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

    @property
    def channels(self) -> int:
        """How many; a mono sound has 1."""

    @property
    def n_samples(self) -> int:
        """Samples in each channel; ``ENDLESS`` or more until a read has met the end of what is still arriving."""

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop`` as ``(channels, stop - start)``; zeros outside ``[0, n_samples)``.

        A sound that is still arriving is waited for, and heard once: no window begins over a second before the last.

        Raises:
            AudioError: the samples cannot be decoded, or are not finite.
        """


def framed(source: Source, start: int, stop: int, inside: Callable[[int, int], Window]) -> Window:
    """The window ``[start, stop)``, with ``inside(first, last)`` for what exists of it and zeros elsewhere."""
    if stop < start:
        raise ValueError(f"a window cannot end ({stop}) before it starts ({start})")
    window = np.zeros((source.channels, stop - start), np.float32)
    first, last = max(start, 0), min(stop, source.n_samples)
    if first < last:
        window[:, first - start : last - start] = inside(first, last)
        window[:, max(0, source.n_samples - start) :] = 0  # the end may have been met only now
    return window


def check_rate(sample_rate: int, name: str) -> int:
    """``sample_rate`` as an int; ``name`` is for the message.

    Raises:
        AudioError: not a whole number of Hz, or out of range.
    """
    if not MIN_RATE <= sample_rate <= MAX_RATE or sample_rate != int(sample_rate):
        raise AudioError(
            f"{name}: the sample rate is {sample_rate} Hz, expected a whole number from {MIN_RATE} to {MAX_RATE}; "
            "resample it first"
        )
    return int(sample_rate)


def check_values(block: Window, start: int, sample_rate: int, name: str) -> None:
    """Do nothing where all values of ``(channels, samples)`` can be sound; ``start`` is the number of the first sample.

    Raises:
        AudioError: one is not finite, or beyond ``MAX_LEVEL``.
    """
    if max(block.max(), -block.min()) <= MAX_LEVEL:  # false for NaN too
        return
    bad = ~(np.abs(block) <= MAX_LEVEL)
    column = int(bad.any(axis=0).argmax())
    channel = int(bad[:, column].argmax())
    value, sample = block[channel, column], start + column
    advice = (
        "full scale is ±1, so these may be integers stored as floats: divide them (16-bit ones by 32768)"
        if np.isfinite(value)
        else "samples must be finite numbers: repair or replace them"
    )
    raise AudioError(
        f"{name}: channel {channel + 1} of {len(block)} holds {value} at {sample / sample_rate:.3f} s "
        f"(sample {sample}, counted from 0); {advice}"
    )


# ------------------------------------------------------------------------------------------------------------ arrays


class ArraySource:
    """Samples in memory.

    ``wav``: floats ``(channels, samples)`` or ``(samples,)``, an array or a tensor; float32 arrays are not copied.

    Raises:
        AudioError: no samples, another shape or type, values that are not finite or far beyond full scale.
    """

    def __init__(self, wav: Any, sample_rate: int, name: str = "the array"):
        self.sample_rate = check_rate(sample_rate, name)
        samples = _to_numpy(wav, name)
        if samples.dtype.kind != "f":
            raise AudioError(
                f"{name}: holds {samples.dtype}, expected floats with full scale at ±1; "
                "convert integers first (16-bit ones: wav.astype('float32') / 32768)"
            )
        if samples.ndim == 1:
            samples = samples[None]
        if samples.ndim != 2:
            raise AudioError(f"{name}: has the shape {samples.shape}, expected (channels, samples) or (samples,)")
        if samples.size == 0:
            raise AudioError(f"{name}: holds no samples (shape {samples.shape}), expected at least one")
        self.channels, self.n_samples = samples.shape
        if self.channels > MAX_CHANNELS or self.channels > max(self.n_samples, 32):
            raise AudioError(
                f"{name}: has the shape {samples.shape}, that is {self.channels} channels, expected "
                f"(channels, samples) with at most {MAX_CHANNELS} channels; transpose it"
            )
        with np.errstate(over="ignore"):  # what overflows is refused below
            self._samples: Window = samples.astype(np.float32, copy=False)
        check_values(self._samples, 0, self.sample_rate, name)

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop``: see :meth:`Source.read`."""
        return framed(self, start, stop, lambda first, last: self._samples[:, first:last])


def _to_numpy(wav: Any, name: str) -> NDArray[Any]:
    if hasattr(wav, "detach"):  # a torch tensor, known by its methods so that torch is not imported
        wav = wav.detach().cpu()
        wav = (wav.float() if wav.is_floating_point() else wav).numpy()  # numpy has no bfloat16
    try:
        return np.asarray(wav)
    except ValueError:
        raise AudioError(f"{name}: is not a rectangular array, expected (channels, samples)") from None


# ------------------------------------------------------------------------------------------------------------- files

_UNKNOWN_LENGTH = 2**63 - 1  # libsndfile's answer when a header leaves the length out, as FLAC written to a pipe does
_EXACT_SEEK = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
_LOST = 2**63  # the decoder's place after a failure: behind every sample, so that the next read begins with a jump
_PIECE = 1 << 16  # samples decoded at a time when only their number counts
_FOREIGN = (
    (4, b"ftyp", "MPEG-4 (M4A, MP4)"),
    (0, b"\x30\x26\xb2\x75", "Windows Media (WMA)"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"#!AMR", "AMR"),
)


class FileSource:
    """A sound file, decoded as it is read: WAV, RF64, W64, FLAC, OGG, Opus, MP3 and whatever else libsndfile reads.

    ``file`` is a path, ``-`` or an open binary file that can seek (which stays open); ``name`` is for messages. The
    last window is kept: one that starts within or right after it is read without seeking. Memory holds two windows
    and never grows with the duration. The length is what the file holds: a WAV cut off in the middle ends at the cut;
    an MP3, whose header only estimates it, and a FLAC that leaves it out are decoded once to count (libsndfile ends an
    MP3 at the estimate where that is too low). A context manager.

    Raises:
        FileError: the file cannot be opened. AudioError: not a sound file, damaged, no samples, or a sample rate out
        of range; while reading: samples that cannot be decoded, end early, are not finite or far beyond full scale.
    """

    sample_rate: int
    channels: int
    n_samples: int
    _kept: Window  # samples _start to _position; the decoder stands at _position
    _start: int
    _position: int

    def __init__(self, file: Path | IO[bytes], name: str | None = None):
        with ExitStack() as stack:
            if isinstance(file, str | os.PathLike):
                self.name = name or input_name(file)
                self._file = stack.enter_context(open_input(file))
            else:
                self.name = name or "the file"
                self._file = file
            self._restart()
            stack.callback(lambda: self._sound.close())
            self.sample_rate = check_rate(self._sound.samplerate, self.name)
            self.channels = self._sound.channels
            self._seeks_exactly = self._sound.subtype in _EXACT_SEEK
            self.n_samples = self._sound.frames
            if self.n_samples == _UNKNOWN_LENGTH or self._sound.format == "MP3":
                self.n_samples = self._count()
            if self.n_samples < 1:
                raise AudioError(f"{self.name}: holds no samples, expected at least one; check how it was recorded")
            self._close = stack.pop_all().close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._close()

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop``: see :meth:`Source.read`."""
        return framed(self, start, stop, self._inside)

    def _inside(self, first: int, last: int) -> Window:
        if not self._start <= first <= self._position:
            self._jump(first)
        if last > self._position:
            kept = self._kept[:, first - self._start :]
            try:
                fresh = self._decode(last - self._position).T
            except AudioError:
                self._start = self._position = _LOST
                raise
            self._kept = np.concatenate([kept, fresh], axis=1)
            self._start, self._position = first, last
        return self._kept[:, first - self._start : last - self._start]

    def _restart(self) -> None:
        """Open the decoder afresh at sample 0."""
        self._guard = Guarded(self._file)
        if self._file.seek(0, 2) == 0:
            raise AudioError(f"{self.name}: is empty (0 bytes), expected a sound file")
        self._file.seek(0)
        try:
            self._sound = OneWay(self._guard)
        except soundfile.LibsndfileError as error:
            failed = self._guard.error
            if isinstance(failed, KeyboardInterrupt):
                raise failed from None
            message = (
                f"{self.name}: cannot be read ({failed.strerror})" if failed else self._not_sound(error.error_string)
            )
            raise AudioError(message) from None
        self._start = self._position = 0
        self._kept = np.zeros((self._sound.channels, 0), np.float32)

    def _jump(self, position: int) -> None:
        self._kept = self._kept[:, :0]
        if self._seeks_exactly:
            self._attempt(self._sound.seek, position)
        else:
            if position < self._position:
                self._sound.close()
                self._restart()
            for done in range(self._position, position, _PIECE):
                self._position = done
                self._decode(min(_PIECE, position - done))
        self._start = self._position = position

    def _decode(self, count: int) -> Window:
        """The next ``count`` samples as ``(count, channels)``."""
        block: Window = self._attempt(self._sound.read, count, "float32", always_2d=True)
        reached = self._position + len(block)
        if len(block) < count:
            raise AudioError(
                f"{self.name}: ends at {reached / self.sample_rate:.3f} s (sample {reached}) but its header promises "
                f"{self.n_samples} samples; it is cut off or damaged: get a whole copy, or {_convert(self.name)}"
            )
        check_values(block.T, self._position, self.sample_rate, self.name)
        return block

    def _attempt(self, action: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """What ``action`` of the decoder returns, with failures in words."""
        try:
            try:
                result = action(*arguments, **options)
            finally:
                self._guard.check()
        except (soundfile.LibsndfileError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error.error_string
            raise AudioError(
                f"{self.name}: cannot be read past {self._position / self.sample_rate:.3f} s ({reason}); it is "
                f"damaged: get a whole copy, or {_convert(self.name)}"
            ) from None
        return result

    def _count(self) -> int:
        while count := len(self._attempt(self._sound.read, _PIECE, "float32", always_2d=True)):
            self._position += count
        total = self._position
        self._sound.close()
        self._restart()
        return total

    def _not_sound(self, reason: str) -> str:
        self._file.seek(0)
        head = self._file.read(16)
        for place, mark, kind in _FOREIGN:
            if head[place : place + len(mark)] == mark:
                return f"{self.name}: looks like {kind}, which libsndfile does not read; {_convert(self.name)}"
        return (
            f"{self.name}: is not a sound file that libsndfile reads ({reason.rstrip('.')}); "
            f"if it holds sound, {_convert(self.name)}"
        )


def _convert(name: str) -> str:
    """The ffmpeg line that turns a file of this name into a WAV."""
    path = PurePath(name)
    if not path.suffix:
        return "convert it first: ffmpeg -i in.m4a in.wav"
    wav = path.with_name(f"{path.stem}-converted.wav") if path.suffix.lower() == ".wav" else path.with_suffix(".wav")
    return f"convert it first: ffmpeg -i {shlex.quote(name)} {shlex.quote(str(wav))}"
