"""Whether the words stay: what a recogniser hears before and after.

Package: ``pocketsphinx``, whose model knows American English. It mishears much, above all in other languages, but what
it hears in the recording is the measure: a codec that changes nothing changes no word.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vqaudio.evaluation.judges.base import Judge, load, remembered
from vqaudio.evaluation.metrics import SAMPLE_RATE, Metric, Wave

PACKAGE = "pocketsphinx"


def words_changed(reference: Wave, decoded: Wave) -> float:
    """Word error rate (%) of what was decoded against what is heard in the reference; NaN where that is nothing.

    It exceeds 100 where more words are made up than were there.
    """
    before = words(reference)
    return 100.0 * edit_distance(before, words(decoded)) / len(before) if before else math.nan


@remembered
def words(wave: Wave) -> list[str]:
    """The words that the recogniser hears in ``(samples,)``."""
    recogniser = _recogniser()
    recogniser.start_stream()  # forget the noise of sounds before: what is heard must not depend on their order
    recogniser.start_utt()
    recogniser.process_raw((np.clip(wave, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes(), full_utt=True)
    recogniser.end_utt()
    heard = recogniser.hyp()
    return heard.hypstr.split() if heard else []


def edit_distance(before: Sequence[str], after: Sequence[str]) -> int:
    """The fewest insertions, deletions and substitutions that turn one sequence into the other (Levenshtein, 1966)."""
    row = list(range(len(after) + 1))
    for count, old in enumerate(before, start=1):
        corner, row[0] = row[0], count
        for at, new in enumerate(after, start=1):
            corner, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, corner + (old != new))
    return row[-1]


@functools.cache
def _recogniser() -> Any:
    # cmn: the means of cepstra are taken over each whole sound, and not carried over from the one before
    return load(PACKAGE).Decoder(samprate=SAMPLE_RATE, cmn="batch", loglevel="FATAL")


JUDGE = Judge((PACKAGE,), {"words_changed": Metric("words changed (%)", words_changed, 0)})
