"""A sound as integers: made from samples, and samples made from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.source import Window
from vqaudio.codec.blocks import Block
from vqaudio.codec.decoding import CodedBlocks, coded_samples, decoded_source
from vqaudio.codec.loaded import LoadedModel
from vqaudio.container import PLAIN, Level
from vqaudio.errors import ModelError


@dataclass(frozen=True, repr=False)
class Codes:
    """A sound as integers.

    Attributes:
        streams: for each codebook an int32 array ``(channels, frames)``.
        sample_rate: of the sound that was coded, Hz.
        n_samples: of the sound that was coded, in each channel.
        margin: samples at the model's rate that the frames begin before the sound, and go on after it at least.
        levels: of each chunk of ``CHUNK_SECONDS`` a level per channel, which was taken out before coding; none where
            all are plain.
    """

    streams: list[NDArray[np.int32]]
    sample_rate: int
    n_samples: int
    margin: int = 0
    levels: tuple[tuple[Level, ...], ...] = ()

    def __repr__(self) -> str:
        shapes = " ".join("x".join(map(str, codes.shape)) for codes in self.streams)
        return f"<Codes of {self.n_samples} samples at {self.sample_rate} Hz: {len(self.streams)} codebooks, {shapes}>"


def decode(model: LoadedModel, codes: Codes, *, speaker: str) -> Window:
    """See :meth:`vqaudio.Codec.decode`."""
    number = model.check_speaker(speaker)
    n_streams = model.check_codebooks(len(codes.streams))
    _check(model, codes)
    frames, channels = model.chunk_frames(), codes.streams[0].shape[0]

    def block(index: int) -> Block:
        cuts = [(index * frames // stream.stride, frames // stream.stride) for stream in model.streams[:n_streams]]
        cut = [part[:, at : at + size] for part, (at, size) in zip(codes.streams, cuts, strict=True)]
        return Block(cut, codes.levels[index] if codes.levels else (PLAIN,) * channels)

    coded = CodedBlocks(block, channels, lambda: codes.n_samples, frames, n_streams, codes.margin)
    sound = decoded_source(model.networks, coded, sample_rate=codes.sample_rate, silence=model.silence, speaker=number)
    return sound.read(0, codes.n_samples)


def _check(model: LoadedModel, codes: Codes) -> None:
    """Do nothing where codes are such as the model can have made.

    Raises:
        ModelError: they are not.
    """
    channels = codes.streams[0].shape[0]
    inside = coded_samples(codes.n_samples, sample_rate=codes.sample_rate, coded_rate=model.sample_rate)
    n_frames = -(-(inside + 2 * codes.margin) // model.hop_length)
    for stream, values in zip(model.streams, codes.streams, strict=False):
        if values.shape != (channels, stream.codes_in(n_frames)):
            raise ModelError(
                f"codes of shape {values.shape} found, expected {(channels, stream.codes_in(n_frames))} for "
                f"{codes.n_samples} samples at {codes.sample_rate} Hz in {channels} channels"
            )
        if values.size and not 0 <= int(values.min()) <= int(values.max()) < stream.alphabet:
            raise ModelError(f"codes from {values.min()} to {values.max()} do not fit a codebook of {stream.alphabet}")
    chunks = -(-n_frames // model.chunk_frames())
    if codes.levels and [len(chunk) for chunk in codes.levels] != [channels] * chunks:
        raise ModelError(f"levels of {len(codes.levels)} chunks found, expected {chunks} with {channels} levels each")
