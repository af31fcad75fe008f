"""A corpus without files: sounds by rule, some that cannot be read, and some that end the process that reads them.

Workers import it: nothing slow is imported here.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vqaudio.corpora import Corpus, Part, Utterance
from vqaudio.errors import AudioWarning


@dataclass(frozen=True)
class MadePart(Part):
    """Utterances whose ids say what they are: ``killer``, ``broken``, ``short``, ``empty``, ``lacking``, or others."""

    ids: tuple[str, ...]

    def read(self, sample_rate: int) -> Iterator[tuple[Utterance, NDArray[np.float32] | str]]:
        for id in self.ids:
            if id.startswith("killer"):
                os.kill(os.getpid(), signal.SIGKILL)
            if id.startswith("lacking"):
                warnings.warn(f"{id}: its end is missing", AudioWarning, stacklevel=2)
            length = {"short": 40, "empty": 0}.get(id.split("-")[0], sample_rate // 8 + 37 * len(id))
            sound = np.random.default_rng([*id.encode()]).normal(0, 0.1, length).astype(np.float32)
            if id.startswith("loud"):
                sound[7] = np.nan
            yield self._named(id), f"{id}: is not a sound file" if id.startswith("broken") else sound

    def singly(self) -> Iterator[tuple[Utterance, Part]]:
        for id in self.ids:
            yield self._named(id), replace(self, ids=(id,))

    @staticmethod
    def _named(id: str) -> Utterance:
        return Utterance(id, f"{id}.wav", "made", "valid" if id.startswith("valid") else "train", text=f"say {id}")


class MadeCorpus(Corpus):
    """Utterances of these ids."""

    digest = "0123abc"

    def __init__(self, ids: Sequence[str]):
        self.source, self._ids = "made", tuple(ids)

    def parts(self, size: int = 2) -> Iterator[Part]:
        for index, at in enumerate(range(0, len(self._ids), size)):
            yield MadePart(index, f"{index:06}", self._ids[at : at + size])
