"""PLCMOS: how good speech sounds after packets were lost and concealed; it is sensitive to gaps and to invented sound.

Source: Diener et al., "PLCMOS - a data-driven non-intrusive metric for the evaluation of packet loss concealment
algorithms", 2023. Package: ``speechmos``.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from vqaudio.evaluation.judges.base import Judge, load
from vqaudio.evaluation.metrics import Metric, Wave, is_silent

PACKAGE = "speechmos.plcmos"
RATER_DIM = 64


def plcmos(reference: Wave, decoded: Wave) -> float:
    """Mean opinion score, 1 to 5, of what was decoded, ``(samples,)``; NaN for silence.

    It is the mean over as many listeners as the package asks, always the same ones; the package draws them each time.
    """
    if is_silent(decoded):
        return math.nan
    model = _model()
    spectra = np.asarray(model.stft_transform(np.clip(decoded, -1.0, 1.0)), np.float32)[None, None]
    raters = np.random.default_rng(0).standard_normal((model.embed_rounds, 1, RATER_DIM), dtype=np.float32)
    heard = [model.session.run(None, {"degraded_audio": spectra, "rater_embed": rater})[0] for rater in raters]
    return float(np.mean(heard))


@functools.cache
def _model() -> Any:
    return load(PACKAGE).PLCMOS()


JUDGE = Judge((PACKAGE,), {"plcmos": Metric("PLCMOS", plcmos, 2, compares=False)})
