"""Judges that no model here is trained on or chosen by step by step: what ``--judges`` adds to the metrics.

Each is somebody else's, with weights inside its own wheel (extra ``judges``); nothing is downloaded. What one says is
of use beside what the others say: they were made for calls, noise and lost packets, and each can be fooled.
"""

from __future__ import annotations

from collections.abc import Iterable

from vqaudio.evaluation.choices import JUDGE_NAMES
from vqaudio.evaluation.judges import distillmos, dnsmos, plcmos, speaker, visqol, words
from vqaudio.evaluation.judges.base import Judge, load
from vqaudio.evaluation.metrics import Metric

_JUDGES = (dnsmos.JUDGE, plcmos.JUDGE, distillmos.JUDGE, speaker.JUDGE, words.JUDGE, visqol.JUDGE)
JUDGES: dict[str, Judge] = dict(zip(JUDGE_NAMES, _JUDGES, strict=True))


def find_judges(names: Iterable[str]) -> dict[str, Metric]:
    """The metrics of judges in :data:`JUDGES`, in the order given; ``all`` stands for every judge.

    Raises:
        EvaluationError: a package is missing; the message says how to install it.
    """
    wanted = dict.fromkeys(judge for name in names for judge in (JUDGES if name == "all" else [name]))
    for package in (package for name in wanted for package in JUDGES[name].packages):
        load(package)
    return {key: metric for name in wanted for key, metric in JUDGES[name].metrics.items()}
