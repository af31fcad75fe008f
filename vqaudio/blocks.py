"""Whole sounds as blocks of one chunk each, with the context that the networks see beyond a block's edges.

Every block is computed from a window of the same length at the same alignment, however the sound arrives and whatever
part of it is asked for: the codes, and the samples decoded from them, do not depend on it. Before its start and after
its end a sound is silent. The networks see a bounded stretch of time, so that blocks join without a seam, and memory
does not grow with the sound.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from vqaudio.audio import Source, Window, framed
from vqaudio.autoencoder import Autoencoder
from vqaudio.bottleneck import Choose
from vqaudio.container import ChunkCodes, Stream
from vqaudio.resampling import resample

_CACHED_BLOCKS = 3


def aligned(n_frames: int, streams: Sequence[Stream]) -> int:
    """The next number of frames, ``n_frames`` or more, that is a whole number of codes in every stream."""
    step = math.lcm(*(stream.stride for stream in streams))
    return -(-n_frames // step) * step


@torch.inference_mode()
def encode_blocks(
    model: Autoencoder,
    sound: Source,
    block_frames: int,
    n_streams: int,
    done: Callable[[float], object] | None = None,
    choose: Choose | None = None,
) -> Iterator[ChunkCodes]:
    """The codes of each block of ``block_frames`` frames: an int32 array ``(channels, codes)`` per stream.

    The last block has as many frames as the sound needs. ``sound`` must be at the model's sample rate. ``done`` is
    called with the seconds coded after each block; ``choose`` is :meth:`Autoencoder.encode`'s.
    """
    hop, context = model.config.hop_length, aligned(model.encoder_context, model.bottleneck.streams)
    first = 0
    while first * hop < sound.n_samples:
        window = sound.read((first - context) * hop, (first + block_frames + context) * hop)
        kept = min(block_frames, -(-sound.n_samples // hop) - first)
        if kept <= 0:  # the sound has ended where the block before did, and that is known only now
            break
        per_channel = _each_channel(window, partial(_encode_window, model, context, kept, n_streams, choose))
        yield [np.stack(codes) for codes in zip(*per_channel, strict=True)]
        if done is not None:
            done(min(kept * hop, sound.n_samples - first * hop) / sound.sample_rate)
        first += kept


def _encode_window(
    model: Autoencoder,
    context: int,
    kept: int,
    n_streams: int,
    choose: Choose | None,
    channel: Window,
) -> ChunkCodes:
    device = next(model.parameters()).device
    with _full_float32(device):
        tokens = model.encode(torch.from_numpy(channel)[None, None].to(device), n_streams, context, choose)
    codes = []
    for stream, found in zip(model.bottleneck.streams[:n_streams], tokens, strict=False):
        codes.append(found[0, : stream.codes_in(kept)].to("cpu", torch.int32).numpy())
    return codes


def _full_float32(device: torch.device) -> AbstractContextManager[object]:
    """Convolutions without TF32: on a GPU its 10 bits would turn far more codes than ties."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext()


def _each_channel(window: NDArray[np.generic], work: Callable[[Window], ChunkCodes]) -> list[ChunkCodes]:
    """``work`` on each channel by itself, once for channels that are equal."""
    results: dict[bytes, ChunkCodes] = {}
    order = []
    for channel in window:
        key = channel.tobytes()
        if key not in results:
            results[key] = work(np.ascontiguousarray(channel))
        order.append(results[key])
    return order


class Decoded:
    """The sound that codes stand for, at the model's rate: a :class:`vqaudio.audio.Source`.

    ``codes_of(index)`` gives a block's codes, or None for a block that is lost: it is silent, and its neighbours, which
    would have seen its codes, see those of silence. ``speaker`` is the number of the voice to decode to, 0 for none.
    """

    def __init__(
        self,
        model: Autoencoder,
        silence: list[int],
        codes_of: Callable[[int], ChunkCodes | None],
        channels: int,
        n_samples: Callable[[], int],
        block_frames: int,
        n_streams: int,
        speaker: int = 0,
    ):
        self.model, self.codes_of, self.block_frames, self.speaker = model, codes_of, block_frames, speaker
        self.streams: tuple[Stream, ...] = model.bottleneck.streams[:n_streams]
        self.silence = silence[:n_streams]
        self.sample_rate = model.config.sample_rate
        self.channels, self._length = channels, n_samples
        self.context = aligned(model.decoder_context, self.streams)
        self._blocks: OrderedDict[int, Window] = OrderedDict()

    @property
    def n_samples(self) -> int:
        """Samples in each channel: see :attr:`vqaudio.audio.Source.n_samples`."""
        return self._length()

    @property
    def n_blocks(self) -> int:
        """Blocks that so many samples take."""
        return -(-self.n_samples // (self.block_frames * self.model.config.hop_length))

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop`` as float32 ``(channels, stop - start)``; zeros outside the sound."""
        return framed(self, start, stop, self._inside)

    def _inside(self, first: int, last: int) -> Window:
        size = self.block_frames * self.model.config.hop_length
        window = np.empty((self.channels, last - first), np.float32)
        for index in range(first // size, -(-last // size)):
            begin, end = max(first, index * size), min(last, (index + 1) * size)
            window[:, begin - first : end - first] = self._block(index)[:, begin - index * size : end - index * size]
        return window

    def _block(self, index: int) -> Window:
        if index not in self._blocks:
            self._blocks[index] = self._decode(index)
            if len(self._blocks) > _CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[index]

    @torch.inference_mode()
    def _decode(self, index: int) -> Window:
        hop, frames = self.model.config.hop_length, self.block_frames
        if self.codes_of(index) is None:
            return np.zeros((self.channels, frames * hop), np.float32)
        device = next(self.model.parameters()).device
        windows = self._windows(index)
        speaker = torch.tensor([self.speaker], device=device)
        sounds: dict[bytes, Window] = {}
        block = np.empty((self.channels, frames * hop), np.float32)
        for channel in range(self.channels):
            tokens = [window[channel] for window in windows]
            key = b"".join(codes.tobytes() for codes in tokens)
            if key not in sounds:
                made = self.model.decode([torch.from_numpy(codes)[None].to(device) for codes in tokens], speaker)
                sounds[key] = made[0, 0, self.context * hop : (self.context + frames) * hop].float().cpu().numpy()
            block[channel] = sounds[key]
        return block

    def _windows(self, index: int) -> list[NDArray[np.int64]]:
        """Each stream's codes ``(channels, codes)`` for a block and its context, silence's where there are none."""
        size, context = self.block_frames, self.context
        windows = [
            np.full((self.channels, (size + 2 * context) // stream.stride), silence, np.int64)
            for stream, silence in zip(self.streams, self.silence, strict=True)
        ]
        reach = -(-context // size)
        for neighbour in range(max(0, index - reach), min(self.n_blocks, index + reach + 1)):
            codes = self.codes_of(neighbour)
            if codes is None:
                continue
            for stream, window, found in zip(self.streams, windows, codes, strict=True):
                offset = (context + (neighbour - index) * size) // stream.stride
                first, last = max(0, offset), min(window.shape[1], offset + found.shape[1])
                window[:, first:last] = found[:, first - offset : last - offset]
        return windows


def coded_samples(n_samples: int, sample_rate: int, coded_rate: int) -> int:
    """Samples at ``coded_rate`` (Hz) that a sound of ``n_samples`` samples at ``sample_rate`` takes."""
    return -(-n_samples * coded_rate // sample_rate)


def decoded(
    model: Autoencoder,
    silence: list[int],
    codes_of: Callable[[int], ChunkCodes | None],
    channels: int,
    n_samples: Callable[[], int],
    sample_rate: int,
    block_frames: int,
    n_streams: int,
    speaker: int = 0,
) -> Source:
    """:class:`Decoded` with the sample rate and the length that were coded, which may not be known yet."""

    def inside() -> int:
        return coded_samples(n_samples(), sample_rate, model.config.sample_rate)

    sound = Decoded(model, silence, codes_of, channels, inside, block_frames, n_streams, speaker)
    return resample(sound, sample_rate, n_samples)
