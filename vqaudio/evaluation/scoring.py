"""Every clip through every system, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from vqaudio.audio.resampling import read_mono
from vqaudio.evaluation.clips import Selection
from vqaudio.evaluation.metrics import METRICS, SAMPLE_RATE, Mean, Metrics, Wave, mean_with_interval, score
from vqaudio.evaluation.noise import babble, mix_noise
from vqaudio.evaluation.systems import Coded, System

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec


@dataclass(frozen=True)
class ClipScore:
    """One clip through one system; metrics by name, NaN where undefined; sizes as :class:`Coded` has them."""

    clip: str
    seconds: float
    n_bytes: int
    metrics: dict[str, float]
    n_packet_bytes: int | None = None

    @property
    def kbps(self) -> float:
        """Thousand bits per second, of the whole file."""
        return self.n_bytes * 8 / self.seconds / 1000


@dataclass
class SystemScore:
    """All clips through one system."""

    name: str
    family: str
    clips: list[ClipScore] = field(default_factory=list)

    @property
    def kbps(self) -> float:
        """Thousand bits per second: all bytes over all seconds."""
        return sum(clip.n_bytes for clip in self.clips) * 8 / sum(clip.seconds for clip in self.clips) / 1000

    @property
    def packet_kbps(self) -> float | None:
        """The same of the packets alone, without the container around them, where that is known of all clips."""
        sizes = [clip.n_packet_bytes for clip in self.clips if clip.n_packet_bytes is not None]
        seconds = sum(clip.seconds for clip in self.clips)
        return sum(sizes) * 8 / seconds / 1000 if sizes and len(sizes) == len(self.clips) else None

    def mean(self, metric: str) -> Mean:
        """A metric over the clips on which it is defined."""
        return mean_with_interval(clip.metrics[metric] for clip in self.clips)


class CodeUsage:
    """How often each code of one codebook occurs."""

    def __init__(self, codebook_size: int):
        self.counts: NDArray[np.int64] = np.zeros(codebook_size, dtype=np.int64)

    def add(self, codes: NDArray[np.integer]) -> None:
        """Count codes of any shape, each from 0 to ``codebook_size - 1``."""
        self.counts += np.bincount(np.asarray(codes).ravel(), minlength=len(self.counts))

    @property
    def frames(self) -> int:
        """Codes seen; neither the perplexity nor the number of codes in use can exceed it."""
        return int(self.counts.sum())

    @property
    def used(self) -> float:
        """Share of the codebook seen at least once."""
        return float(np.mean(self.counts > 0))

    @property
    def perplexity(self) -> float:
        """``2^H``, H the entropy (bits) of the codes seen: so many equally likely codes would carry as much."""
        if not self.frames:
            return 0.0
        share = self.counts[self.counts > 0] / self.frames
        return float(np.exp(-np.sum(share * np.log(share))))


@dataclass
class Evaluation:
    """The result: a score per system, in the order given, the usage of each of our codebooks, and what was measured."""

    systems: list[SystemScore]
    usage: list[CodeUsage]
    metrics: Metrics = field(default_factory=lambda: METRICS)


@dataclass(frozen=True)
class ClipResult:
    """One clip ``(samples,)`` at 16 kHz through one system: its file, what came out, and how good that is."""

    path: Path
    clip: Wave
    system: System
    coded: Coded
    score: ClipScore


Keep = Callable[[ClipResult], None]


def evaluate(
    selection: Selection,
    systems: Sequence[System],
    *,
    codec: Codec | None = None,
    progress: bool = True,
    keep: Keep | None = None,
    metrics: Metrics = METRICS,
    noise_db: Sequence[float] = (),
) -> Evaluation:
    """Run every clip through every system; with ``codec`` (from :func:`vqaudio.load`), count its codes as well.

    With ``noise_db``, clips are mixed with babble at each of these signal-to-noise ratios (dB), which are systems of
    their own in the result; what compares is measured against the noisy clip and, as ``NAME_clean``, the clean one.

    Holds one clip in memory at a time, and its babble; ``keep`` is called with each sound that a system makes of it.

    Raises:
        VqaudioError: a clip cannot be read, a system or metric cannot run, or there is nothing to make babble of.
    """
    snrs: list[float | None] = [*noise_db] or [None]
    scores = [SystemScore(*_in_noise(system, snr_db)) for snr_db in snrs for system in systems]
    against_clean = _against_clean(metrics) if noise_db else {}
    usage = [CodeUsage(stream.alphabet) for stream in codec.streams] if codec is not None else []
    total, hidden = len(selection.paths) * len(scores), None if progress else True  # None: only on terminals
    with tqdm(total=total, unit="clip", desc="evaluating", disable=hidden) as bar:
        for path in selection.paths:
            recorded = read_mono(path, SAMPLE_RATE)
            noise = babble(selection, path, n_samples=len(recorded)) if noise_db else None
            remaining = iter(scores)
            for snr_db in snrs:
                clip, clean = (
                    (recorded, recorded)
                    if snr_db is None or noise is None
                    else mix_noise(recorded, noise, snr_db=snr_db)
                )
                for system in systems:
                    scored = next(remaining)
                    bar.set_postfix_str(scored.name, refresh=False)
                    coded = system.run(clip)
                    found = score(clip, coded.decoded, metrics=metrics) | score(
                        clean, coded.decoded, metrics=against_clean
                    )
                    name, seconds = selection.name(path), len(clip) / SAMPLE_RATE
                    scored.clips.append(ClipScore(name, seconds, coded.n_bytes, found, coded.n_packet_bytes))
                    if keep is not None:
                        keep(ClipResult(path, clip, system, coded, scored.clips[-1]))
                    bar.update()
                if codec is not None:
                    for counter, codes in zip(usage, codec.encode(clip[None], SAMPLE_RATE).streams, strict=True):
                        counter.add(codes)
    return Evaluation(scores, usage, {**metrics, **against_clean})


def _in_noise(system: System, snr_db: float | None) -> tuple[str, str]:
    """A system's name and family, with the noise that it had to live with."""
    where = "" if snr_db is None else f", noise at {snr_db:g} dB"
    return system.name + where, system.family + where


def _against_clean(metrics: Metrics) -> Metrics:
    return {
        f"{name}_clean": replace(metric, title=f"{metric.title}, to clean")
        for name, metric in metrics.items()
        if metric.compares
    }


def undefined(scored: SystemScore, metrics: Metrics) -> dict[str, int]:
    """On how many clips each metric is undefined, where it is on any."""
    missing = {name: len(scored.clips) - scored.mean(name).count for name in metrics}
    return {name: count for name, count in missing.items() if count}
