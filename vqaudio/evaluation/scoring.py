"""Every clip through every system, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from vqaudio.evaluation.clips import Selection
from vqaudio.evaluation.metrics import METRICS, SAMPLE_RATE, Mean, Wave, mean_with_interval, score
from vqaudio.evaluation.peers import Coded, System
from vqaudio.resampling import read_mono

if TYPE_CHECKING:
    from vqaudio.codec import Codec


@dataclass(frozen=True)
class ClipScore:
    """One clip through one system; metrics by name, NaN where undefined."""

    clip: str
    seconds: float
    n_bytes: int
    metrics: dict[str, float]

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
    """The result: a score per system, in the order given, and the usage of each of our codebooks."""

    systems: list[SystemScore]
    usage: list[CodeUsage]


Keep = Callable[[Path, Wave, System, Coded, ClipScore], None]


def evaluate(
    selection: Selection,
    systems: Sequence[System],
    codec: Codec | None = None,
    progress: bool = True,
    keep: Keep | None = None,
) -> Evaluation:
    """Run every clip through every system; with ``codec`` (from :func:`vqaudio.load`), count its codes as well.

    Holds one clip in memory at a time; ``keep`` is called with each sound that a system makes of it.

    Raises:
        VqaudioError: a clip cannot be read, or a system or metric cannot run.
    """
    scores = [SystemScore(system.name, system.family) for system in systems]
    usage = [CodeUsage(stream.alphabet) for stream in codec.streams] if codec is not None else []
    total, hidden = len(selection.paths) * len(systems), None if progress else True  # None: only on terminals
    with tqdm(total=total, unit="clip", desc="evaluating", disable=hidden) as bar:
        for path in selection.paths:
            clip = read_mono(path, SAMPLE_RATE)
            for system, scored in zip(systems, scores, strict=True):
                bar.set_postfix_str(system.name, refresh=False)
                coded = system.run(clip)
                metrics = score(clip, coded.decoded)
                scored.clips.append(ClipScore(selection.name(path), len(clip) / SAMPLE_RATE, coded.n_bytes, metrics))
                if keep is not None:
                    keep(path, clip, system, coded, scored.clips[-1])
                bar.update()
            if codec is not None:
                for counter, codes in zip(usage, codec.encode(clip[None], SAMPLE_RATE).streams, strict=True):
                    counter.add(codes)
    return Evaluation(scores, usage)


def undefined(scored: SystemScore) -> dict[str, int]:
    """On how many clips each metric is undefined, where it is on any."""
    missing = {name: len(scored.clips) - scored.mean(name).count for name in METRICS}
    return {name: count for name, count in missing.items() if count}
