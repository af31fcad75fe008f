"""Blocks of codes back to sound, each from a window of codes with the context that the decoder sees.

See :mod:`vqaudio.codec.blocks` for why blocks join without a seam.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.edges import mirrored
from vqaudio.audio.resampling import resample
from vqaudio.audio.source import Source, Window, padded_window
from vqaudio.codec.blocks import Block, aligned, at_rate
from vqaudio.codec.levels import restore_level
from vqaudio.container import Stream
from vqaudio.inference.base import Networks
from vqaudio.inference.spans import Span

_CACHED_BLOCKS = 3


@dataclass(frozen=True)
class CodedBlocks:
    """The codes of a sound, block by block.

    Attributes:
        block_of: a block by its number, or None for one that is lost.
        channels: of the sound.
        n_samples: of the sound in each channel, at the rate that it is decoded to; it may not be known yet.
        block_frames: in each block but the last.
        n_streams: of the codes.
        margin: samples at the model's rate that the first frame begins before the sound.
        fading: whether codes go on as silence beyond the ends, not mirrored.
    """

    block_of: Callable[[int], Block | None]
    channels: int
    n_samples: Callable[[], int]
    block_frames: int
    n_streams: int
    margin: int = 0
    fading: bool = False


class DecodedBlocks:
    """The sound that codes stand for, at the model's rate: a :class:`vqaudio.audio.source.Source`.

    A block that is lost is silent, and its neighbours, which would have seen its codes, see those of silence.
    ``speaker`` is the number of the speaker to decode to, 0 for none.
    """

    def __init__(self, networks: Networks, codes: CodedBlocks, *, silence: list[int], speaker: int = 0):
        self.networks, self.codes, self.speaker = networks, codes, speaker
        self.streams: tuple[Stream, ...] = networks.quantizer.streams[: codes.n_streams]
        self.silence = silence[: codes.n_streams]
        self.sample_rate, self.channels = networks.config.sample_rate, codes.channels
        self.context = aligned(networks.decoder_context, self.streams)
        self._blocks: OrderedDict[int, Window] = OrderedDict()

    @property
    def n_samples(self) -> int:
        """Samples in each channel: see :attr:`vqaudio.audio.source.Source.n_samples`."""
        return self.codes.n_samples()

    @property
    def n_frames(self) -> int:
        """Frames that so many samples take, with the margin at either end."""
        return -(-(self.n_samples + 2 * self.codes.margin) // self.networks.config.hop_length)

    @property
    def n_blocks(self) -> int:
        """Blocks that so many frames take."""
        return -(-self.n_frames // self.codes.block_frames)

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop`` as float32 ``(channels, stop - start)``; zeros outside the sound."""
        return padded_window(self, self._inside, start=start, stop=stop)

    def _inside(self, first: int, last: int) -> Window:
        size = self.codes.block_frames * self.networks.config.hop_length
        first, last = first + self.codes.margin, last + self.codes.margin
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

    def _decode(self, index: int) -> Window:
        hop, frames = self.networks.config.hop_length, self.codes.block_frames
        own = self.codes.block_of(index)
        if own is None:
            return np.zeros((self.channels, frames * hop), np.float32)
        for later in range(index + 1, index + 1 + -(-self.context // frames)):
            if later < self.n_blocks:  # of what is still arriving, the end may be met here
                self.codes.block_of(later)
        lasting = (codes.shape[1] * stream.stride for codes, stream in zip(own.codes, self.streams, strict=True))
        kept = min(frames, aligned(max(lasting), self.streams))  # of the last block fewer than of others
        places = [self._places(index, stream, kept) for stream in self.streams]
        seen = {neighbour for neighbour in (index - 1, index + 1) if 0 <= neighbour < self.n_blocks}
        for stream, place in zip(self.streams, places, strict=True):
            seen |= set((place[place >= 0] // (frames // stream.stride)).tolist())
        blocks = {block: self.codes.block_of(block) for block in sorted(seen | {index})}
        windows = self._windows(places, blocks)
        around = [(blocks.get(block) or own).levels for block in (index - 1, index, index + 1)]
        context = Span(self.context, self.context)
        sounds: dict[bytes, Window] = {}
        block = np.zeros((self.channels, frames * hop), np.float32)
        for channel in range(self.channels):
            tokens = [window[channel] for window in windows]
            key = b"".join(codes.tobytes() for codes in tokens)
            if key not in sounds:
                made = self.networks.decode([codes[None] for codes in tokens], self.speaker, context=context)
                sounds[key] = made[0, 0]
            levels = [level[channel] for level in around]
            block[channel, : kept * hop] = restore_level(sounds[key], levels, hop_length=hop)
        return block

    def _places(self, index: int, stream: Stream, frames: int) -> NDArray[np.int64]:
        """Which of all codes of a stream stand in a block of so many frames and its context: -1 for silence."""
        first, total = (index * self.codes.block_frames - self.context) // stream.stride, stream.codes_in(self.n_frames)
        places = np.arange(first, first + (frames + 2 * self.context) // stream.stride)
        return np.where((places >= 0) & (places < total), places, -1) if self.codes.fading else mirrored(places, total)

    def _windows(self, places: list[NDArray[np.int64]], blocks: dict[int, Block | None]) -> list[NDArray[np.int64]]:
        """Each stream's codes ``(channels, codes)`` at its places, silence's where their block is lost."""
        windows = []
        for number, (stream, place) in enumerate(zip(self.streams, places, strict=True)):
            window = np.full((self.channels, len(place)), self.silence[number], np.int64)
            index, within = np.divmod(place, self.codes.block_frames // stream.stride)
            for neighbour, block in blocks.items():
                if block is not None:
                    here = index == neighbour
                    window[:, here] = block.codes[number][:, within[here]]
            windows.append(window)
        return windows


def coded_samples(n_samples: int, *, sample_rate: int, coded_rate: int) -> int:
    """Samples at ``coded_rate`` (Hz) that a sound of ``n_samples`` samples at ``sample_rate`` takes."""
    return -(-n_samples * coded_rate // sample_rate)


def decoded_source(
    networks: Networks, codes: CodedBlocks, *, sample_rate: int, silence: list[int], speaker: int = 0
) -> Source:
    """:class:`DecodedBlocks` at the sample rate that was coded (Hz), of which ``codes.n_samples`` are."""
    n_samples = codes.n_samples

    def inside() -> int:
        return coded_samples(n_samples(), sample_rate=sample_rate, coded_rate=networks.config.sample_rate)

    sound = DecodedBlocks(networks, replace(codes, n_samples=inside), silence=silence, speaker=speaker)
    return (
        resample(sound, sample_rate, n_samples=n_samples)
        if codes.fading
        else at_rate(sound, sample_rate, n_samples=n_samples)
    )
