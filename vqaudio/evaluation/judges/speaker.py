"""Whether the voice stays: the cosine of speaker embeddings before and after.

Source: Wan et al., "Generalized end-to-end loss for speaker verification", 2018. Package: ``resemblyzer``.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.evaluation.judges.base import Judge, load, remembered
from vqaudio.evaluation.metrics import Metric, Wave, is_silent

PACKAGE = "resemblyzer"


def speaker_cosine(reference: Wave, decoded: Wave) -> float:
    """1 where both sounds ``(samples,)`` have one voice, about 0.6 for two people; NaN where there is no speech."""
    before, after = embedding(reference), embedding(decoded)
    return math.nan if before is None or after is None else float(before @ after)


@remembered
def embedding(wave: Wave) -> NDArray[np.float32] | None:
    """``(samples,)`` to a unit vector ``(256,)``, pauses cut out; None where no speech is left."""
    if is_silent(wave):
        return None
    speech = load(PACKAGE).preprocess_wav(wave)
    if not len(speech):
        return None
    found: NDArray[np.float32] = _model().embed_utterance(speech)
    return found


@functools.cache
def _model() -> Any:
    return load(PACKAGE).VoiceEncoder("cpu", verbose=False)


JUDGE = Judge((PACKAGE,), {"speaker_cosine": Metric("speaker cosine", speaker_cosine, 3)})
