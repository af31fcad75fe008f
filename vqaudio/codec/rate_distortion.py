"""Codes chosen for what they cost as well as for how near they come: rate-distortion-optimised assignment.

A code that is slightly farther from the features may be much cheaper to code after those before it. Frame by frame, a
beam over the codebooks looks for the smallest ``perceptual weight * squared distance + λ * bits``; the bits are the
prior's, given the codes that were chosen before. Source: Chou, Lookabaugh & Gray, "Entropy-constrained vector
quantization", 1989, eq. 6; the beam as in :meth:`vqaudio.model.bottleneck.residual.ResidualVQ.encode`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vqaudio.codec.costs import CodeCosts, CostStepper
from vqaudio.errors import ModelError
from vqaudio.inference.base import CodeSearch, Floats, Quantizer, Tokens
from vqaudio.model.bottleneck.residual import gather_paths
from vqaudio.prior.base import NONE
from vqaudio.prior.integer import IntegerPrior

BEAM_WIDTH = 16
"""Sums of embeddings that are kept at each codebook."""
MAX_BATCH = 32
"""Sequences in a batch: with more, what is compared no longer fits a core's caches."""
GROUP = 32
"""Codes whose costs are compared at once."""
RATE_GAIN = 20.0
"""Of the logarithm of a bit's worth, for all that was planned that has been spent too much."""
LARGEST_GAIN = 8.0
"""Times what it would be, that a bit may become worth, or one over that."""
EXPONENT = 0.15
QUIET = 1e-10
LEAST_ENERGY = 1e-4  # of energy, -40 dB: what is quieter is not left to the prior alone


def code_cost_search(quantizer: Quantizer, n_streams: int, *, code_cost: float) -> CodeSearch:
    """A search in which every code costs as much, stop codes nothing: no prior is asked, so it is quick.

    Raises:
        ModelError: the bottleneck has no such search, see :meth:`Quantizer.encode`.
    """
    if not quantizer.has_code_costs:
        raise ModelError("codes have a cost in residual codebooks alone")
    return lambda features, waveform, frames: quantizer.encode(features[..., :frames], n_streams, code_cost=code_cost)


def perceptual_weights(waveform: Floats, frames: int) -> Floats:
    """How much errors in each frame count: ``(batch, 1, samples)`` to float32 ``(batch, frames)``, at most 1.

    A power of the frame's energy over that of the louder frames: what is quiet beside them is heard less, and by
    Stevens' law loudness is about the 0.3th power of intensity ("The measurement of loudness", 1955). Half of that
    exponent was best for PESQ-WB and STOI at 0.9 kb/s.

    Sounds are weighted one by one, so that how many there are changes nothing.
    """
    found = [_perceptual_weights(torch.from_numpy(one)[None], frames) for one in waveform]
    weights: Floats = torch.cat(found).numpy()
    return weights


def _perceptual_weights(waveform: Tensor, frames: int) -> Tensor:
    energy = waveform.float().square().reshape(len(waveform), frames, -1).mean(-1)
    around = functional.pad(energy[:, None], (1, 1), mode="replicate")[:, 0]
    energy = (around[:, :-2] + 2.0 * energy + around[:, 2:]) / 4.0
    loud = energy.square().sum(1, keepdim=True) / energy.sum(1, keepdim=True).clamp(min=QUIET)
    return (energy / loud.clamp(min=QUIET)).clamp(LEAST_ENERGY, 1.0) ** EXPONENT


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
        ModelError: a bottleneck of another kind.
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
        self.codebooks = [torch.from_numpy(book) for book in quantizer.additive_codebooks()[:n_streams]]
        self.norms = [book.square().sum(1) for book in self.codebooks]
        self.products = [(-2.0 * book.T).contiguous() for book in self.codebooks]
        self.costs = CodeCosts(prior, n_streams, condition=condition)
        self.n_streams, self.weight, self.beam_width = n_streams, weight, beam_width

    def __call__(self, features: Floats, waveform: Floats, frames: int) -> list[Tokens]:
        """``(batch, D, frames)`` to int64 codes ``(batch, frames)`` per stream, each from a cold start.

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

    @torch.inference_mode()
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
        vectors = torch.from_numpy(features).transpose(1, 2).contiguous()
        nats = torch.from_numpy(weights) / math.log(2.0)
        planned = None if plan is None else torch.from_numpy(plan)
        stepper = self.costs.begin(len(vectors))
        ahead = torch.zeros(len(vectors), 1)
        codes, bits = [], []
        for frame in range(vectors.shape[1]):
            worth = nats[:, frame, None]
            if planned is not None:
                worth = worth * ahead.mul(RATE_GAIN).exp().clamp(1.0 / LARGEST_GAIN, LARGEST_GAIN)
            chosen, spent = self._frame(vectors[:, frame], worth, stepper)
            codes.append(chosen)
            bits.append(spent / math.log(2.0))
            if planned is not None:
                ahead = ahead + (bits[-1] - planned[:, frame])[:, None] / planned.sum(1, keepdim=True).clamp(min=1.0)
        return list(torch.stack(codes, 2).numpy()), torch.stack(bits, 1).numpy()

    def _frame(self, vectors: Tensor, weights: Tensor, stepper: CostStepper) -> tuple[Tensor, Tensor]:
        """The codes ``(streams, batch)`` of one frame and their nats; the stepper goes on by it.

        ``vectors`` ``(batch, D)``, ``weights`` ``(batch, 1)`` of a nat.
        """
        batch = len(vectors)
        residuals, spent = vectors[:, None], vectors.new_zeros(batch, 1)
        prefix = vectors.new_zeros(batch, 1, self.costs.embeddings[0].shape[1])
        paths: list[Tensor] = []
        for stream, (codebook, norms, products) in enumerate(
            zip(self.codebooks, self.norms, self.products, strict=True)
        ):
            log_probs = stepper.log_probs(stream, prefix)
            left = torch.addmm(norms, residuals.flatten(0, 1), products).view_as(log_probs)
            left.addcmul_(weights[..., None], log_probs, value=-1.0)
            base = residuals.square().sum(-1) + weights * spent
            kept = smallest(left, base, count=self.beam_width if stream + 1 < self.n_streams else 1)
            parent, code = kept // len(codebook), kept % len(codebook)
            spent = spent.gather(1, parent) - log_probs.flatten(1).gather(1, kept)
            residuals = gather_paths(residuals, parent) - functional.embedding(code, codebook)
            prefix = gather_paths(prefix, parent) + functional.embedding(code, self.costs.embeddings[stream])
            paths = [path.gather(1, parent) for path in paths] + [code]
        stepper.advance(prefix[:, 0])
        return torch.cat(paths, 1).T, spent[:, 0]


def supports_rdo(quantizer: Quantizer, n_streams: int) -> bool:
    """Whether :class:`RateDistortionSearch` can choose codes of its first streams."""
    streams = quantizer.streams[:n_streams]
    return len(quantizer.additive_codebooks()[:n_streams]) == n_streams and all(
        stream.stride == 1 for stream in streams
    )


def smallest(values: Tensor, base: Tensor, *, count: int) -> Tensor:
    """Where the ``count`` smallest of ``values + base`` are, the smallest first; ``base`` is of whole rows.

    ``(batch, rows, width)`` and ``(batch, rows)`` to indices ``(batch, count)`` into the flattened ``values``, fewer
    where there are not as many. Only groups whose minima are among the smallest are looked at more closely, each of
    members that are far apart, so that minima are taken over whole rows of memory.
    """
    batch, rows, width = values.shape
    group = GROUP if width % GROUP == 0 else 1
    least = values.view(batch, rows, group, -1).amin(2) + base[..., None]
    columns = least.shape[2]
    groups = least.flatten(1).topk(min(count, rows * columns), dim=1, largest=False, sorted=False).indices
    row = groups // columns
    first = row * width + groups % columns
    members = (first[..., None] + torch.arange(0, width, columns)).flatten(1)
    found = values.flatten(1).gather(1, members) + base.gather(1, row).repeat_interleave(group, 1)
    best = found.topk(min(count, found.shape[1]), dim=1, largest=False).indices
    return members.gather(1, best)
