"""Sound in and out of files and arrays, at any rate, in windows of any size.

Whatever yields sound is a :class:`Source`: a file, an array, either of them at another rate, a decoder. A window of a
source is a float32 array ``(channels, samples)`` with full scale at ±1, and a sample's value never depends on how the
windows were cut.
"""

from __future__ import annotations

import math
import os
import shlex
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from types import TracebackType
from typing import IO, Any, Protocol, Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from vqaudio.errors import AudioError
from vqaudio.files import Path, atomic_write, input_name, open_input, writes_in_place

Window = NDArray[np.float32]

MIN_RATE, MAX_RATE = 100, 1_000_000  # Hz
MAX_CHANNELS = 1024  # libsndfile's own limit
MAX_LEVEL = 1000.0  # 60 dB above full scale: beyond, samples are integers stored as floats, or damaged


class Source(Protocol):
    """Sound of a known length, to be read in windows."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

    @property
    def channels(self) -> int: ...

    @property
    def n_samples(self) -> int:
        """Samples in each channel."""

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop`` as ``(channels, stop - start)``; zeros outside ``[0, n_samples)``.

        Raises:
            AudioError: the samples cannot be decoded, or are not finite.
        """


def _framed(source: Source, start: int, stop: int, inside: Callable[[int, int], Window]) -> Window:
    """The window ``[start, stop)``, with ``inside(first, last)`` for what exists of it and zeros elsewhere."""
    if stop < start:
        raise ValueError(f"a window cannot end ({stop}) before it starts ({start})")
    window = np.zeros((source.channels, stop - start), np.float32)
    first, last = max(start, 0), min(stop, source.n_samples)
    if first < last:
        window[:, first - start : last - start] = inside(first, last)
    return window


def _check_rate(sample_rate: int, name: str) -> int:
    if not MIN_RATE <= sample_rate <= MAX_RATE or sample_rate != int(sample_rate):
        raise AudioError(
            f"{name}: the sample rate is {sample_rate} Hz, expected a whole number from {MIN_RATE} to {MAX_RATE}; "
            "resample it first"
        )
    return int(sample_rate)


def _check_values(block: Window, start: int, sample_rate: int, name: str) -> None:
    """Refuse values that are not finite or far beyond full scale; ``start`` is the sample number of column 0."""
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
        self.sample_rate = _check_rate(sample_rate, name)
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
        _check_values(self._samples, 0, self.sample_rate, name)

    def read(self, start: int, stop: int) -> Window:
        return _framed(self, start, stop, lambda first, last: self._samples[:, first:last])


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


class _Guarded:
    """What libsndfile needs of a file, with its name hidden and its errors kept.

    Without a name, only content decides the format: a text called ``x.vox`` is not taken for headerless sound. Errors
    cannot pass through C code, so they wait here until :meth:`check`.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.error: OSError | None = None
        self.tell = file.tell

    def _attempt(self, action: Callable[..., int], *arguments: Any) -> int:
        try:
            return action(*arguments)
        except OSError as error:
            self.error = self.error or error
            return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._attempt(self._file.seek, offset, whence)

    def read(self, count: int) -> bytes:
        buffer = bytearray(count)
        return bytes(buffer[: self.readinto(buffer)])

    def readinto(self, buffer: Any) -> int:
        return self._attempt(self._file.readinto, buffer)  # type: ignore[attr-defined]

    def write(self, data: bytes) -> int:
        return self._attempt(self._file.write, data)

    def check(self) -> None:
        """Raise the first error that was met."""
        if self.error is not None:
            raise self.error


class _OneWay(soundfile.SoundFile):  # type: ignore[misc]
    """A ``SoundFile`` that does not seek after each read or write, as the original does.

    Within lossy formats those seeks are slow and change the samples by a rounding error.
    """

    def seekable(self) -> bool:
        return False


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
            self.sample_rate = _check_rate(self._sound.samplerate, self.name)
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
        return _framed(self, start, stop, self._inside)

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
        self._guard = _Guarded(self._file)
        if self._file.seek(0, 2) == 0:
            raise AudioError(f"{self.name}: is empty (0 bytes), expected a sound file")
        self._file.seek(0)
        try:
            self._sound = _OneWay(self._guard)
        except soundfile.LibsndfileError as error:
            failed = self._guard.error
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
        _check_values(block.T, self._position, self.sample_rate, self.name)
        return block

    def _attempt(self, action: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """What ``action`` of the decoder returns, with failures in words."""
        try:
            result = action(*arguments, **options)
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


# -------------------------------------------------------------------------------------------------------- resampling

BLOCK_SECONDS = 4
_REACH = 256  # samples at the lower rate; the filter of soxr's HQ sees 105 to either side
_CACHED_BLOCKS = 3


class Resampled:
    """A source at another rate (soxr, quality HQ: flat to 0.91 of the band, 20 bits).

    Blocks of 4 whole seconds are resampled each in one go with a margin longer than the filter, so that they join
    without a seam and a sample's value is the same in every window. Whole seconds, and the left margin, lie on samples
    of both rates.

    ``n_samples`` fixes the length; without it, every sample that starts before the source's end is there.
    """

    def __init__(self, source: Source, sample_rate: int, n_samples: int | None = None):
        self.source = source
        self.sample_rate = _check_rate(sample_rate, "resampling")
        self.channels = source.channels
        self.n_samples = -(-source.n_samples * sample_rate // source.sample_rate) if n_samples is None else n_samples
        reach = math.ceil(_REACH * source.sample_rate / min(sample_rate, source.sample_rate))
        grid = source.sample_rate // math.gcd(source.sample_rate, sample_rate)
        self._left, self._right = -(-reach // grid) * grid, reach
        self._skip = self._left * sample_rate // source.sample_rate
        self._blocks: OrderedDict[int, Window] = OrderedDict()

    def read(self, start: int, stop: int) -> Window:
        return _framed(self, start, stop, self._inside)

    def _inside(self, first: int, last: int) -> Window:
        size = BLOCK_SECONDS * self.sample_rate
        pieces = []
        for index in range(first // size, (last - 1) // size + 1):
            origin = index * size
            pieces.append(self._block(index)[:, max(first - origin, 0) : last - origin])
        return np.concatenate(pieces, axis=1)

    def _block(self, index: int) -> Window:
        if index in self._blocks:
            self._blocks.move_to_end(index)
            return self._blocks[index]
        size = BLOCK_SECONDS * self.source.sample_rate
        window = self.source.read(index * size - self._left, (index + 1) * size + self._right)
        resampled = soxr.resample(
            np.ascontiguousarray(window.T), self.source.sample_rate, self.sample_rate, quality="HQ"
        )
        block = np.ascontiguousarray(resampled[self._skip : self._skip + BLOCK_SECONDS * self.sample_rate].T)
        self._blocks[index] = block
        if len(self._blocks) > _CACHED_BLOCKS:
            self._blocks.popitem(last=False)
        return block


def resample(source: Source, sample_rate: int, n_samples: int | None = None) -> Source:
    """``source`` at ``sample_rate`` (Hz): itself where nothing changes, else :class:`Resampled`."""
    if sample_rate != source.sample_rate:
        return Resampled(source, sample_rate, n_samples)
    if n_samples not in (None, source.n_samples):
        raise ValueError(f"at an unchanged rate there are {source.n_samples} samples, not {n_samples}")
    return source


# ------------------------------------------------------------------------------------------------------------ output


@dataclass(frozen=True)
class _Container:
    """What a kind of output file can hold; the first subtype is the default."""

    format: str
    subtypes: tuple[str, ...]
    max_channels: int = MAX_CHANNELS
    max_rate: int = MAX_RATE


_PCM = ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT")
_CONTAINERS = {
    ".wav": _Container("WAV", _PCM),
    ".w64": _Container("W64", _PCM),
    ".flac": _Container("FLAC", ("PCM_16", "PCM_24"), max_channels=8, max_rate=655_350),
    ".ogg": _Container("OGG", ("VORBIS",), max_channels=8, max_rate=200_000),  # libvorbis crashes beyond these
}
_SAMPLE_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4}
_STEPS = {"PCM_U8": 2**7, "PCM_16": 2**15, "PCM_24": 2**23}  # to full scale; 32 bits are finer than float32
_WAV_BYTES = 2**32 - 4096  # sizes in a WAV are 32 bits wide; 4 KiB are left to its headers


class SoundFileSink:
    """Writes a sound file block by block: a context manager, after which the file is whole or not there at all.

    The suffix chooses the container: ``.wav`` (RF64 where ``n_samples`` will not fit), ``.w64``, ``.flac``, ``.ogg``;
    ``-`` is a WAV on standard output, collected in a temporary file because its header comes last. ``subtype`` is one
    of PCM_16 (the default), PCM_24, PCM_32, PCM_U8, FLOAT, or VORBIS within ``.ogg``. PCM is rounded to the nearest
    step and clipped at full scale.

    Raises:
        AudioError: the container cannot hold this. FileError: the file cannot be written.
    """

    def __init__(self, path: Path, sample_rate: int, channels: int, n_samples: int, subtype: str | None = None):
        self.path = path
        name = "standard output" if str(path) == "-" else str(path)
        suffix = PurePath(path).suffix.lower() or (".wav" if writes_in_place(path) else "")
        if suffix not in _CONTAINERS:
            raise AudioError(f"{name}: cannot write {suffix or 'a name without suffix'}; use {', '.join(_CONTAINERS)}")
        container = _CONTAINERS[suffix]
        self.subtype = subtype or container.subtypes[0]
        if self.subtype not in container.subtypes:
            raise AudioError(f"{name}: {suffix} cannot hold {subtype}; use {', '.join(container.subtypes)}")
        if not 1 <= channels <= container.max_channels:
            raise AudioError(f"{name}: {suffix} holds 1 to {container.max_channels} channels, not {channels}; use .wav")
        if not MIN_RATE <= sample_rate <= container.max_rate:
            raise AudioError(
                f"{name}: {suffix} holds rates of {MIN_RATE} to {container.max_rate} Hz, not {sample_rate}; use .wav"
            )
        self.sample_rate, self.channels, self.n_samples = sample_rate, channels, n_samples
        too_big = n_samples * channels * _SAMPLE_BYTES.get(self.subtype, 0) > _WAV_BYTES
        self.format = "RF64" if suffix == ".wav" and too_big else container.format
        self._written = 0

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
        with atomic_write(self.path) as target, ExitStack() as stack:
            streams = writes_in_place(self.path)
            file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile()) if streams else target
            self._guard = _Guarded(file)
            settings = (self.sample_rate, self.channels, self.subtype)
            try:
                with _OneWay(self._guard, "w", *settings, format=self.format) as self._sound:
                    yield
                self._guard.check()
            except soundfile.LibsndfileError as error:
                self._guard.check()
                raise AudioError(f"{self.path}: cannot be written ({error.error_string})") from None
            if streams:
                file.seek(0)
                shutil.copyfileobj(file, target)
