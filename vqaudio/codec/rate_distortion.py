"""Codes chosen for what they cost as well as for how near they come: rate-distortion-optimised assignment.

A code that is slightly farther from the features may be much cheaper to code after those before it. Frame by frame, a
beam over the codebooks looks for the smallest ``perceptual weight * squared distance + λ * bits``; the bits are the
prior's, given the codes that were chosen before. Source: Chou, Lookabaugh & Gray, "Entropy-constrained vector
quantization", 1989, eq. 6; the beam as in :class:`vqaudio.inference.quantizers.residual.ResidualQuantizer`.
"""

from __future__ import annotations

import math

import numpy as np

from vqaudio.codec.costs import CodeCosts
from vqaudio.codec.frame_search import FrameSearch
from vqaudio.errors import ModelError
from vqaudio.inference.base import Floats, Quantizer, Tokens
from vqaudio.prior.base import NONE
from vqaudio.prior.integer import IntegerPrior

BEAM_WIDTH = 16
"""Sums of embeddings that are kept at each codebook."""
MAX_BATCH = 32
"""Sequences in a batch: with more, what is compared no longer fits a core's caches."""
RATE_GAIN = 20.0
"""Of the logarithm of a bit's worth, for all that was planned that has been spent too much."""
LARGEST_GAIN = 8.0
"""Times what it would be, that a bit may become worth, or one over that."""
EXPONENT = 0.15
QUIET = 1e-10
LEAST_ENERGY = 1e-4  # of energy, -40 dB: what is quieter is not left to the prior alone
LEAST_WORTH = 1e-20
"""Of a nat, in squared distance: as good as nothing, and something to divide by."""


def perceptual_weights(waveform: Floats, frames: int) -> Floats:
    """How much errors in each frame count: ``(batch, 1, samples)`` to float32 ``(batch, frames)``, at most 1.

    A power of the frame's energy over that of the louder frames: what is quiet beside them is heard less, and by
    Stevens' law loudness is about the 0.3th power of intensity ("The measurement of loudness", 1955). Half of that
    exponent was best for PESQ-WB and STOI at 0.9 kb/s.

    Sounds are weighted one by one, so that how many there are changes nothing.
    """
    return np.stack([_perceptual_weights(sound, frames) for sound in waveform])


def _perceptual_weights(sound: Floats, frames: int) -> Floats:
    energy = np.square(sound, dtype=np.float32).reshape(frames, -1).mean(1)
    around = np.pad(energy, 1, mode="edge")
    energy = (around[:-2] + 2.0 * energy + around[2:]) / 4.0
    loud = np.square(energy).sum() / max(float(energy.sum()), QUIET)
    shares = np.clip(energy / max(float(loud), QUIET), LEAST_ENERGY, 1.0)
    weights: Floats = (shares**EXPONENT).astype(np.float32)
    return weights


class RateDistortionSearch:
    """Features to codes, as an alternative to :meth:`Quantizer.encode`; sequences side by side take less time.

    Args:
        quantizer: one whose latents are sums of codebooks' embeddings.
        prior: what codes cost.
        n_streams: how many codebooks to use.
        weight: λ, squared distance per bit in the loudest frames; 0 is the beam search alone.
        condition: what the prior is told.
        beam_width: sums of embeddings that are kept at each codebook; with fewer it is quicker, and a little worse.

    Raises:
        ModelError: a quantizer of another kind.
    """

    def __init__(
        self,
        quantizer: Quantizer,
        prior: IntegerPrior,
        *,
        n_streams: int,
        weight: float,
        condition: str = NONE,
        beam_width: int = BEAM_WIDTH,
    ):
        if not supports_rdo(quantizer, n_streams):
            raise ModelError("codes can be chosen by their cost only where latents are sums of codebooks' embeddings")
        self.codebooks = quantizer.additive_codebooks()[:n_streams]
        self.costs = CodeCosts(prior, n_streams, condition=condition)
        self.n_streams, self.weight, self.beam_width = n_streams, weight, beam_width

    def __call__(self, features: Floats, waveform: Floats, frames: int) -> list[Tokens]:
        """``(batch, D, frames)`` to int64 codes ``(batch, frames)`` per stream, each sequence from a cold start.

        ``waveform`` is what the features are of: ``(batch, 1, samples)``. Codes are wanted for the first ``frames``.
        """
        return self.encode_with_bits(features, waveform, frames)[0]

    def encode_with_bits(
        self, features: Floats, waveform: Floats, frames: int, *, plan: Floats | None = None
    ) -> tuple[list[Tokens], Floats]:
        """The same, and the bits of each frame as :meth:`search` has them, which ``plan`` is for."""
        codes, bits = [], []
        for at in range(0, len(features), MAX_BATCH):
            part = slice(at, at + MAX_BATCH)
            weights = self.weight / perceptual_weights(waveform[part], features.shape[2])[:, :frames]
            planned = None if plan is None else plan[part]
            found, spent = self.search(features[part, :, :frames], weights, plan=planned)
            codes.append(found)
            bits.append(spent)
        return [np.concatenate(parts) for parts in zip(*codes, strict=True)], np.concatenate(bits)

    def search(self, features: Floats, weights: Floats, *, plan: Floats | None = None) -> tuple[list[Tokens], Floats]:
        """The codes, and what they cost.

        Args:
            features: ``(batch, D, frames)``.
            weights: ``(batch, frames)``, what a bit is worth in each frame.
            plan: ``(batch, frames)``, bits that each frame should cost. Bits are worth more where more has been spent
                so far, less where less has been, so that the sum comes close to the plan's.

        Returns:
            Int64 codes ``(batch, frames)`` per stream, and the bits of each frame, ``(batch, frames)``.
        """
        batch, _, frames = features.shape
        vectors = np.ascontiguousarray(features.transpose(2, 0, 1), np.float32)
        weights = np.asarray(weights / math.log(2.0), np.float32)
        frame_search = FrameSearch(self.codebooks, self.costs, batch=batch, beam_width=self.beam_width)
        ahead = np.zeros(batch, np.float32)
        codes = np.empty((self.n_streams, batch, frames), np.int64)
        bits = np.empty((batch, frames), np.float32)
        for frame in range(frames):
            worth = weights[:, frame]
            if plan is not None:
                worth = worth * np.clip(np.exp(ahead * RATE_GAIN), 1.0 / LARGEST_GAIN, LARGEST_GAIN)
            codes[:, :, frame], spent = frame_search(vectors[frame], np.maximum(worth, LEAST_WORTH))
            bits[:, frame] = spent / math.log(2.0)
            if plan is not None:
                ahead = ahead + (bits[:, frame] - plan[:, frame]) / np.maximum(plan.sum(1), 1.0)
        return list(codes), bits


def supports_rdo(quantizer: Quantizer, n_streams: int) -> bool:
    """Whether :class:`RateDistortionSearch` can choose codes of its first streams."""
    streams = quantizer.streams[:n_streams]
    return len(quantizer.additive_codebooks()[:n_streams]) == n_streams and all(
        stream.stride == 1 for stream in streams
    )
