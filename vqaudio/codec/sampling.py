"""What a model's prior knows of its codes: new ones that it samples, and how likely those of a sound are."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.source import Source, Window
from vqaudio.codec.batch import encode
from vqaudio.codec.blocks import encode_blocks
from vqaudio.codec.codes import Codes
from vqaudio.codec.loaded import LoadedModel
from vqaudio.container import Level
from vqaudio.intnet.intervals import bits_of
from vqaudio.prior import sampling as prior_sampling


def sample_codes(
    model: LoadedModel,
    n_frames: int,
    *,
    n_codebooks: int | None,
    count: int,
    condition: str,
    sampling: prior_sampling.Sampling | None,
    prompt: Window | None,
    done: Callable[[int], object] | None,
) -> list[Codes]:
    """See :meth:`vqaudio.Codec.sample_codes`."""
    prior, n_streams = model.prior_for(n_codebooks)
    given: list[NDArray[np.int64]] = [np.zeros(0, np.int64) for _ in range(n_streams)]
    levels: tuple[tuple[Level, ...], ...] = ()
    if prompt is not None:
        step = math.lcm(*(stream.stride for stream in model.streams)) * model.hop_length
        whole = prompt[: len(prompt) // step * step]  # a last code that is half silence would be gone on from
        before = encode(
            model, whole, sample_rate=model.sample_rate, n_codebooks=n_streams, code_cost=0.0, with_margin=False
        )
        given, levels = [part[0].astype(np.int64) for part in before.streams], before.levels
    stops = model.networks.quantizer.stop_codes()[:n_streams]
    stop_codes = stops if len(stops) == n_streams else None
    sampled = prior_sampling.sample(
        prior,
        n_frames,
        n_streams=n_streams,
        batch_size=count,
        condition=condition,
        how=sampling,
        prompt=given,
        done=done,
        stop_codes=stop_codes,
    )
    frames = n_frames + max(len(part) * stream.stride for part, stream in zip(given, model.streams, strict=False))
    if levels:  # what follows is as loud as what is gone on from
        levels += levels[-1:] * (-(-frames // model.chunk_frames()) - len(levels))
    found = []
    for row in range(count):
        streams = [np.concatenate([a, b[row]])[None].astype(np.int32) for a, b in zip(given, sampled, strict=True)]
        found.append(Codes(streams, model.sample_rate, frames * model.hop_length, levels=levels))
    return found


def score(model: LoadedModel, sound: Source, *, n_codebooks: int | None, condition: str) -> list[NDArray[np.float64]]:
    """See :meth:`vqaudio.Codec.score`."""
    model.check_encodes()
    prior, n_streams = model.prior_for(n_codebooks)
    bits: list[list[NDArray[np.float64]]] = [[] for _ in range(n_streams)]
    for block in encode_blocks(
        model.networks, sound, block_frames=model.chunk_frames(), n_streams=n_streams, margin=model.margin
    ):
        found = prior.intervals([part.astype(np.int64) for part in block.codes], condition)
        for parts, (_, frequencies) in zip(bits, found, strict=True):
            parts.append(bits_of(frequencies))
    return [np.concatenate(parts, axis=1) if parts else np.zeros((sound.channels, 0)) for parts in bits]
