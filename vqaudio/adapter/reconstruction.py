"""A batch through encoder, bottleneck and decoder with gradients, as files would have it.

Chunks begin where those of a file begin, and beyond its ends each sound is mirrored, as its codes are; but sounds are
computed side by side, in windows no longer than they need. So codes are those of files but for ties in rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vqaudio.adapter.batch import SoundBatch, frames_of, mask_of
from vqaudio.adapter.levels import sample_levels
from vqaudio.audio.edges import mirrored
from vqaudio.codec.blocks import aligned
from vqaudio.codec.codec import Codec
from vqaudio.codec.levels import gain_and_offset, measure
from vqaudio.container import PLAIN, Level
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.torch_networks import full_float32


def reconstruct(
    codec: Codec, network: Autoencoder, batch: SoundBatch, *, n_streams: int
) -> tuple[list[Tensor], Tensor]:
    """Codes ``(batch, codes)`` of each stream, and the sound made of them, ``(batch, samples)``.

    Gradients pass straight through the bottleneck: from latents to features as they are, and to the embeddings that
    were chosen. Source: Bengio, Léonard & Courville, "Estimating or propagating gradients through stochastic neurons",
    2013, and van den Oord et al., "Neural discrete representation learning", 2017, section 3.2.
    """
    streams, frames, hop = codec.streams[:n_streams], frames_of(codec, batch.lengths), codec.hop_length
    features, tokens, levels = _encode(codec, network, batch=batch, n_streams=n_streams)
    context, size = aligned(network.decoder_context, streams), features.shape[-1]
    heard = []
    for codes, stream in zip(tokens, streams, strict=True):
        places = np.arange(-context // stream.stride, (size + context) // stream.stride)
        heard.append(_gathered(codes, places, [stream.codes_in(count) for count in frames]))
    around = _gathered(features, np.arange(-context, size + context), frames)
    latents = network.bottleneck.decode(heard) + (around - around.detach())
    n_samples = batch.waveform.shape[-1]
    sound = network.decoder(latents)[:, 0, context * hop : context * hop + n_samples]
    if any(level != PLAIN for chunks in levels for level in chunks):
        rows = [sample_levels(row, block_samples=codec.chunk_frames() * hop, hop_length=hop) for row in levels]
        gains, offsets = (
            torch.from_numpy(np.stack([_fitted(part, n_samples) for part in parts])).to(sound)
            for parts in zip(*rows, strict=True)
        )
        sound = sound * gains + offsets
    return tokens, sound * mask_of(batch.lengths, n_samples, sound.device)


def features_of(codec: Codec, network: Autoencoder, batch: SoundBatch) -> Tensor:
    """What the encoder makes of sounds, ``(batch, D, frames)``; zeros behind the end of a shorter one."""
    (size,) = frames_of(codec, [batch.waveform.shape[1]])
    found = torch.cat([part.features for part in _parts(codec, network, batch)], 2)[..., :size]
    own = mask_of(frames_of(codec, batch.lengths), size, found.device)
    return functional.pad(found, (0, size - found.shape[-1])) * own[:, None]


@dataclass(frozen=True)
class _Part:
    """One chunk of each sound that has it.

    Attributes:
        rows: which sounds these are.
        heard: what the encoder made of the chunk and its context, for these alone.
        features: of the chunk, for all sounds; nobody's where one has ended.
        levels: that were taken out, for these alone.
    """

    rows: list[int]
    heard: Tensor
    features: Tensor
    levels: list[Level]


def _parts(codec: Codec, network: Autoencoder, batch: SoundBatch) -> Iterator[_Part]:
    """The chunks of a batch through the encoder, frames of each a whole number of codes."""
    frames, hop, chunk = frames_of(codec, batch.lengths), codec.hop_length, codec.chunk_frames()
    context, total = _encoder_context(codec, network), aligned(max(frames), codec.streams)
    loudest = [0.0] * len(frames)
    for first in range(0, max(frames), chunk):
        size = min(chunk, total - first)
        rows = [row for row, count in enumerate(frames) if count > first]
        places = np.arange((first - context) * hop, (first + size + context) * hop)
        windows = list(_gathered(batch.waveform[rows], places, [batch.lengths[row] for row in rows]))
        levels = []
        for index, row in enumerate(rows):
            own = windows[index][: (min(chunk, frames[row] - first) + 2 * context) * hop]
            level, peak = measure(own.detach().float().cpu().numpy(), loudest[row])
            loudest[row] = max(loudest[row], peak)
            levels.append(level)
            if level != PLAIN:
                gain, offset = gain_and_offset(level)
                windows[index] = ((windows[index].double() - offset) / gain).to(windows[index].dtype)
        waveform = torch.stack(windows)[:, None]
        with full_float32(waveform.device):
            heard = network.encoder(waveform)
        kept = heard[..., context : context + size]
        features = kept.new_zeros(len(frames), *kept.shape[1:]).index_copy(0, _index(rows, kept), kept)
        yield _Part(rows, heard, features, levels)


def _encode(
    codec: Codec, network: Autoencoder, *, batch: SoundBatch, n_streams: int
) -> tuple[Tensor, list[Tensor], list[list[Level]]]:
    """Features ``(batch, D, frames)``, frames a whole number of codes; codes of each stream; levels of each chunk.

    Behind the end of a shorter sound codes are those of silence, and features are nobody's.
    """
    frames = frames_of(codec, batch.lengths)
    levels: list[list[Level]] = [[] for _ in frames]
    features, tokens = [], []
    for part in _parts(codec, network, batch):
        with torch.no_grad(), full_float32(part.heard.device):
            context = _encoder_context(codec, network)
            codes = network.encode_features(part.heard, n_streams=n_streams, context=context)
        features.append(part.features)
        tokens.append(
            [
                own.new_full((len(frames), own.shape[1]), silence).index_copy(0, _index(part.rows, own), own)
                for own, silence in zip(codes, codec.silence, strict=False)
            ]
        )
        for row, level in zip(part.rows, part.levels, strict=True):
            levels[row].append(level)
    joined = [torch.cat(parts, 1) for parts in zip(*tokens, strict=True)]
    own_codes = [[stream.codes_in(count) for count in frames] for stream in codec.streams[:n_streams]]
    found = [
        torch.where(mask_of(counts, codes.shape[1], codes.device), codes, silence)
        for codes, counts, silence in zip(joined, own_codes, codec.silence, strict=False)
    ]
    return torch.cat(features, 2), found, levels


def _encoder_context(codec: Codec, network: Autoencoder) -> int:
    return aligned(network.encoder_context, codec.streams)


def _gathered(values: Tensor, places: NDArray[np.int64], counts: Sequence[int]) -> Tensor:
    """``(batch, ..., values)`` at places of which each row's first ``counts`` are its own, and others mirror those."""
    rows = zip(values, counts, strict=True)
    return torch.stack([row[..., torch.from_numpy(mirrored(places, count)).to(row.device)] for row, count in rows])


def _index(rows: list[int], like: Tensor) -> Tensor:
    return torch.tensor(rows, device=like.device)


def _fitted(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """The first ``size`` values, or zeros behind those that there are."""
    return np.pad(values[:size], (0, max(0, size - len(values))))
