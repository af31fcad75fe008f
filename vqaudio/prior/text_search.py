"""Which text makes codes likeliest, and how likely codes are with a text: along the frames, by a beam of hypotheses.

A hypothesis is what has been said so far, and when its last symbol came; it goes on by ``HOLD``, or by a symbol. Ways
that agree in both are one hypothesis from there on, with the sum of their probabilities and the network's state of the
likelier: a sum over all times at which symbols may come, as far as the beam keeps them. When a symbol came must be kept
apart as long as its sound goes on, since each time predicts other codes. Source: Graves, "Sequence transduction with
recurrent neural networks", 2012, section 2.6, where texts of one beam are merged likewise.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqaudio.intnet.grids import LOGIT
from vqaudio.intnet.intervals import Integers
from vqaudio.intnet.linear import Numbers
from vqaudio.prior import BEAM
from vqaudio.prior.base import NONE, due, n_frames_of
from vqaudio.prior.text import HOLD

if TYPE_CHECKING:
    from vqaudio.prior.integer import IntegerPrior

MARGIN = 30.0  # nats: less likely texts are given up
LEAST = -12.0  # nats: a symbol less likely than that does not come
TIMINGS = {"word": 8, "character": 3}
"""Times at which the last symbol of a text may have come that are followed."""


@dataclass(frozen=True)
class Hypothesis:
    """A text, and what it and the codes together cost.

    Attributes:
        text: in symbols of the prior's alphabet.
        bits: of the codes and the text together; less is likelier.
    """

    text: str
    bits: float


class Way(NamedTuple):
    """What has been said, and the frame in which the last symbol of it came."""

    said: tuple[int, ...]
    at: int


class _Grown(NamedTuple):
    """A way's score, that of the likeliest way to it, the row which that goes on from, and what came."""

    total: float
    best: float
    row: int
    symbol: int


class Limits(NamedTuple):
    """How many ways are followed, how much less likely than the likeliest (nats), by how unlikely symbols (nats).

    And at how many times the last symbol of each text may have come.
    """

    beam: int
    margin: float
    least: float
    timings: int


def search_text(
    prior: IntegerPrior,
    codes: Sequence[Integers],
    *,
    text: str | None = None,
    condition: str = NONE,
    beam: int = BEAM,
) -> list[Hypothesis]:
    """Texts that were said in codes ``(codes,)`` of each codebook, the likeliest first.

    With a ``text`` it alone is followed, whatever the ``beam``, and its bits are those of the codes and of when its
    symbols come, not of which they are.

    Raises:
        ModelError: a prior that knows no text, or a symbol that it does not know.
    """
    alphabet, codebooks = prior.known_text(), prior.codebooks
    n_codebooks = len(codebooks)
    wanted = () if text is None else alphabet.read(text)
    limits = Limits(beam, MARGIN, LEAST, TIMINGS[alphabet.unit])
    if text is not None:  # all beginnings of it are followed: the least likely may be the one that comes to its end
        limits = Limits((len(wanted) + 1) * limits.timings, math.inf, -math.inf, limits.timings)
    end = alphabet.end
    stepper = prior.begin(1, n_codebooks + 1, condition=condition)
    ways, scores = [Way((), 0)], np.zeros(1)
    n_frames = n_frames_of(codes, codebooks)
    for frame in range(n_frames):
        for stream, at in due(codebooks, frame):
            code = codes[stream][at]
            scores = scores + log_softmax(stepper.logits(stream))[:, code]
            stepper.accept(stream, np.full(len(ways), code))
        coming = log_softmax(stepper.logits(n_codebooks))
        if text is not None:
            coming = _followed(coming, [way.said for way in ways], wanted)
        if frame == n_frames - 1:
            scores = scores + coming[:, end]
            break
        rows, came, ways, scores = _grown(ways, scores, coming[:, :end], frame=frame, limits=limits)
        stepper.select(rows)
        stepper.accept(n_codebooks, came)
        stepper.advance()
    total: dict[tuple[int, ...], float] = {}
    for way, score in zip(ways, scores.tolist(), strict=True):
        if math.isfinite(score):
            total[way.said] = float(np.logaddexp(total.get(way.said, -np.inf), score))
    likeliest = sorted(total.items(), key=lambda item: -item[1])
    return [Hypothesis(alphabet.spell(said), -score / math.log(2.0)) for said, score in likeliest]


def log_softmax(logits: Numbers) -> NDArray[np.float64]:
    """Logits ``(batch, alphabet)``, in a prior's steps, to log-probabilities in nats."""
    nats = logits.astype(np.float64) * 2.0 ** -LOGIT[0]
    nats -= nats.max(-1, keepdims=True)
    made: NDArray[np.float64] = nats - np.log(np.exp(nats).sum(-1, keepdims=True))
    return made


def _followed(
    coming: NDArray[np.float64], texts: Sequence[tuple[int, ...]], wanted: tuple[int, ...]
) -> NDArray[np.float64]:
    """What comes where the text is known: its next symbol or its end, as likely as anything but ``HOLD``."""
    found = np.full_like(coming, -np.inf)
    found[:, HOLD] = coming[:, HOLD]
    anything = np.log(-np.expm1(np.minimum(coming[:, HOLD], -1e-12)))
    for row, text in enumerate(texts):
        following = wanted[len(text)] if len(text) < len(wanted) else coming.shape[1] - 1
        found[row, following] = anything[row]
    return found


def _grown(
    ways: Sequence[Way], scores: NDArray[np.float64], coming: NDArray[np.float64], *, frame: int, limits: Limits
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Way], NDArray[np.float64]]:
    """The next hypotheses: which row each goes on from, what came, the way and its score."""
    grown: dict[Way, _Grown] = {}
    floor = float((scores + coming[:, HOLD]).max()) - limits.margin
    for row, way in enumerate(ways):
        for symbol in np.flatnonzero(coming[row] > limits.least).tolist():
            score = float(scores[row] + coming[row, symbol])
            if score < floor and symbol != HOLD:
                continue
            longer = way if symbol == HOLD else Way((*way.said, symbol), frame)
            known = grown.get(longer)
            if known is None:
                grown[longer] = _Grown(score, score, row, symbol)
            else:
                total = float(np.logaddexp(known.total, score))
                best = _Grown(total, score, row, symbol) if score > known.best else known._replace(total=total)
                grown[longer] = best
    timings: Counter[tuple[int, ...]] = Counter()
    kept: list[tuple[Way, _Grown]] = []
    for way, found in sorted(grown.items(), key=lambda item: -item[1].total):
        timings[way.said] += 1
        if timings[way.said] <= limits.timings:
            kept.append((way, found))
        if len(kept) == limits.beam:
            break
    rows, came = (np.array([found[part] for _, found in kept], np.int64) for part in (2, 3))
    return rows, came, [way for way, _ in kept], np.array([found.total for _, found in kept])
