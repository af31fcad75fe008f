"""Quality of decoded speech against its reference: PESQ-WB, STOI, SI-SDR and a log-mel distance.

Each metric takes two float32 arrays ``(samples,)`` of equal length, mono at 16 kHz, full scale ±1, and returns a
float: NaN where the metric is undefined, because a sound is silent or too short. Nothing is aligned in time and
nothing is levelled beyond what a metric's own definition does.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqaudio.evaluation import require

Wave = NDArray[np.float32]

SAMPLE_RATE = 16000  # Hz
SILENCE_RMS = 1e-4  # -80 dB re full scale, a few steps of 16-bit PCM: below, a sound counts as silent
SI_SDR_LIMIT_DB = 100.0
PESQ_SECONDS = 18.0
MEL_WINDOW, MEL_HOP, MEL_BANDS, MEL_FLOOR = 1024, 256, 80, 1e-5


def pesq_wb(reference: Wave, decoded: Wave) -> float:
    """Wideband PESQ (ITU-T P.862.2), MOS-LQO from 1.04 to 4.64; NaN below 0.25 s and where no speech is found.

    The reference implementation overruns its tables beyond 50 utterances, and as few as 25 s can hold as many: longer
    clips are cut into equal pieces of at most 18 s, and the pieces' scores averaged.
    """
    pesq = require("pesq")
    if is_silent(reference) or is_silent(decoded):
        return math.nan
    pieces = math.ceil(len(reference) / (PESQ_SECONDS * SAMPLE_RATE))
    scores = []
    for piece, coded in zip(np.array_split(reference, pieces), np.array_split(decoded, pieces), strict=True):
        try:
            scores.append(float(pesq.pesq(SAMPLE_RATE, piece, coded, "wb")))
        except (pesq.NoUtterancesError, pesq.BufferTooShortError):
            continue
    return float(np.mean(scores)) if scores else math.nan


def stoi(reference: Wave, decoded: Wave) -> float:
    """Short-time objective intelligibility, 0 to 1; NaN for silence and below 0.4 s of sound that is not silent.

    Source: Taal et al., "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech", 2011.
    """
    pystoi = require("pystoi")
    if is_silent(reference) or is_silent(decoded):
        return math.nan
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Not enough STFT frames")  # pystoi would return 1e-5
        try:
            return float(pystoi.stoi(reference, decoded, SAMPLE_RATE))
        except RuntimeWarning:
            return math.nan


def si_sdr(reference: Wave, decoded: Wave) -> float:
    """Scale-invariant signal-to-distortion ratio (dB), limited to ±100; NaN for silence.

    Source: Le Roux et al., "SDR - half-baked or well done?", 2019, eq. 4. Means are not removed.
    """
    if is_silent(reference) or is_silent(decoded):
        return math.nan
    wanted, got = reference.astype(np.float64), decoded.astype(np.float64)
    target = (got @ wanted) / (wanted @ wanted) * wanted
    energy, distortion = float(target @ target), float(np.sum((got - target) ** 2))
    least = 10.0 ** (-SI_SDR_LIMIT_DB / 10.0)
    ratio = 10.0 * math.log10(max(energy, least * distortion) / max(distortion, least * energy))
    return max(-SI_SDR_LIMIT_DB, min(SI_SDR_LIMIT_DB, ratio))


def log_mel_distance(reference: Wave, decoded: Wave) -> float:
    """Mean absolute difference of log10 mel magnitudes, over frames and bands: 0.1 means 2 dB apart; NaN below 64 ms.

    Hann windows of 1024 samples, hop 256, magnitudes scaled so that a full-scale sine peaks at 1, 80 triangular bands
    from 0 to 8 kHz evenly spaced on the mel scale of O'Shaughnessy (HTK's), floor 1e-5 (-100 dB).
    """
    if len(reference) < MEL_WINDOW:
        return math.nan
    return float(np.mean(np.abs(log_mel(reference) - log_mel(decoded))))


def log_mel(wave: Wave) -> NDArray[np.float64]:
    """``(samples,)`` to log10 magnitudes ``(frames, bands)``."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, MEL_WINDOW)[::MEL_HOP]
    taper = np.hanning(MEL_WINDOW + 1)[:-1]
    magnitudes = np.abs(np.fft.rfft(frames * (taper * (2.0 / taper.sum()))))
    levels: NDArray[np.float64] = np.log10(np.maximum(magnitudes @ _mel_bands(), MEL_FLOOR))
    return levels


@functools.cache
def _mel_bands() -> NDArray[np.float64]:
    """Triangles ``(bins, bands)``, each 1 at its centre and 0 at its neighbours' centres."""
    top = 2595.0 * math.log10(1.0 + SAMPLE_RATE / 2 / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, MEL_BANDS + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(MEL_WINDOW, 1.0 / SAMPLE_RATE)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(np.minimum(rising, falling), 0.0)


def is_silent(wave: Wave) -> bool:
    """Whether a sound ``(samples,)`` is empty, or below -80 dB re full scale."""
    return len(wave) == 0 or float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) < SILENCE_RMS


# ------------------------------------------------------------------------------------------------------- all of them


@dataclass(frozen=True)
class Metric:
    """A metric as reports show it: ``title`` with its unit, and how many decimals mean something.

    ``compares``: whether it listens to the reference; if not, it judges what was decoded on its own.
    ``plotted``: whether plots have a panel for it.
    """

    title: str
    measure: Callable[[Wave, Wave], float]
    decimals: int
    compares: bool = True
    plotted: bool = True


Metrics = Mapping[str, Metric]
"""By the name that JSON has for each."""


METRICS: Metrics = {
    "pesq_wb": Metric("PESQ-WB", pesq_wb, 2),
    "stoi": Metric("STOI", stoi, 3),
    "si_sdr_db": Metric("SI-SDR (dB)", si_sdr, 1, plotted=False),
    "log_mel": Metric("log-mel", log_mel_distance, 3, plotted=False),
}


def score(reference: Wave, decoded: Wave, *, metrics: Metrics = METRICS) -> dict[str, float]:
    """Every metric of one clip by name; NaN where undefined.

    Raises:
        ValueError: the arrays are not ``(samples,)`` of equal length. EvaluationError: a package is missing.
    """
    if reference.ndim != 1 or reference.shape != decoded.shape:
        raise ValueError(f"expected two arrays (samples,) of equal length, got {reference.shape} and {decoded.shape}")
    return {name: metric.measure(reference, decoded) for name, metric in metrics.items()}


# ------------------------------------------------------------------------------------------------------------- means


@dataclass(frozen=True)
class Mean:
    """A mean over ``count`` clips, with half the width of its 95 % interval (NaN from fewer than two clips)."""

    mean: float
    half_width: float
    count: int


def mean_with_interval(values: Iterable[float]) -> Mean:
    """The mean of the values that are not NaN, and its 95 % interval from Student's t.

    The interval takes clips for independent: several clips of one speaker make it somewhat too narrow.
    """
    kept = np.array([value for value in values if not math.isnan(value)], dtype=np.float64)
    if len(kept) == 0:
        return Mean(math.nan, math.nan, 0)
    if len(kept) == 1:
        return Mean(float(kept[0]), math.nan, 1)
    quantile = float(require("scipy.special").stdtrit(len(kept) - 1, 0.975))
    return Mean(float(kept.mean()), quantile * float(kept.std(ddof=1)) / math.sqrt(len(kept)), len(kept))
