"""Codes that say a text: sampled frame by frame, with the text's symbols coming when the prior lets them come."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vqaudio.intnet.intervals import Integers
from vqaudio.prior.base import NONE, due
from vqaudio.prior.sampling import Sampling, guided, sample_code, weights_of
from vqaudio.prior.text import HOLD

if TYPE_CHECKING:
    from vqaudio.prior.integer import IntegerPrior

PLAIN = Sampling()


@dataclass(frozen=True)
class Spoken:
    """A text in codes.

    Attributes:
        codes: int64 ``(codes,)`` of each codebook.
        starts: the first frame that each symbol was in view of.
    """

    codes: list[NDArray[np.int64]]
    starts: tuple[int, ...]


def say(
    prior: IntegerPrior,
    texts: Sequence[str],
    *,
    condition: str = NONE,
    how: Sampling | None = None,
    longest: int,
    done: Callable[[int], object] | None = None,
) -> list[Spoken]:
    """Sample codes that say each text, side by side; each ends where the prior ends it.

    When the next symbol comes is sampled as the prior has it, whatever ``how`` says of codes: its probability is that
    of anything but ``HOLD``, as which one comes is known. A symbol that lasts ``longest`` frames is followed by the
    next.

    Args:
        prior: one that knows text.
        texts: in symbols of the prior's alphabet.
        condition: see :meth:`vqaudio.prior.base.Prior.labels`.
        how: temperature and the like. Guidance is away from what the prior would do without text and condition.
        longest: frames that a symbol may take.
        done: is called with 1 after each frame, until the longest is said.

    Raises:
        ModelError: a prior that knows no text, a symbol or a condition that it does not know.
    """
    how = how or Sampling()
    alphabet, codebooks = prior.known_text(), prior.codebooks
    n_codebooks, whole = len(codebooks), math.lcm(*(stream.stride for stream in codebooks))
    saying = [
        _Saying((*alphabet.read(text), alphabet.end), n_codebooks, np.random.Philox(key=[how.seed, number]))
        for number, text in enumerate(texts)
    ]
    steppers = [prior.begin(len(texts), n_codebooks + 1, condition=condition)]
    if how.guidance != 1.0:
        steppers.append(prior.begin(len(texts), n_codebooks))
    going_on = saying
    for frame in itertools.count():
        for stream, _ in due(codebooks, frame):
            weights = weights_of(prior.softmax, guided(steppers, stream, how.guidance), how)
            codes = np.array([sample_code(row, one.bits) for row, one in zip(weights, going_on, strict=True)])
            for one, code in zip(going_on, codes.tolist(), strict=True):
                one.codes[stream].append(code)
            for stepper in steppers:
                stepper.accept(stream, codes)
        weights = weights_of(prior.softmax, steppers[0].logits(n_codebooks), PLAIN)
        may_end = (frame + 1) % whole == 0
        coming = np.array(
            [
                one.next_symbol(row, frame, longest=longest, may_end=may_end)
                for row, one in zip(weights, going_on, strict=True)
            ]
        )
        steppers[0].accept(n_codebooks, coming)
        rows = np.flatnonzero(coming != alphabet.end)
        for stepper in steppers:
            stepper.advance()
            if len(rows) < len(going_on):
                stepper.select(rows)
        going_on = [going_on[row] for row in rows]
        if done is not None:
            done(1)
        if not going_on:
            break
    return [one.said() for one in saying]


class _Saying:
    """A text on its way."""

    def __init__(self, symbols: tuple[int, ...], n_codebooks: int, bits: np.random.Philox):
        self.symbols, self.bits = symbols, bits
        self.codes: list[list[int]] = [[] for _ in range(n_codebooks)]
        self.starts: list[int] = []

    def next_symbol(self, weights: Integers, frame: int, *, longest: int, may_end: bool) -> int:
        """What comes after a frame: nothing, or the next symbol; the end only where all codebooks have whole codes."""
        hold = int(weights[HOLD])
        comes = sample_code(np.array([hold, int(weights.sum()) - hold]), self.bits)
        is_last = len(self.starts) == len(self.symbols) - 1
        if is_last and not may_end:
            return HOLD
        if not comes and frame + 1 - (self.starts[-1] if self.starts else 0) < longest:
            return HOLD
        self.starts.append(frame + 1)
        return self.symbols[len(self.starts) - 1]

    def said(self) -> Spoken:
        """What came of it."""
        return Spoken([np.array(part, np.int64) for part in self.codes], tuple(self.starts[:-1]))
