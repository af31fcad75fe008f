"""Sound from files and arrays, in windows of any size.

Whatever yields sound is a :class:`Source`: a file, an array, either of them at another rate, a decoder. A window of a
source is a float32 array ``(channels, samples)`` with full scale at ±1, and a sample's value never depends on how the
windows were cut.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import PurePath
from typing import IO, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.decoding import Chain, Forward, TooLongError, UnreadableError
from vqaudio.errors import AudioError
from vqaudio.files import Path, input_name, open_input

Window = NDArray[np.float32]

MIN_RATE, MAX_RATE = 100, 1_000_000  # Hz
MAX_CHANNELS = 1024  # libsndfile's own limit
MAX_LEVEL = 1000.0  # 60 dB above full scale: beyond, samples are integers stored as floats, or damaged


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
        FileError: the file cannot be opened. AudioError: not a sound file, damaged, no samples, or a sample rate out
        of range; while reading: samples that cannot be decoded, are not finite or far beyond full scale.
    """

    sample_rate: int
    channels: int
    n_samples: int
    _kept: Window  # samples _start to _position; the decoder stands at _position
    _start: int
    _position: int

    def __init__(self, file: Path | IO[bytes], name: str | None = None, most_seconds: float = math.inf):
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
            self._decoder = chain.pcm or Forward(chain)
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
        """Samples ``start`` to ``stop``: see :meth:`Source.read`."""
        return framed(self, start, stop, self._inside)

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
            raise AudioError(f"{self.name}: cannot be read ({error.strerror})") from None

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
        check_values(block.T, self._position, self.sample_rate, self.name)
        return block

    def _attempt(self, action: Callable[[int], Any], argument: int) -> Any:
        """What ``action`` of the decoder returns, with failures in words."""
        try:
            return action(argument)
        except (UnreadableError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise AudioError(
                f"{self.name}: cannot be read past {self._position / self.sample_rate:.3f} s ({reason}); it is "
                f"damaged: get a whole copy, or {_convert(self.name)}"
            ) from None


def _refusal(error: UnreadableError, name: str) -> str:
    """Why a file is not taken, and what to do, as the rest of a sentence."""
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
