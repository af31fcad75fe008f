"""Codes chosen for what they cost as well as for how near they come: rate-distortion-optimised assignment.

A code that is slightly farther from the features may be much cheaper to code after those before it. Frame by frame, a
beam over the codebooks looks for the smallest ``audibility * squared distance + weight * bits``; the bits are the
prior's, given the codes that were chosen before. Source: Chou, Lookabaugh & Gray, "Entropy-constrained vector
quantization", 1989, eq. 6; the beam as in :meth:`vqaudio.bottleneck.residual.ResidualVQ.encode`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vqaudio.bottleneck import Bottleneck, Choose, ResidualVQ
from vqaudio.bottleneck.vq import to_vectors
from vqaudio.errors import ModelError
from vqaudio.prior.base import NONE
from vqaudio.prior.grid import LOGIT
from vqaudio.prior.integer import IntegerPrior, IntegerStepper

Floats = NDArray[np.float32]
PATHS = 16
"""Sums of entries in view at each codebook."""
EXPONENT = 0.15
QUIET = 1e-10
LEAST_SHARE = 1e-4  # of energy, -40 dB: what is quieter is not left to the prior alone


def sparing(bottleneck: Bottleneck, n_streams: int, entry_cost: float) -> Choose:
    """Features to codes by :meth:`ResidualVQ.encode` with an ``entry_cost``: no prior is asked, so it is quick.

    Raises:
        ModelError: a bottleneck of another kind.
    """
    if not isinstance(bottleneck, ResidualVQ):
        raise ModelError("entries have a cost in residual codebooks alone")
    return lambda features, sound: bottleneck.encode(features, n_streams, entry_cost)


def audibility(sound: Tensor, frames: int) -> Tensor:
    """How much errors in each frame count: ``(batch, 1, samples)`` to float32 ``(batch, frames)``, at most 1.

    A power of the frame's energy over that of the louder frames: what is quiet beside them is heard less, and by
    Stevens' law loudness is about the 0.3th power of intensity ("The measurement of loudness", 1955). Half of that
    exponent was best for PESQ-WB and STOI at 0.9 kb/s.
    """
    energy = sound.float().square().reshape(len(sound), frames, -1).mean(-1)
    around = functional.pad(energy[:, None], (1, 1), mode="replicate")[:, 0]
    energy = (around[:, :-2] + 2.0 * energy + around[:, 2:]) / 4.0
    loud = energy.square().sum(1, keepdim=True) / energy.sum(1, keepdim=True).clamp(min=QUIET)
    return (energy / loud.clamp(min=QUIET)).clamp(LEAST_SHARE, 1.0) ** EXPONENT


class RateAware:
    """Features to codes, as an alternative to :meth:`Bottleneck.encode`.

    Args:
        bottleneck: one whose latents are sums of codebook entries.
        prior: what codes cost.
        n_streams: how many codebooks to use.
        weight: λ, squared distance per bit in the loudest frames; 0 is the beam search alone.
        condition: what the prior is told.

    Raises:
        ModelError: a bottleneck of another kind.
    """

    def __init__(
        self, bottleneck: Bottleneck, prior: IntegerPrior, n_streams: int, weight: float, condition: str = NONE
    ):
        books = bottleneck.entries()[:n_streams]
        if len(books) < n_streams or any(stream.stride != 1 for stream in bottleneck.streams[:n_streams]):
            raise ModelError("codes can be chosen by their cost only where latents are sums of codebook entries")
        self.books: list[Floats] = [book.detach().float().cpu().numpy() for book in books]
        self.norms = [np.square(book).sum(1) for book in self.books]
        self.prior, self.n_streams, self.weight, self.condition = prior, n_streams, weight, condition

    def __call__(self, features: Tensor, sound: Tensor) -> list[Tensor]:
        """``(batch, D, frames)`` to one LongTensor ``(batch, frames)`` per stream, each from a cold start.

        ``sound`` is what the features are of: ``(batch, 1, samples)``.
        """
        batch, frames = features.shape[0], features.shape[2]
        weights = self.weight / audibility(sound, frames).cpu().numpy()
        vectors = to_vectors(features).float().cpu().numpy().reshape(batch, frames, -1)
        chosen = np.zeros((self.n_streams, batch, frames), np.int64)
        for item in range(batch):
            stepper = self.prior.begin(1, self.n_streams, self.condition)
            for frame in range(frames):
                chosen[:, item, frame] = self._frame(vectors[item, frame], weights[item, frame], stepper)
        return [torch.from_numpy(codes).to(features.device) for codes in chosen]

    def _frame(self, vector: Floats, weight: np.float32, stepper: IntegerStepper) -> NDArray[np.int64]:
        """The codes of one frame, where a bit is worth ``weight``; the stepper goes on by it."""
        residuals, bits = vector[None], np.zeros(1, np.float32)
        before = np.zeros((1, self.prior.entries[0].shape[1]), np.float32)
        paths = np.zeros((1, 0), np.int64)
        for stream, (book, norms) in enumerate(zip(self.books, self.norms, strict=True)):
            left = np.square(residuals).sum(1)[:, None] - 2.0 * (residuals @ book.T) + norms
            costs = bits[:, None] + self._bits(stepper, stream, before)
            order = (left + weight * costs).ravel()
            kept = PATHS if stream + 1 < self.n_streams else 1
            best = np.argpartition(order, min(kept, order.size - 1))[:kept]
            best = best[np.argsort(order[best], kind="stable")]
            parent, code = np.divmod(best, len(book))
            residuals, bits = residuals[parent] - book[code], costs[parent, code]
            before = before[parent] + self.prior.entries[stream][code]
            paths = np.concatenate([paths[parent], code[:, None]], axis=1)
        found: NDArray[np.int64] = paths[0]
        for stream, chosen in enumerate(found):
            stepper.accept(stream, chosen[None])
        stepper.advance()
        return found

    def _bits(self, stepper: IntegerStepper, stream: int, before: Floats) -> Floats:
        """Of every code of a stream after each path: ``(paths, alphabet)``."""
        logits = stepper.logits_after(stream, before) * np.float32(2.0 ** -LOGIT[0])
        top = logits.max(-1, keepdims=True)
        total = top + np.log(np.exp(logits - top).sum(-1, keepdims=True))
        bits: Floats = (total - logits) / np.float32(math.log(2.0))
        return bits
