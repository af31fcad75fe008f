"""The entropy coders of files: a prior's intervals and a range coder, under one name for each mode of the format.

Files name their prior by fingerprint, apart from their codec: a prior that is trained anew does not change what older
files mean, and a file is never decoded by another prior than the one that wrote it. No torch: see
:mod:`vqaudio.prior.integer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from vqaudio.container import ChunkCodes, CodedPayload, Coder, SoundHeader
from vqaudio.errors import ModelError
from vqaudio.intnet import INT8_SUFFIX
from vqaudio.prior import coding, integer
from vqaudio.prior.base import NONE, Prior
from vqaudio.prior.context import ContextPrior
from vqaudio.registry import KEPT_PRIORS, LEGACY, MODELS, Version, fingerprint, prior_remedy, version_of

PRIORS = MODELS / "priors"


class PriorCoder:
    """A :class:`vqaudio.container.Coder` that codes the first ``n_streams`` streams by a prior, under a condition."""

    def __init__(self, prior: Prior, n_streams: int, *, condition: str = NONE):
        self.prior, self.n_streams, self.condition = prior, n_streams, condition

    def encode(self, codes: ChunkCodes) -> bytes:
        """See :meth:`vqaudio.container.Coder.encode`."""
        return coding.encode(self.prior, [block.astype(np.int64) for block in codes], condition=self.condition)

    def decode(self, chunks: Sequence[CodedPayload]) -> list[ChunkCodes]:
        """See :meth:`vqaudio.container.Coder.decode`."""
        payloads, batch_sizes, frames = zip(*((c.data, c.channels, c.n_frames) for c in chunks), strict=True)
        found = coding.decode(
            self.prior,
            payloads,
            batch_sizes=batch_sizes,
            n_frames=frames,
            n_streams=self.n_streams,
            condition=self.condition,
        )
        return [[block.astype(np.int32) for block in codes] for codes in found]


def shipped_priors() -> dict[str, Path]:
    """The integer priors in the package, by fingerprint."""
    return {fingerprint(path): path for path in sorted(PRIORS.glob(f"*{INT8_SUFFIX}"))}


def legacy_priors() -> dict[str, Path]:
    """Those of models that are not shipped any more, by fingerprint: in a checkout alone."""
    return {mark: LEGACY / file for mark, file in KEPT_PRIORS.items() if (LEGACY / file).is_file()}


def prior_of(codec: str) -> Path | None:
    """The prior for the tokens of the codec with a fingerprint, if one is shipped, or kept in a checkout."""
    here = (*sorted(PRIORS.glob(f"*{INT8_SUFFIX}")), *legacy_priors().values())
    return next((path for path in here if codec_of(path) == codec), None)


def codec_of(path: Path) -> str:
    """The fingerprint of the codec whose tokens a prior knows.

    Raises:
        ModelError: no integer prior.
    """
    return _codec_of(version_of(path))


@lru_cache(64)
def _codec_of(version: Version) -> str:
    try:
        with safe_open(version.path, framework="numpy") as file:
            return str(json.loads(file.metadata()["config"])["codec"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{version.path}: is not a readable prior ({error})") from None


def load_prior(path: Path) -> integer.IntegerPrior:
    """The prior in a file, read once for each version of the file.

    Raises:
        ModelError: not such a file.
    """
    return _loaded(version_of(path))


@lru_cache(8)
def _loaded(version: Version) -> integer.IntegerPrior:
    return integer.load(version.path)


def coders(prior: Path | None = None) -> Callable[[SoundHeader], Coder]:
    """What gives a :class:`vqaudio.container.Reader` the coder that a header asks for.

    ``prior`` is a file to use beside the shipped ones. The function raises ModelError where the header names a prior
    that is not at hand, or a condition that it does not know.
    """

    def coder_for(header: SoundHeader) -> Coder:
        if header.entropy == "context":
            return PriorCoder(ContextPrior(header.streams), len(header.streams))
        at_hand = legacy_priors() | shipped_priors() | ({} if prior is None else {fingerprint(prior): prior})
        if header.prior not in at_hand:
            remedy = prior_remedy(header.prior or "")
            raise ModelError(f"was coded with the prior {header.prior}, which is not shipped here: {remedy}")
        found = load_prior(at_hand[header.prior])
        if found.fingerprint != header.prior:
            raise ModelError(f"{at_hand[header.prior]}: was replaced by another prior just now; try again")
        if found.codebooks[: len(header.streams)] != header.streams:
            raise ModelError(f"was coded with the prior {header.prior}, which is for other streams: it is damaged")
        found.labels(header.condition)
        return PriorCoder(found, len(header.streams), condition=header.condition)

    return coder_for
