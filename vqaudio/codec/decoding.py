"""Blocks of codes back to sound, each from a window of codes with the context that the decoder sees.

See :mod:`vqaudio.codec.blocks` for why blocks join without a seam.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from vqaudio.audio.edges import mirrored
from vqaudio.audio.resampling import resample
from vqaudio.audio.source import Source, Window, padded_window
from vqaudio.codec.blocks import Block, aligned, at_rate
from vqaudio.codec.levels import restore_level
from vqaudio.container import Stream
from vqaudio.model.autoencoder import Autoencoder

_CACHED_BLOCKS = 3


class DecodedBlocks:
    """The sound that codes stand for, at the model's rate: a :class:`vqaudio.audio.source.Source`.

    ``block_of(index)`` gives a block, or None for one that is lost: it is silent, and its neighbours, which would have
    seen its codes, see those of silence. The first frame begins ``margin`` samples before the sound. ``speaker`` is the
    number of the voice to decode to, 0 for none. Codes go on mirrored beyond the ends, or as silence with ``fading``.
    """

    def __init__(
        self,
        model: Autoencoder,
        silence: list[int],
        block_of: Callable[[int], Block | None],
        channels: int,
        n_samples: Callable[[], int],
        block_frames: int,
        n_streams: int,
        speaker: int = 0,
        margin: int = 0,
        fading: bool = False,
    ):
        self.model, self.block_of, self.block_frames, self.speaker = model, block_of, block_frames, speaker
        self.streams: tuple[Stream, ...] = model.bottleneck.streams[:n_streams]
        self.silence = silence[:n_streams]
        self.sample_rate = model.config.sample_rate
        self.channels, self._length, self.margin, self.fading = channels, n_samples, margin, fading
        self.context = aligned(model.decoder_context, self.streams)
        self._blocks: OrderedDict[int, Window] = OrderedDict()

    @property
    def n_samples(self) -> int:
        """Samples in each channel: see :attr:`vqaudio.audio.source.Source.n_samples`."""
        return self._length()

    @property
    def n_frames(self) -> int:
        """Frames that so many samples take, with the margin at either end."""
        return -(-(self.n_samples + 2 * self.margin) // self.model.config.hop_length)

    @property
    def n_blocks(self) -> int:
        """Blocks that so many frames take."""
        return -(-self.n_frames // self.block_frames)

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop`` as float32 ``(channels, stop - start)``; zeros outside the sound."""
        return padded_window(self, start, stop, self._inside)

    def _inside(self, first: int, last: int) -> Window:
        size = self.block_frames * self.model.config.hop_length
        first, last = first + self.margin, last + self.margin
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
        own = self.block_of(index)
        if own is None:
            return np.zeros((self.channels, frames * hop), np.float32)
        device = next(self.model.parameters()).device
        for later in range(index + 1, index + 1 + -(-self.context // frames)):
            if later < self.n_blocks:  # of what is still arriving, the end may be met here
                self.block_of(later)
        places = [self._places(index, stream) for stream in self.streams]
        seen = {beside for beside in (index - 1, index + 1) if 0 <= beside < self.n_blocks}
        for stream, place in zip(self.streams, places, strict=True):
            seen |= set(np.unique(place[place >= 0] // (frames // stream.stride)).tolist())
        blocks = {block: self.block_of(block) for block in sorted(seen | {index})}
        windows = self._windows(places, blocks)
        around = [(blocks.get(block) or own).levels for block in (index - 1, index, index + 1)]
        speaker = torch.tensor([self.speaker], device=device)
        sounds: dict[bytes, Window] = {}
        block = np.empty((self.channels, frames * hop), np.float32)
        for channel in range(self.channels):
            tokens = [window[channel] for window in windows]
            key = b"".join(codes.tobytes() for codes in tokens)
            if key not in sounds:
                made = self.model.decode([torch.from_numpy(codes)[None].to(device) for codes in tokens], speaker)
                sounds[key] = made[0, 0, self.context * hop : (self.context + frames) * hop].float().cpu().numpy()
            block[channel] = restore_level(sounds[key], [levels[channel] for levels in around], hop)
        return block

    def _places(self, index: int, stream: Stream) -> NDArray[np.int64]:
        """Which of all codes of a stream stand in a block and its context: -1 for silence."""
        first, total = (index * self.block_frames - self.context) // stream.stride, stream.codes_in(self.n_frames)
        places = np.arange(first, first + (self.block_frames + 2 * self.context) // stream.stride)
        return np.where((places >= 0) & (places < total), places, -1) if self.fading else mirrored(places, total)

    def _windows(self, places: list[NDArray[np.int64]], blocks: dict[int, Block | None]) -> list[NDArray[np.int64]]:
        """Each stream's codes ``(channels, codes)`` at its places, silence's where their block is lost."""
        windows = []
        for number, (stream, place) in enumerate(zip(self.streams, places, strict=True)):
            window = np.full((self.channels, len(place)), self.silence[number], np.int64)
            index, within = np.divmod(place, self.block_frames // stream.stride)
            for neighbour, block in blocks.items():
                if block is not None:
                    here = index == neighbour
                    window[:, here] = block.codes[number][:, within[here]]
            windows.append(window)
        return windows


def coded_samples(n_samples: int, sample_rate: int, coded_rate: int) -> int:
    """Samples at ``coded_rate`` (Hz) that a sound of ``n_samples`` samples at ``sample_rate`` takes."""
    return -(-n_samples * coded_rate // sample_rate)


def decoded_source(
    model: Autoencoder,
    silence: list[int],
    block_of: Callable[[int], Block | None],
    channels: int,
    n_samples: Callable[[], int],
    sample_rate: int,
    block_frames: int,
    n_streams: int,
    speaker: int = 0,
    margin: int = 0,
    fading: bool = False,
) -> Source:
    """:class:`DecodedBlocks` with the sample rate and the length that were coded, which may not be known yet."""

    def inside() -> int:
        return coded_samples(n_samples(), sample_rate, model.config.sample_rate)

    sound = DecodedBlocks(model, silence, block_of, channels, inside, block_frames, n_streams, speaker, margin, fading)
    return resample(sound, sample_rate, n_samples) if fading else at_rate(sound, sample_rate, n_samples)
