"""A file of a rate that was asked for: which codebooks, and which λ, found in few passes.

What a sound costs falls with λ, so λ is looked for where that is cheap: on a few blocks of the sound, for many λ side
by side and with few paths, by the prior's own numbers. Then the whole sound is coded, as a rule to a file within its
bounds. But codes hang on those before them, which makes cheap frames cheaper and dear ones dearer: sizes can jump
between two λ that are hardly apart. So if the file is not within its bounds, the sound is coded again with a plan: what
each frame cost, in proportion to what all may, from which λ is steered frame by frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from vqaudio.codec.rate_distortion import RateDistortionSearch
from vqaudio.codec.rate_estimate import RateCurve, RateEstimate
from vqaudio.container import SoundHeader
from vqaudio.container.trailer import trailer_bytes
from vqaudio.errors import RateError
from vqaudio.inference.base import CodeSearch, Floats, Tokens

LEAST = 0.95
"""Of the size that is asked for: smaller files leave bits unused."""
AIM = 0.98
"""Of that size: where passes are aimed at, so that what they miss it by is allowed on either side."""
FULLER = 1.25
"""With the nearest codes, the codebooks in use would take so many times what is asked for."""
CHUNK_BYTES = 13
"""Of a chunk, about, that are no codes: its head, its checks, its place in the index, the range coder's end."""
PASSES = 6
"""At most; short sounds may have no size within the bounds."""


class PlannedSearch:
    """:class:`RateDistortionSearch` that can be told what to spend: what it spent another time, or so many times of it.

    Attributes:
        spent: bits of each frame, ``(batch, frames)``, for each call.
    """

    def __init__(self, search: RateDistortionSearch, *, before: PlannedSearch | None = None, scale: float = 1.0):
        self.search, self.before, self.scale = search, before, scale
        self.spent: list[Floats] = []

    def __call__(self, features: Floats, sound: Floats, frames: int) -> list[Tokens]:
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
    return (
        len(header.to_bytes()) + len(trailer_bytes(n_samples, 0, index=b"")) + CHUNK_BYTES * header.n_chunks(n_samples)
    )


def fit(estimate: RateEstimate, *, framing: float, bounds: Bounds, attempt: Attempt) -> IO[bytes]:
    """The file that comes nearest to its bounds from below, by codebooks and λ.

    ``framing``: its bytes that are no codes.

    Raises:
        RateError: even the smallest is too large.
    """
    nearest = estimate.nearest() + framing
    enough = (n for n in range(bounds.least, bounds.most) if nearest[n - 1] >= FULLER * bounds.size)
    n_codebooks, target = next(enough, bounds.most), AIM * bounds.size
    for _ in range(2 * bounds.most):  # as a rule once
        curve = RateCurve(estimate, n_codebooks, nearest=nearest[n_codebooks - 1], framing=framing, target=target)
        weight = curve.weight(target)
        first = PlannedSearch(estimate.search(n_codebooks, weight=weight)) if weight else None
        file = attempt(n_codebooks, first)
        size = file.tell()
        if size > bounds.size and weight >= estimate.largest:
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
    search = estimate.search(n_codebooks, weight=min(max(other, weight / 2), 2 * weight))
    while first is not None and not LEAST * bounds.size <= size <= bounds.size and len(files) < PASSES:
        scale = _scale(tried, target, framing)
        files.append(attempt(n_codebooks, PlannedSearch(search, before=first, scale=scale)))
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


def fit_codebooks(first: int, *, bounds: Bounds, attempt: Attempt) -> IO[bytes]:
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
