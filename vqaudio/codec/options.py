"""How a sound is coded, as one object. No torch: command lines make it before they load a model."""

from __future__ import annotations

from dataclasses import dataclass

from vqaudio.config.coding import CHUNK_SECONDS, ENTROPY_MODES
from vqaudio.errors import ContainerError, ModelError
from vqaudio.prior.base import NONE


@dataclass(frozen=True, kw_only=True)
class CodingOptions:
    """What :meth:`vqaudio.Codec.write` is asked for.

    Attributes:
        n_codebooks: how many to use; all by default.
        kbps: in place of ``n_codebooks`` and ``rdo``: the best file of at most so many thousand bits a second, all
            bytes and channels counted. With a prior and residual codebooks, codebooks and λ are chosen so that the
            file has 95 % of that or more, unless all codebooks need less. Otherwise, codebooks alone are. A sound that
            is still arriving can be coded only once: it gets the most codebooks whose codes fit the rate before entropy
            coding.
        entropy: ``none`` writes codes as they are, ``context`` and ``prior`` make them shorter where they can: by what
            came before in a chunk, or by the trained prior, which is the default where there is one.
        condition: what the prior is told of the sound, as in ``speaker=p225``.
        rdo: choose codes that are cheaper by the prior, though not the nearest: λ of
            :class:`vqaudio.codec.rate_distortion.RateDistortionSearch`, squared distance per bit.
        chunk_seconds: of sound in a chunk, which is coded and can be decoded by itself.

    Raises:
        ModelError: ``kbps`` together with what it finds. ContainerError: an entropy mode that there is not.
    """

    n_codebooks: int | None = None
    kbps: float | None = None
    entropy: str | None = None
    condition: str = NONE
    rdo: float = 0.0
    chunk_seconds: float = CHUNK_SECONDS

    def __post_init__(self) -> None:
        if self.kbps is not None and (self.n_codebooks is not None or self.rdo):
            given = f"{self.n_codebooks} codebooks" if self.n_codebooks is not None else f"rdo {self.rdo:g}"
            raise ModelError(f"{given} and {self.kbps:g} kb/s asked for: expected one of them")
        if self.entropy not in (None, *ENTROPY_MODES):
            raise ContainerError(f"the entropy mode is {self.entropy!r}, expected one of {', '.join(ENTROPY_MODES)}")


DEFAULTS = CodingOptions()


@dataclass(frozen=True)
class Variant:
    """One of several ways to choose a sound's codes.

    Attributes:
        n_codebooks: how many to use; all by default.
        code_cost: squared distance that a code must save, see :meth:`vqaudio.inference.base.Quantizer.encode`.
    """

    n_codebooks: int | None = None
    code_cost: float = 0.0
