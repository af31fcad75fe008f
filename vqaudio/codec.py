"""The codec: sound to codes to bytes and back. What ``vqaudio.load()`` returns.

::

    codec = vqaudio.load("speech-16k")
    data = codec.compress(wav, sample_rate)          # float32 (channels, samples) to the bytes of a .vq file
    wav, sample_rate = codec.decompress(data)
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from vqaudio import checkpoint
from vqaudio.audio import ArraySource, Source, Window, resample
from vqaudio.blocks import Decoded, encode_blocks
from vqaudio.container import Header, Reader, Writer
from vqaudio.errors import ContainerError, ModelError
from vqaudio.registry import DEFAULT_MODEL, find, name_of

CHUNK_SECONDS = 5.0


@dataclass(frozen=True)
class Codes:
    """A sound as integers.

    Attributes:
        streams: for each codebook an int32 array ``(channels, frames)``.
        sample_rate: of the sound that was coded, Hz.
        n_samples: of the sound that was coded, in each channel.
    """

    streams: list[NDArray[np.int32]]
    sample_rate: int
    n_samples: int


@dataclass(frozen=True)
class Damage:
    """A stretch of sound that could not be decoded as it was coded: from, to (seconds), and why."""

    start: float
    stop: float
    reason: str

    def __str__(self) -> str:
        return f"{self.start:.2f}-{self.stop:.2f} s: {self.reason}"


def load(name_or_path: str | Path = DEFAULT_MODEL, device: str = "cpu") -> Codec:
    """A codec with a shipped model, by name, or with any trained model, by path.

    Raises:
        ModelError: no such model, or a file that is none.
    """
    return Codec(checkpoint.load(name_or_path, device))


class Codec:
    """One model in use; its weights are on one device and do not change.

    Attributes:
        model: the :class:`vqaudio.autoencoder.Autoencoder`, for ``(batch, 1, samples)`` tensors.
        name, fingerprint: what the model is called, and what files call it.
        sample_rate: of the sound inside the codec, Hz. Other rates are resampled on the way in and out.
        n_codebooks: the most that can be used.
    """

    def __init__(self, source: checkpoint.Checkpoint):
        self.model, self.name, self.fingerprint = source.model, source.name, source.fingerprint
        self.silence, self.training = source.silence, source.training
        self.streams = self.model.bottleneck.streams
        self.sample_rate = self.model.config.sample_rate
        self.hop_length = self.model.config.hop_length
        self.frame_rate = self.model.config.frame_rate
        self.n_codebooks = len(self.streams)

    # ------------------------------------------------------------------------------------------------------ rates

    def kbps(self, n_codebooks: int) -> float:
        """The rate of one channel's codes with the first ``n_codebooks`` codebooks, kb/s."""
        return sum(self.frame_rate * stream.bits / stream.stride for stream in self.streams[:n_codebooks]) / 1000.0

    def codebooks_for(self, kbps: float) -> int:
        """The most codebooks whose rate does not pass ``kbps``.

        Raises:
            ModelError: even one codebook needs more.
        """
        fitting = [n for n in range(1, self.n_codebooks + 1) if self.kbps(n) <= kbps + 1e-9]
        if not fitting:
            raise ModelError(f"{kbps:g} kb/s is below the lowest rate of {self.name}, {self.kbps(1):g} kb/s: ask for that")
        return fitting[-1]

    def _checked(self, n_codebooks: int | None) -> int:
        if not self.streams:
            raise ModelError(f"{self.name} has no tokens (a plain autoencoder), so nothing can be stored: use another model")
        if n_codebooks is None:
            return self.n_codebooks
        if not 1 <= n_codebooks <= self.n_codebooks:
            raise ModelError(f"{n_codebooks} codebooks asked for, but {self.name} has 1 to {self.n_codebooks}")
        return n_codebooks

    # ------------------------------------------------------------------------------------------------ sound and codes

    def encode(self, wav: Any, sample_rate: int, n_codebooks: int | None = None) -> Codes:
        """Sound to codes.

        Args:
            wav: float32 array or tensor ``(channels, samples)`` (or ``(samples,)``), full scale 1.0.
            sample_rate: Hz.
            n_codebooks: how many to use; all by default.

        Raises:
            AudioError: samples that are no sound: integers, NaN, a transposed array.
        """
        sound = ArraySource(wav, sample_rate)
        n_streams = self._checked(n_codebooks)
        blocks = encode_blocks(self.model, resample(sound, self.sample_rate), self._chunk_frames(), n_streams)
        streams = [np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True)]
        return Codes(streams, sample_rate, sound.n_samples)

    def decode(self, codes: Codes) -> Window:
        """Codes to sound: float32 ``(channels, samples)`` with the rate and length of what was encoded.

        Raises:
            ModelError: more streams than the model has, or codes beyond its codebooks.
        """
        self._checked(len(codes.streams))
        for stream, values in zip(self.streams, codes.streams, strict=False):
            if values.size and not 0 <= int(values.min()) <= int(values.max()) < stream.alphabet:
                raise ModelError(f"codes from {values.min()} to {values.max()} do not fit a codebook of {stream.alphabet}")
        frames = self._chunk_frames()

        def block(index: int) -> list[NDArray[np.int32]]:
            cuts = [(index * frames // stream.stride, frames // stream.stride) for stream in self.streams]
            return [part[:, at : at + size] for part, (at, size) in zip(codes.streams, cuts, strict=False)]

        n_streams, channels = len(codes.streams), codes.streams[0].shape[0]
        sound = self._decoded(block, channels, codes.n_samples, codes.sample_rate, frames, n_streams)
        return sound.read(0, codes.n_samples)

    def compress(self, wav: Any, sample_rate: int, n_codebooks: int | None = None) -> bytes:
        """Sound to the bytes of a ``.vq`` file; arguments and errors as for :meth:`encode`."""
        file = io.BytesIO()
        self.write(ArraySource(wav, sample_rate), file, n_codebooks)
        return file.getvalue()

    def decompress(self, data: bytes) -> tuple[Window, int]:
        """The bytes of a ``.vq`` file to sound: float32 ``(channels, samples)``, and its rate in Hz.

        Raises:
            ContainerError: not a ``.vq`` file, or a damaged one. (:meth:`open` decodes what is left of it.)
            ModelError: written by another model.
        """
        stored = self.open(io.BytesIO(data), "the data")
        wav = stored.sound.read(0, stored.n_samples)
        if stored.problems or stored.damage:
            what = "; ".join([*stored.problems, *map(str, stored.damage)])
            raise ContainerError(f"the data is damaged: {what}; Codec.open() decodes the rest")
        return wav, stored.sound.sample_rate

    # --------------------------------------------------------------------------------------------------------- files

    def write(
        self,
        sound: Source,
        file: IO[bytes],
        n_codebooks: int | None = None,
        chunk_seconds: float = CHUNK_SECONDS,
        done: Callable[[float], object] | None = None,
    ) -> int:
        """Code a sound of any length into a file that need not seek; returns the number of bytes.

        ``done`` is called with the seconds coded after each chunk. Memory does not grow with the sound.
        """
        n_streams, frames = self._checked(n_codebooks), self._chunk_frames(chunk_seconds)
        header = Header(
            codec=self.fingerprint,
            source_rate=sound.sample_rate,
            coded_rate=self.sample_rate,
            hop_length=self.hop_length,
            chunk_frames=frames,
            channels=sound.channels,
            streams=self.streams[:n_streams],
        )
        writer = Writer(cast(Any, file), header)
        size = len(header.to_bytes())
        for codes in encode_blocks(self.model, resample(sound, self.sample_rate), frames, n_streams, done):
            size += writer.write(codes)
        return size + writer.close(sound.n_samples)

    def open(self, file: IO[bytes], name: str) -> Stored:
        """A ``.vq`` file as a sound to read from, whole or in part.

        Raises:
            ContainerError: not a ``.vq`` file. ModelError: written by another model.
        """
        reader = Reader(cast(Any, file), name)
        header = reader.header
        if header.codec != self.fingerprint:
            raise ModelError(
                f"{name}: was written by the model {_called(header.codec)}, not by {self.name} ({self.fingerprint}): "
                "give that model with --model, or install the version of vqaudio that ships it"
            )
        ours = (self.sample_rate, self.hop_length, self.streams[: len(header.streams)])
        if (header.coded_rate, header.hop_length, header.streams) != ours:
            raise ContainerError(f"{name}: its header does not describe the model that it names: it is damaged")
        return Stored(self, reader)

    def _chunk_frames(self, seconds: float = CHUNK_SECONDS) -> int:
        """Frames of a chunk: a multiple of every stream's stride."""
        step = math.lcm(*(stream.stride for stream in self.streams))
        return max(1, round(seconds * self.frame_rate / step)) * step

    def _decoded(
        self,
        codes_of: Callable[[int], list[NDArray[np.int32]] | None],
        channels: int,
        n_samples: int,
        sample_rate: int,
        chunk_frames: int,
        n_streams: int,
    ) -> Source:
        coded_samples = -(-n_samples * self.sample_rate // sample_rate)
        decoded = Decoded(self.model, self.silence, codes_of, channels, coded_samples, chunk_frames, n_streams)
        return resample(decoded, sample_rate, n_samples)


class Stored:
    """A ``.vq`` file open for decoding.

    Attributes:
        reader: the container.
        sound: a :class:`vqaudio.audio.Source` at the rate, with the channels and samples, that were coded.
        damage: the stretches found damaged in what was read from ``sound`` so far.
    """

    def __init__(self, codec: Codec, reader: Reader):
        self.codec, self.reader = codec, reader
        header = reader.header
        self.n_samples = reader.n_samples
        self._lost: dict[int, str] = {}
        self.sound = codec._decoded(
            self._codes_of, header.channels, self.n_samples, header.source_rate, header.chunk_frames, len(header.streams)
        )

    @property
    def problems(self) -> list[str]:
        """A sentence for whatever is wrong with the file as a whole."""
        return self.reader.problems

    @property
    def damage(self) -> list[Damage]:
        """Lost chunks with their time range, wider by what the decoder sees beyond a chunk's edges."""
        context = self.codec.model.decoder_context / self.codec.frame_rate
        end = self.n_samples / self.reader.header.source_rate
        found = []
        for index, reason in sorted(self._lost.items()):
            start, stop = self.reader.time_range(index)
            found.append(Damage(max(0.0, start - context), min(end, stop + context), f"chunk {index}: {reason}"))
        return found

    def _codes_of(self, index: int) -> list[NDArray[np.int32]] | None:
        chunk = self.reader.chunk(index)
        if chunk.problem is not None:
            self._lost[index] = chunk.problem
        return chunk.codes


def model_for(file: IO[bytes], name: str) -> Path:
    """The shipped model that wrote a ``.vq`` file.

    Raises:
        ContainerError: not a ``.vq`` file. ModelError: no shipped model wrote it.
    """
    wanted = Reader(cast(Any, file), name).header.codec
    found = name_of(wanted)
    if found is None:
        raise ModelError(f"{name}: was written by the model {wanted}, which is not shipped here: give its file with --model")
    return find(found)


def _called(fingerprint: str) -> str:
    name = name_of(fingerprint)
    return f"{name} ({fingerprint})" if name else fingerprint
