"""Sounds to codes, many at once: the very codes that each has alone, as there is but this way.

A sound is cut into blocks, and each block's channels into windows, as files are (:mod:`vqaudio.codec.blocks`). How
windows are computed, one by one or several side by side, the networks decide
(:meth:`vqaudio.inference.base.Networks.encode_windows`), and promise that it changes no code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.array_source import ArraySource, as_array
from vqaudio.codec.blocks import contexts, heard_channels, own_codes, sound_blocks
from vqaudio.codec.codes import Codes
from vqaudio.codec.loaded import LoadedModel
from vqaudio.codec.options import Variant
from vqaudio.container import PLAIN, Level
from vqaudio.errors import AudioError
from vqaudio.inference.base import MOST_AHEAD, Choice, Heard, Key


@dataclass(frozen=True)
class _Opened:
    """A block whose windows are on their way: the key of each channel's window, its level, and frames to keep."""

    keys: list[Key]
    levels: tuple[Level, ...]
    kept: int


def encode(
    model: LoadedModel, wav: Any, *, sample_rate: int, n_codebooks: int | None, code_cost: float, with_margin: bool
) -> Codes:
    """See :meth:`vqaudio.Codec.encode`."""
    model.check_encodes()
    variants = [[Variant(n_codebooks, code_cost)]]
    sounds = [ArraySource(wav, sample_rate)]
    ((codes,),) = encode_batch(model, sounds, variants=variants, with_margin=with_margin, ahead=MOST_AHEAD)
    return codes


def encode_batch(
    model: LoadedModel,
    sounds: Sequence[ArraySource],
    *,
    variants: Sequence[Sequence[Variant]],
    with_margin: bool,
    ahead: float,
) -> list[list[Codes]]:
    """See :meth:`vqaudio.Codec.encode_variants`."""
    model.check_encodes()
    choices = [[_choice(model, variant) for variant in wanted] for wanted in variants]
    margin = model.margin if with_margin else 0
    networks, opened = model.networks, [list[_Opened]() for _ in sounds]

    def windows() -> Iterator[Heard]:
        longest_first = sorted(range(len(sounds)), key=lambda number: -sounds[number].n_samples)
        for number in longest_first:
            if not choices[number]:
                continue
            blocks = sound_blocks(networks, sounds[number], block_frames=model.chunk_frames(), margin=margin)
            for block in blocks:
                heard, keys = heard_channels(networks, block, choices[number], sound=number)
                opened[number].append(_Opened(keys, block.levels, block.kept))
                yield from heard

    found: dict[Key, list[list[NDArray[np.int32]]]] = {}
    for key, several in networks.encode_windows(windows(), context=contexts(networks)[0], ahead=ahead):
        number, index = key[:2]
        kept = opened[number][index].kept
        found[key] = [own_codes(networks, tokens, kept) for tokens in several]
    return [
        [_joined(sound, blocks, found, which, margin) for which in range(len(wanted))]
        for sound, blocks, wanted in zip(sounds, opened, choices, strict=True)
    ]


def _choice(model: LoadedModel, variant: Variant) -> Choice:
    count = model.check_codebooks(variant.n_codebooks)
    model.check_code_cost(variant.code_cost)
    return count, variant.code_cost


def _joined(
    sound: ArraySource,
    blocks: Sequence[_Opened],
    found: dict[Key, list[list[NDArray[np.int32]]]],
    which: int,
    margin: int,
) -> Codes:
    """The codes of one sound in one of its variants, from those of its windows."""
    coded = [[found[key][which] for key in block.keys] for block in blocks]  # of each block and channel the streams
    stacked = [[np.stack(parts) for parts in zip(*channels, strict=True)] for channels in coded]
    streams = [np.concatenate(parts, axis=1) for parts in zip(*stacked, strict=True)]
    levels = tuple(block.levels for block in blocks)
    plain = all(level == PLAIN for chunk in levels for level in chunk)
    return Codes(streams, sound.sample_rate, sound.n_samples, margin, () if plain else levels)


def sounds_of(sounds: Any, sample_rate: int, *, lengths: Sequence[int] | None = None) -> list[ArraySource]:
    """The sounds in a sequence of arrays ``(channels, samples)`` or ``(samples,)``, or in one ``(batch, 1, samples)``.

    ``lengths`` are for the latter: how many samples of each are its own.

    Raises:
        AudioError: one is no sound; which one, is told, counted from 0. Lengths that do not fit.
    """
    if hasattr(sounds, "ndim"):
        if sounds.ndim != 3 or sounds.shape[1] != 1:
            raise AudioError(
                f"sounds have the shape {tuple(sounds.shape)}, expected (batch, 1, samples), or a list of arrays"
            )
        own = [sounds.shape[2]] * len(sounds) if lengths is None else [int(length) for length in lengths]
        if len(own) != len(sounds) or not all(0 < length <= sounds.shape[2] for length in own):
            raise AudioError(
                f"lengths {own[:8]}: expected one for each of {len(sounds)} sounds, from 1 to {sounds.shape[2]} samples"
            )
        every = as_array(sounds, "sounds")  # at once, from wherever it is
        sounds = [sound[:, :length] for sound, length in zip(every, own, strict=True)]
    elif lengths is not None:
        raise AudioError("lengths are for one array (batch, 1, samples): arrays in a list have their own")
    return [ArraySource(wav, sample_rate, name=f"sound {number}") for number, wav in enumerate(sounds)]
