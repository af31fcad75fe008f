"""Many sounds to codes at once: the very codes that each has alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vqaudio.audio.array_source import ArraySource
from vqaudio.codec import codes as coding
from vqaudio.codec.codes import Codes
from vqaudio.codec.loaded import LoadedModel
from vqaudio.codec.options import Variant
from vqaudio.errors import AudioError


def encode_batch(
    model: LoadedModel,
    sounds: Sequence[ArraySource],
    *,
    variants: Sequence[Sequence[Variant]],
    with_margin: bool,
) -> list[list[Codes]]:
    """See :meth:`vqaudio.Codec.encode_variants`."""
    return [
        [
            coding.encode(
                model,
                sound.read(0, sound.n_samples),
                sample_rate=sound.sample_rate,
                n_codebooks=variant.n_codebooks,
                code_cost=variant.code_cost,
                with_margin=with_margin,
            )
            for variant in wanted
        ]
        for sound, wanted in zip(sounds, variants, strict=True)
    ]


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
        sounds = [sound[:, :length] for sound, length in zip(sounds, own, strict=True)]
    elif lengths is not None:
        raise AudioError("lengths are for one array (batch, 1, samples): arrays in a list have their own")
    return [ArraySource(wav, sample_rate, name=f"sound {number}") for number, wav in enumerate(sounds)]
