"""ViSQOL in its mode for speech: how similar spectrograms are, patch by patch, as a mean opinion score.

Source: Chinen et al., "ViSQOL v3: an open source production ready objective speech and audio metric", 2020. Package:
``visqol-python``, with the lattice network that the original takes for speech by default.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from vqaudio.evaluation.judges.base import Judge, load
from vqaudio.evaluation.metrics import SAMPLE_RATE, Metric, Wave, is_silent

PACKAGE = "visqol"
LEAST_SECONDS = 1.0


def visqol(reference: Wave, decoded: Wave) -> float:
    """MOS-LQO, 1 to 5, of two sounds ``(samples,)``; NaN for silence and below 1 s."""
    if is_silent(reference) or is_silent(decoded) or len(reference) < LEAST_SECONDS * SAMPLE_RATE:
        return math.nan
    compared = _model().measure_from_arrays(reference.astype(np.float64), decoded.astype(np.float64), SAMPLE_RATE)
    return float(compared.moslqo)


@functools.cache
def _model() -> Any:
    model = load(PACKAGE).VisqolApi()
    model.create(mode="speech", use_lattice_model=True)
    return model


JUDGE = Judge((PACKAGE, "ai_edge_litert"), {"visqol": Metric("ViSQOL", visqol, 2)})
