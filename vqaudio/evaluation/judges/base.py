"""What a judge is, and how what it found in a sound is kept while others ask for it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from vqaudio.evaluation import require
from vqaudio.evaluation.metrics import Metrics, Wave

KEPT = 3
"""A reference that many systems are compared with, the clean sound behind it, and what was decoded."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Judge:
    """One or more metrics, and the packages of the extra ``judges`` that they need."""

    packages: tuple[str, ...]
    metrics: Metrics


def load(package: str) -> ModuleType:
    """Import a package of the extra ``judges``; what it warns of while it imports others is not ours to mend.

    Raises:
        EvaluationError: it is not installed; the message says how to install it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return require(package, "judges")


def remembered(find: Callable[[Wave], Found]) -> Callable[[Wave], Found]:
    """``find``, which is slow, but not again for the last three sounds: those very arrays, which must not change."""
    kept: list[tuple[Wave, Found]] = []

    def recall(wave: Wave) -> Found:
        known = [pair for pair in kept if pair[0] is wave]
        pair = known[0] if known else (wave, find(wave))
        kept[:] = [pair, *(other for other in kept if other is not pair)][:KEPT]
        return pair[1]

    return recall
