"""Distill-MOS: how natural speech sounds, by a small network that learned from a large one.

Source: Stahl & Gamper, "Distillation and pruning for scalable self-supervised representation-based speech quality
assessment", 2025. Package: ``distillmos``; of ``xls-r-sqa``, which it needs, it takes code and no weights.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
from typing import Any

import numpy as np

from vqaudio.evaluation.judges.base import Judge, load
from vqaudio.evaluation.metrics import Metric, Wave, is_silent

PACKAGE = "distillmos"


def distillmos(reference: Wave, decoded: Wave) -> float:
    """Mean opinion score, 1 to 5, of what was decoded, ``(samples,)``, over windows of 7.7 s; NaN for silence."""
    if is_silent(decoded):
        return math.nan
    import torch  # late: who asks for no judges does without

    with torch.inference_mode():
        return float(_model()(torch.from_numpy(np.ascontiguousarray(decoded))[None]))


@functools.cache
def _model() -> Any:
    with contextlib.redirect_stdout(io.StringIO()):  # it says where its weights are
        return load(PACKAGE).ConvTransformerSQAModel().eval()


JUDGE = Judge((PACKAGE,), {"distillmos": Metric("Distill-MOS", distillmos, 2, compares=False)})
