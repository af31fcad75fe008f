"""Text and sound by one prior: texts said, the text that was said found, and what a text tells of a sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vqaudio.codec.batch import encode
from vqaudio.codec.codes import Codes
from vqaudio.codec.loaded import LoadedModel
from vqaudio.errors import VqaudioError
from vqaudio.intnet.intervals import Integers, bits_of
from vqaudio.prior import text_sampling, text_search
from vqaudio.prior.base import n_frames_of
from vqaudio.prior.sampling import Sampling
from vqaudio.prior.text_search import Hypothesis

LONGEST_SYMBOL = {"word": 1.25, "character": 0.6}
"""Seconds after which the next symbol of a text comes, whatever the prior has it."""


@dataclass(frozen=True)
class TextScore:
    """What codes of a sound cost by a prior, in bits.

    Attributes:
        told: with its text known. untold: without.
        tokens: how many codes.
    """

    told: float
    untold: float
    tokens: int


def say_codes(
    model: LoadedModel,
    texts: Sequence[str],
    *,
    condition: str,
    sampling: Sampling | None,
    done: Callable[[int], object] | None,
) -> list[Codes]:
    """See :meth:`vqaudio.Codec.say_codes`."""
    prior = model.prior
    alphabet = prior.known_text()
    longest = round(LONGEST_SYMBOL[alphabet.unit] * model.frame_rate)
    said = text_sampling.say(prior, texts, condition=condition, how=sampling, longest=longest, done=done)
    found = []
    for one in said:
        frames = n_frames_of(one.codes, prior.codebooks)
        streams = [part[None].astype(np.int32) for part in one.codes]
        found.append(Codes(streams, model.sample_rate, frames * model.hop_length))
    return found


def transcribe(model: LoadedModel, wav: Any, sample_rate: int, *, condition: str, beam: int) -> list[Hypothesis]:
    """See :meth:`vqaudio.Codec.transcribe`."""
    model.prior.known_text()
    return text_search.search_text(model.prior, _codes(model, wav, sample_rate), condition=condition, beam=beam)


def score_text(model: LoadedModel, wav: Any, sample_rate: int, *, text: str, condition: str) -> TextScore:
    """See :meth:`vqaudio.Codec.score_text`."""
    prior = model.prior
    prior.known_text().read(text)
    codes = _codes(model, wav, sample_rate)
    found = text_search.search_text(prior, codes, text=text, condition=condition)
    if not found:
        raise VqaudioError(
            f"the sound is too short for the text {text!r}: it has {n_frames_of(codes, prior.codebooks)} frames"
        )
    intervals = prior.intervals([part[None] for part in codes], condition)
    untold = sum(float(bits_of(frequencies).sum()) for _, frequencies in intervals)
    return TextScore(found[0].bits, untold, sum(len(part) for part in codes))


def _codes(model: LoadedModel, wav: Any, sample_rate: int) -> list[Integers]:
    """Codes ``(codes,)`` of each codebook that the prior knows, of the mean of a sound's channels."""
    wav = np.asarray(wav)
    mono = wav.mean(0) if wav.ndim > 1 else wav
    codes = encode(
        model, mono, sample_rate=sample_rate, n_codebooks=model.prior.n_codebooks, code_cost=0.0, with_margin=False
    )
    return [part[0].astype(np.int64) for part in codes.streams]
