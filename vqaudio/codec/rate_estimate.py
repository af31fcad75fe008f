"""What a sound costs by λ, looked at where that is cheap: a few of its blocks, many λ in a batch, a narrow beam."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.source import Source
from vqaudio.codec.blocks import block_features, sound_blocks
from vqaudio.codec.rate_distortion import BEAM_WIDTH as FULL_BEAM_WIDTH
from vqaudio.codec.rate_distortion import MAX_BATCH, RateDistortionSearch, perceptual_weights
from vqaudio.inference.base import Networks
from vqaudio.intnet.intervals import bits_of
from vqaudio.prior.base import NONE
from vqaudio.prior.integer import IntegerPrior

SAMPLED = 4
"""Blocks of the sound to look at."""
BEAM_WIDTH = 4
"""Sums of embeddings in view at each codebook while looking: sizes differ by some percent from the full search's."""
OCTAVES = 9
"""From the smallest λ to look at to the largest."""
STEPS = 6
"""In the octave where the right λ is."""

Floats = NDArray[np.float64]


class RateEstimate:
    """A few blocks, evenly spread over a sound, and what their codes cost.

    Attributes:
        largest: λ; with larger ones the prior decides alone.
    """

    def __init__(
        self,
        networks: Networks,
        sound: Source,
        *,
        prior: IntegerPrior,
        block_frames: int,
        n_frames: int,
        margin: int = 0,
        condition: str = NONE,
    ):
        self.quantizer, self.prior, self.condition, self.n_frames = networks.quantizer, prior, condition, n_frames
        step = -(-n_frames // (block_frames * max(1, SAMPLED // sound.channels)))
        opened = list(
            islice(sound_blocks(networks, sound, block_frames=block_frames, margin=margin), step // 2, None, step)
        )
        batch = block_features(networks, opened)
        self.features, self.perceptual_weights = batch.features, perceptual_weights(batch.sound, block_frames)
        self.kept = np.zeros((len(self.features), block_frames), np.float32)
        for block, rows in zip(opened, batch.rows, strict=True):
            self.kept[rows, : block.kept] = 1.0
        self.share = n_frames / sum(block.kept for block in opened)
        bits = np.cumsum([stream.bits for stream in self.quantizer.streams])
        self.packed: Floats = bits * float(self.kept.sum()) * self.share / 8  # where the prior is of no use
        codebook = self.quantizer.additive_codebooks()[0]
        self.largest = 2.0**4 * float(np.square(codebook).sum(1).mean()) / float(bits[-1])

    def search(self, n_codebooks: int, *, weight: float, beam_width: int = FULL_BEAM_WIDTH) -> RateDistortionSearch:
        """What chooses codes of so many codebooks, with λ."""
        return RateDistortionSearch(
            self.quantizer,
            self.prior,
            n_streams=n_codebooks,
            weight=weight,
            condition=self.condition,
            beam_width=beam_width,
        )

    def nearest(self) -> Floats:
        """Bytes of all the sound's codes with the first codebook, the first two, ..., each code the nearest."""
        found = self.prior.intervals(self.quantizer.encode(self.features), self.condition)
        bits = [float((bits_of(frequencies) * self.kept).sum()) for _, frequencies in found]
        sizes: Floats = np.minimum(np.cumsum(bits) * self.share / 8, self.packed)
        return sizes

    def sizes(self, n_codebooks: int, weights: Sequence[float]) -> Floats:
        """Bytes of all the sound's codes with so many codebooks, for each λ."""
        search = self.search(n_codebooks, weight=0.0, beam_width=BEAM_WIDTH)
        batch, found = len(self.features), []
        several = max(1, MAX_BATCH // batch)
        for at in range(0, len(weights), several):
            part = weights[at : at + several]
            worth = np.concatenate([np.float32(weight) / self.perceptual_weights for weight in part])
            _, bits = search.search(np.tile(self.features, (len(part), 1, 1)), worth)
            found += (bits.reshape(len(part), batch, -1) * self.kept).sum((1, 2)).tolist()
        sizes: Floats = np.minimum(np.array(found) * self.share / 8, self.packed[n_codebooks - 1])
        return sizes


class RateCurve:
    """The size of a file by λ, with one number of codebooks: what an estimate says, put right by what files say.

    Args:
        estimate: of the sound.
        n_codebooks: how many.
        nearest: bytes of the file with λ 0.
        framing: bytes of it that are no codes.
        target: bytes; near there more is looked at.
    """

    def __init__(self, estimate: RateEstimate, n_codebooks: int, *, nearest: float, framing: float, target: float):
        octaves = estimate.largest * 2.0 ** np.arange(-OCTAVES, 1)
        sizes = estimate.sizes(n_codebooks, octaves.tolist()) + framing
        at = int((sizes > target).sum())  # the octave that ends there
        if 0 < at < len(octaves):
            steps = octaves[at - 1] * 2.0 ** (np.arange(1, STEPS) / STEPS)
            octaves = np.insert(octaves, at, steps)
            sizes = np.insert(sizes, at, estimate.sizes(n_codebooks, steps.tolist()) + framing)
        first = octaves[0] / 16  # as good as 0
        self.weights = np.log(np.concatenate([[first], octaves]))
        self.sizes = np.log(np.minimum.accumulate(np.concatenate([[max(nearest, sizes[0])], sizes])))

    def weight(self, size: float) -> float:
        """λ for so many bytes: 0 where that is more than any λ gives, and at most the estimate's largest."""
        if math.log(size) >= self.sizes[0]:
            return 0.0
        return float(np.exp(np.interp(-math.log(size), -self.sizes, self.weights)))

    def expected(self, weight: float) -> float:
        """Bytes with λ."""
        at = self.weights[0] if weight == 0 else math.log(weight)
        return float(np.exp(np.interp(at, self.weights, self.sizes)))
