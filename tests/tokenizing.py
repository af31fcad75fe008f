"""Runs of tokenization on a made corpus, by the golden model."""

from __future__ import annotations

from typing import Any

from made_corpus import MadeCorpus
from tools import MODEL

from vqaudio.cluster import Pool, open_pool
from vqaudio.codec.codec import load
from vqaudio.tokenization import run
from vqaudio.tokenization.manifest import Manifest
from vqaudio.tokenization.settings import Tokenizing

IDS = ("one", "valid-two", "broken-three", "lacking-four", "five")


def how(out: str = "tokens", **changes: Any) -> Tokenizing:
    """Settings for two recordings a shard."""
    known: dict[str, Any] = {
        "out": out,
        "format": "parquet",
        "source": MadeCorpus.digest,
        "model": str(MODEL),
        "fingerprint": load(MODEL).fingerprint,
        "device": "cpu",
        "backend": None,
        "precision": "float32",
        "codebooks": (3,),
        "speed": 0.1,
        "code_costs": (0.0, 0.0),
        "seed": 0,
        "min_seconds": 0.0,
        "shard": 2,
    }
    return Tokenizing(**known | changes)


def tokenized(
    out: str = "tokens", *, ids: Any = IDS, versions: int = 0, pool: Pool | None = None, **changes: Any
) -> Manifest:
    """A run in this process, or in a pool."""
    with pool or open_pool(None, jobs=1) as workers:
        settings = how(out, **changes)
        return run.tokenize(MadeCorpus(ids), load(MODEL), settings, versions=versions, pool=workers, quiet=True)
