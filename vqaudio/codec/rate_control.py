"""A file of a rate that was asked for: which codebooks, and which λ, found in few passes.

What a sound costs falls with λ, so λ is looked for where that is cheap: on a few blocks of the sound, for many λ side
by side and with few paths, by the prior's own numbers. Then the whole sound is coded, as a rule to a file within its
bounds. But codes hang on those before them, which makes cheap frames cheaper and dear ones dearer: sizes can jump
between two λ that are hardly apart. So if the file is not within its bounds, the sound is coded again with a plan: what
each frame cost, in proportion to what all may, from which λ is steered frame by frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio.audio.source import Source
from vqaudio.codec.blocks import block_features, sound_blocks
from vqaudio.codec.rate_distortion import AT_ONCE, RateDistortionSearch, perceptual_weights
from vqaudio.codec.rate_distortion import BEAM_WIDTH as FULL_BEAM_WIDTH
from vqaudio.container import SoundHeader
from vqaudio.container.trailer import trailer_bytes
from vqaudio.errors import RateError
from vqaudio.intnet.intervals import bits_of
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck import CodeSearch
from vqaudio.prior.base import NONE
from vqaudio.prior.integer import IntegerPrior

LEAST = 0.95
"""Of the size that is asked for: smaller files leave bits unused."""
AIM = 0.98
"""Of that size: where passes are aimed at, so that what they miss it by is allowed on either side."""
FULLER = 1.25
"""With the nearest codes, the codebooks in use would take so many times what is asked for."""
SAMPLED = 4
"""Blocks of the sound to look at."""
BEAM_WIDTH = 4
"""Sums of embeddings in view at each codebook while looking: sizes differ by some percent from the full search's."""
OCTAVES = 9
"""From the smallest λ to look at to the largest."""
STEPS = 6
"""In the octave where the right λ is."""
CHUNK_BYTES = 13
"""Of a chunk, about, that are no codes: its head, its checks, its place in the index, the range coder's end."""
PASSES = 6
"""At most; short sounds may have no size within the bounds."""

Floats = NDArray[np.float64]


class Steered:
    """:class:`RateDistortionSearch` that can be told what to spend: what it spent another time, or so many times of it.

    Attributes:
        spent: bits of each frame, ``(batch, frames)``, for each call.
    """

    def __init__(self, search: RateDistortionSearch, before: Steered | None = None, scale: float = 1.0):
        self.search, self.before, self.scale = search, before, scale
        self.spent: list[Tensor] = []

    def __call__(self, features: Tensor, sound: Tensor, frames: int) -> list[Tensor]:
        """As :meth:`RateDistortionSearch.__call__`, for the same calls as before in the same order."""
        plan = None if self.before is None else self.scale * self.before.spent[len(self.spent)]
        codes, bits = self.search.encode_with_bits(features, sound, frames, plan=plan)
        self.spent.append(bits)
        return codes


Attempt = Callable[[int, CodeSearch | None], IO[bytes]]
"""Codes the whole sound with so many codebooks, and codes chosen so, into a file that stands at its end."""


@dataclass(frozen=True)
class Bounds:
    """What may be chosen, and what may come of it.

    Attributes:
        least, most: codebooks.
        kbps: thousand bits a second, of the whole file.
        seconds: of sound.

    Raises:
        RateError: that is no rate.
    """

    least: int
    most: int
    kbps: float
    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.kbps < math.inf:
            raise RateError(f"{self.kbps:g} kb/s asked for, expected a number above 0")

    @property
    def size(self) -> int:
        """Bytes of the largest file."""
        return math.floor(self.kbps * self.seconds * 125 + 1e-6)

    def too_small(self, smallest: int) -> RateError:
        """What is wrong where the smallest file has so many bytes, more than are allowed."""
        rate = math.ceil(100 * smallest / self.seconds / 125) / 100
        return RateError(
            f"{self.kbps:g} kb/s asked for, but the smallest file of these {self.seconds:.2f} s of sound "
            f"takes {rate:.2f}: ask for that or more"
        )


def framing(header: SoundHeader, n_samples: int) -> int:
    """Bytes, about, of a file of a sound that are no codes."""
    return len(header.to_bytes()) + len(trailer_bytes(n_samples, 0, b"")) + CHUNK_BYTES * header.n_chunks(n_samples)


class Sample:
    """A few blocks, evenly spread over a sound, and what their codes cost.

    Attributes:
        largest: λ; with larger ones the prior decides alone.
    """

    def __init__(
        self,
        model: Autoencoder,
        prior: IntegerPrior,
        sound: Source,
        block_frames: int,
        n_frames: int,
        margin: int = 0,
        condition: str = NONE,
    ):
        self.bottleneck, self.prior, self.condition, self.n_frames = model.bottleneck, prior, condition, n_frames
        step = -(-n_frames // (block_frames * max(1, SAMPLED // sound.channels)))
        opened = list(islice(sound_blocks(model, sound, block_frames, margin), step // 2, None, step))
        batch = block_features(model, opened)
        self.features, self.perceptual_weights = batch.features, perceptual_weights(batch.sound, block_frames)
        self.kept = torch.zeros(len(self.features), block_frames)
        for block, rows in zip(opened, batch.rows, strict=True):
            self.kept[rows, : block.kept] = 1.0
        self.share = n_frames / sum(block.kept for block in opened)
        bits = np.cumsum([stream.bits for stream in model.bottleneck.streams])
        self.packed: Floats = bits * float(self.kept.sum()) * self.share / 8  # where the prior is of no use
        codebook = model.bottleneck.additive_codebooks()[0].float()
        self.largest = 2.0**4 * float(codebook.square().sum(1).mean()) / float(bits[-1])

    def search(self, n_codebooks: int, weight: float, beam_width: int = FULL_BEAM_WIDTH) -> RateDistortionSearch:
        """What chooses codes of so many codebooks, with λ."""
        return RateDistortionSearch(
            self.bottleneck,
            self.prior,
            n_streams=n_codebooks,
            weight=weight,
            condition=self.condition,
            beam_width=beam_width,
        )

    def nearest(self) -> Floats:
        """Bytes of all the sound's codes with the first codebook, the first two, ..., each code the nearest."""
        codes = [part.cpu().numpy().astype(np.int64) for part in self.bottleneck.encode(self.features)]
        found = self.prior.intervals(codes, self.condition)
        bits = [float((bits_of(frequencies) * self.kept.numpy()).sum()) for _, frequencies in found]
        sizes: Floats = np.minimum(np.cumsum(bits) * self.share / 8, self.packed)
        return sizes

    def sizes(self, n_codebooks: int, weights: Sequence[float]) -> Floats:
        """Bytes of all the sound's codes with so many codebooks, for each λ."""
        search = self.search(n_codebooks, 0.0, BEAM_WIDTH)
        batch, found = len(self.features), []
        several = max(1, AT_ONCE // batch)
        for at in range(0, len(weights), several):
            part = weights[at : at + several]
            worth = torch.cat([weight / self.perceptual_weights for weight in part])
            _, bits = search.search(self.features.repeat(len(part), 1, 1), worth)
            found += (bits.view(len(part), batch, -1) * self.kept).sum((1, 2)).tolist()
        sizes: Floats = np.minimum(np.array(found) * self.share / 8, self.packed[n_codebooks - 1])
        return sizes


class Curve:
    """The size of a file by λ, with one number of codebooks: what a sample says, put right by what files say.

    Args:
        sample: of the sound.
        n_codebooks: how many.
        nearest: bytes of the file with λ 0.
        framing: bytes of it that are no codes.
        target: bytes; near there more is looked at.
    """

    def __init__(self, sample: Sample, n_codebooks: int, nearest: float, framing: float, target: float):
        octaves = sample.largest * 2.0 ** np.arange(-OCTAVES, 1)
        sizes = sample.sizes(n_codebooks, octaves.tolist()) + framing
        at = int((sizes > target).sum())  # the octave that ends there
        if 0 < at < len(octaves):
            steps = octaves[at - 1] * 2.0 ** (np.arange(1, STEPS) / STEPS)
            octaves = np.insert(octaves, at, steps)
            sizes = np.insert(sizes, at, sample.sizes(n_codebooks, steps.tolist()) + framing)
        first = octaves[0] / 16  # as good as 0
        self.weights = np.log(np.concatenate([[first], octaves]))
        self.sizes = np.log(np.minimum.accumulate(np.concatenate([[max(nearest, sizes[0])], sizes])))

    def weight(self, size: float) -> float:
        """λ for so many bytes: 0 where that is more than any λ gives, and at most the sample's largest."""
        if math.log(size) >= self.sizes[0]:
            return 0.0
        return float(np.exp(np.interp(-math.log(size), -self.sizes, self.weights)))

    def expected(self, weight: float) -> float:
        """Bytes with λ."""
        at = self.weights[0] if weight == 0 else math.log(weight)
        return float(np.exp(np.interp(at, self.weights, self.sizes)))


def fit(sample: Sample, framing: float, bounds: Bounds, attempt: Attempt) -> IO[bytes]:
    """The file that comes nearest to its bounds from below, by codebooks and λ.

    ``framing``: its bytes that are no codes.

    Raises:
        RateError: even the smallest is too large.
    """
    nearest = sample.nearest() + framing
    enough = (n for n in range(bounds.least, bounds.most) if nearest[n - 1] >= FULLER * bounds.size)
    n_codebooks, target = next(enough, bounds.most), AIM * bounds.size
    for _ in range(2 * bounds.most):  # as a rule once
        curve = Curve(sample, n_codebooks, nearest[n_codebooks - 1], framing, target)
        weight = curve.weight(target)
        first = Steered(sample.search(n_codebooks, weight)) if weight else None
        file = attempt(n_codebooks, first)
        size = file.tell()
        if size > bounds.size and weight >= sample.largest:
            if n_codebooks == bounds.least:
                raise bounds.too_small(size)
            n_codebooks = bounds.least
        elif size < LEAST * bounds.size and first is None and n_codebooks < bounds.most:
            n_codebooks += 1
        else:
            break
    files, tried = [file], [(1.0, size)]
    # Where sizes jump, the curve may be far from what came of it: what was spent tells more.
    other = curve.weight(curve.expected(weight) * target / size)
    search = sample.search(n_codebooks, min(max(other, weight / 2), 2 * weight))
    while first is not None and not LEAST * bounds.size <= size <= bounds.size and len(files) < PASSES:
        scale = _scale(tried, target, framing)
        files.append(attempt(n_codebooks, Steered(search, first, scale)))
        size = files[-1].tell()
        tried.append((scale, size))
    fitting = [file for file in files if file.tell() <= bounds.size]
    if not fitting:
        raise bounds.too_small(min(file.tell() for file in files))
    return max(fitting, key=lambda file: file.tell())


def _scale(tried: list[tuple[float, int]], target: float, framing: float) -> float:
    """What to plan for a file of ``target`` bytes, after such plans made such sizes; the first was no plan."""
    above = min((pair for pair in tried[1:] if pair[1] > target), key=lambda pair: pair[1], default=None)
    below = max((pair for pair in tried[1:] if pair[1] <= target), key=lambda pair: pair[1], default=None)
    if above is not None and below is not None and above[0] > below[0]:
        share = (target - below[1]) / (above[1] - below[1])
        return below[0] + min(max(share, 0.1), 0.9) * (above[0] - below[0])
    scale, size = tried[-1]
    if len(tried) > 2 and (size - tried[-2][1]) * (scale - tried[-2][0]) > 0:
        slope = (size - tried[-2][1]) / (scale - tried[-2][0])
        return scale * min(max(1.0 + (target - size) / (slope * scale), 0.7), 1.4)
    return scale * max(target - framing, 0.1 * target) / max(size - framing, 0.1 * size)


def fit_codebooks(first: int, bounds: Bounds, attempt: Attempt) -> IO[bytes]:
    """The same by codebooks alone, where codes cannot be chosen by their cost; ``first`` is a guess how many.

    Raises:
        RateError: even the fewest codebooks make a file too large.
    """
    best = None
    n_codebooks, going = min(max(first, bounds.least), bounds.most), 0
    while bounds.least <= n_codebooks <= bounds.most:
        file = attempt(n_codebooks, None)
        fits = file.tell() <= bounds.size
        if fits:
            best = file
        onward = 1 if fits else -1
        if going == -onward:
            break
        going = onward
        n_codebooks += going
    if best is None:
        raise bounds.too_small(file.tell())
    return best
