"""DNSMOS P.835: how good speech sounds, how distorted it is and how much noise is left, as listeners would rate it.

Source: Reddy et al., "DNSMOS P.835: a non-intrusive perceptual objective speech quality metric to evaluate noise
suppressors", 2022. It was trained on noisy and denoised calls. Package: ``speechmos``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vqaudio.evaluation.judges.base import Judge, load, remembered
from vqaudio.evaluation.metrics import SAMPLE_RATE, Metric, Wave, is_silent

PACKAGE = "speechmos.dnsmos"


@remembered
def ratings(wave: Wave) -> dict[str, float]:
    """``ovrl_mos``, ``sig_mos``, ``bak_mos``, 1 to 5, of ``(samples,)``, looped to 9 s if shorter; none for silence."""
    if is_silent(wave):
        return {}
    found: dict[str, float] = load(PACKAGE).run(np.clip(wave, -1.0, 1.0), SAMPLE_RATE)
    return found


def _rating(name: str) -> Callable[[Wave, Wave], float]:
    return lambda reference, decoded: float(ratings(decoded).get(name, math.nan))


JUDGE = Judge(
    (PACKAGE,),
    {
        "dnsmos": Metric("DNSMOS", _rating("ovrl_mos"), 2, compares=False),
        "dnsmos_signal": Metric("DNSMOS signal", _rating("sig_mos"), 2, compares=False, plotted=False),
        "dnsmos_background": Metric("DNSMOS background", _rating("bak_mos"), 2, compares=False, plotted=False),
    },
)
