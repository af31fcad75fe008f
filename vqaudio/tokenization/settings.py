"""How recordings become tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass

SHARD = 128
"""Recordings in a shard."""


@dataclass(frozen=True)
class Tokenizing:
    """What the work on every part of a corpus is told.

    Attributes:
        out: the folder of tokens, a path or a URL. format: a key of :data:`vqaudio.tokens.formats.FORMATS`.
        source: digest of the corpus.
        model: name or path. fingerprint: of the file that it was. device, backend: where it runs, and on what.
        precision: of its encoder, see :func:`vqaudio.load`.
        codebooks: each recording is coded once with each of these numbers of codebooks.
        speed: augmented copies are played slower or faster by up to this share.
        code_costs: half of the augmented copies are coded with a code cost (a squared distance) between these,
            logarithmically; 0 and 0 for none.
        seed: of what varies.
        min_seconds: shorter recordings are followed by silence.
        shard: recordings in one, but of tars, which are a shard each.
    """

    out: str
    format: str
    source: str
    model: str
    fingerprint: str
    device: str
    backend: str | None
    precision: str
    codebooks: tuple[int, ...]
    speed: float
    code_costs: tuple[float, float]
    seed: int
    min_seconds: float
    shard: int

    @property
    def settings(self) -> str:
        """What decides tokens beside the codec, as JSON, in the words of the command line."""
        known = {
            "precision": self.precision,
            "codebooks": self.codebooks,
            "speed": self.speed,
            "code_costs": self.code_costs,
            "seed": self.seed,
            "pad_to": self.min_seconds,
            "shard": self.shard,
            "source": self.source,
        }
        return json.dumps(known)
