"""Codes out of nothing: a trained prior's distributions, sharpened or cut, and a generator of numbers that all machines
share.

All of it is integers, so that a seed gives the same codes everywhere. The generator is Philox-4x64-10 (Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", 2011), keyed by the seed and the number of the sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import VqaudioError
from vqaudio.intnet.intervals import Integers
from vqaudio.intnet.linear import Numbers
from vqaudio.intnet.softmax import Softmax, below_largest
from vqaudio.prior.base import NONE, due, n_frames_of
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.stepping import IntegerStepper

PARTS = 256
"""Temperature and guidance are rounded to so many parts of 1."""
SHARES = 1 << 16
"""``top_p`` is rounded to so many parts of 1."""
NEVER = np.float32(-(2**24))
"""A logit so low that no temperature gives it a weight."""


@dataclass(frozen=True)
class Sampling:
    """How codes are sampled.

    Attributes:
        temperature: above 1 more varied, below 1 more likely; 0 always takes the likeliest code.
        top_k: only so many of the likeliest codes can be sampled; 0 for all.
        top_p: only the likeliest codes that together have this probability can be sampled (Holtzman et al., "The
            curious case of neural text degeneration", 2020).
        guidance: above 1 pushes away from what the prior would do without the condition: logits without it, plus so
            many times the difference (Ho & Salimans, "Classifier-free diffusion guidance", 2022, eq. 6, there 1 + w).
        seed: of the random numbers.

    Raises:
        VqaudioError: a value out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    guidance: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("temperature", self.temperature, 0.0, 10.0),
            ("top_k", self.top_k, 0, 65536),
            ("top_p", self.top_p, 1.0 / SHARES, 1.0),
            ("guidance", self.guidance, 0.0, 20.0),
            ("seed", self.seed, 0, 2**63 - 1),
        ):
            if not low <= value <= high:
                raise VqaudioError(f"{name} is {value}, expected {low:g} to {high:g}")


def sample(
    prior: IntegerPrior,
    n_frames: int,
    *,
    n_streams: int,
    batch_size: int = 1,
    condition: str = NONE,
    how: Sampling | None = None,
    prompt: Sequence[Integers] | None = None,
    done: Callable[[int], object] | None = None,
    stop_codes: Sequence[Integers] | None = None,
) -> list[Integers]:
    """Sample codes: for each of the first ``n_streams`` streams an int64 array ``(batch, codes)``.

    Args:
        prior: whose codes.
        n_frames: how many frames to sample, after those of the prompt.
        n_streams: how many streams.
        batch_size: sequences to sample, side by side; each has random numbers of its own.
        condition: see :meth:`vqaudio.prior.base.Prior.labels`.
        how: temperature and the like.
        prompt: codes ``(codes,)`` of each stream that all sequences begin with; they are not returned.
        done: is called with 1 after each frame.
        stop_codes: codes of each stream that end a frame early, and are not sampled; not all of them.

    Raises:
        ModelError: the condition is not known.
    """
    how = how or Sampling()
    streams = prior.streams[:n_streams]
    steppers = [prior.begin(batch_size, n_streams, condition=condition)]
    if condition != NONE and how.guidance != 1.0:
        steppers.append(prior.begin(batch_size, n_streams, condition=NONE))
    given = 0 if prompt is None else n_frames_of(prompt, streams)
    found = [np.zeros((batch_size, stream.codes_in(given + n_frames)), np.int64) for stream in streams]
    for part, known in zip(found, prompt or (), strict=False):
        part[:, : len(known)] = known
    generators = [np.random.Philox(key=[how.seed, sequence]) for sequence in range(batch_size)]
    for frame in range(given + n_frames):
        for stream, at in due(streams, frame):
            if prompt is None or at >= len(prompt[stream]):
                logits = guided(steppers, stream, how.guidance)
                if stop_codes is not None and len(stop_codes[stream]):
                    logits = logits.copy()
                    logits[:, stop_codes[stream]] = NEVER
                weights = weights_of(prior.softmax, logits, how)
                found[stream][:, at] = [sample_code(row, bits) for row, bits in zip(weights, generators, strict=True)]
            for stepper in steppers:
                stepper.accept(stream, found[stream][:, at])
        for stepper in steppers:
            stepper.advance()
        if done is not None and frame >= given:
            done(1)
    return [part[:, stream.codes_in(given) :] for part, stream in zip(found, streams, strict=True)]


def guided(steppers: Sequence[IntegerStepper], stream: int, guidance: float) -> Numbers:
    """The next logits of a stream ``(batch, alphabet)``, in integers."""
    logits = steppers[0].logits(stream)
    if len(steppers) == 1:
        return logits
    without = steppers[1].logits(stream)
    pushed: Numbers = without + np.floor((logits - without) * np.float32(round(guidance * PARTS) / PARTS))
    return pushed


def weights_of(softmax: Softmax, logits: Numbers, how: Sampling) -> Integers:
    """Logits to weights in whose proportion codes are sampled, ``(batch, alphabet)``; 0 for those that cannot be."""
    below = below_largest(logits)
    if how.temperature == 0:
        return _first_likeliest(below)
    below = below * max(1, round(PARTS / how.temperature)) // PARTS
    weights = softmax.weights(below)
    order = np.argsort(-weights, axis=-1, kind="stable")
    ranked = np.take_along_axis(weights, order, -1)
    if how.top_p < 1:
        before = ranked.cumsum(-1) - ranked
        ranked[before * SHARES >= round(how.top_p * SHARES) * weights.sum(-1, keepdims=True)] = 0
    if how.top_k:
        ranked[:, how.top_k :] = 0
    np.put_along_axis(weights, order, ranked, -1)
    return weights


def _first_likeliest(below: Integers) -> Integers:
    weights = np.zeros_like(below)
    np.put_along_axis(weights, below.argmin(-1)[:, None], 1, -1)
    return weights


def sample_code(weights: Integers, bits: np.random.Philox) -> int:
    """One code, in proportion to ``weights`` ``(alphabet,)``, by the next 64 bits."""
    ends: NDArray[np.int64] = weights.cumsum()
    place = int(bits.random_raw()) * int(ends[-1]) >> 64
    return int(np.searchsorted(ends, place, side="right"))
