"""What codes cost by the integer prior, for many sequences and many ways to go on side by side.

The same arithmetic as :class:`vqaudio.prior.stepping.NumpyStepper`, and so the same logits, with scales and biases
inside the weights: integers times powers of two, which float32 holds exactly in any order of summation. Nothing here
decides a byte; what a code costs only says whether it is worth choosing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqaudio.inference.base import Floats
from vqaudio.inference.products import product
from vqaudio.intnet.grids import GATE, INT8, LOGIT
from vqaudio.intnet.linear import Int8Linear, Requantize
from vqaudio.prior.base import NONE
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.network import Head

Indices = NDArray[np.intp]

LARGEST_EXPONENT = np.float32(60.0)
"""Exponentials of larger numbers may not be added up in float32."""
NATS, ZERO = np.float32(2.0 ** -LOGIT[0]), np.float32(0.0)


class _Linear:
    """A :class:`Int8Linear`: ``(rows, inputs)`` to ``(rows, outputs)``, with another ``bias`` if one is given."""

    def __init__(self, linear: Int8Linear, bias: Floats | None = None):
        self.weight = linear.weight * linear.scale
        self.bias = (linear.bias if bias is None else bias) * linear.scale
        self.limit = np.float32(linear.limit)
        self.may_exceed = bool((INT8 * np.abs(self.weight).sum(0) + np.abs(self.bias) > linear.limit).any())

    def __call__(self, x: Floats, *, out: Floats | None = None) -> Floats:
        made = np.empty((len(x), len(self.bias)), np.float32) if out is None else out
        product(x, self.weight, out=made)
        made += self.bias
        np.floor(made, out=made)
        if self.may_exceed:
            np.minimum(made, self.limit, out=made)
            np.maximum(made, -self.limit, out=made)
        return made


class _Requantize:
    """A :class:`Requantize`; ``x`` stays as it is."""

    def __init__(self, requantize: Requantize):
        self.half, self.scale = requantize.half * requantize.scale, requantize.scale
        self.limit = np.float32(requantize.limit)

    def __call__(self, x: Floats) -> Floats:
        made = x * self.scale
        made += self.half
        np.floor(made, out=made)
        np.minimum(made, self.limit, out=made)
        np.maximum(made, -self.limit, out=made)
        return made


class _Head:
    """A :class:`vqaudio.prior.network.Head`."""

    def __init__(self, head: Head):
        self.context, self.before = _Linear(head.context), _Linear(head.before)
        self.hidden_quantizer = _Requantize(head.hidden_quantizer)
        self.query, output = _Linear(head.query), _Linear(head.output_projection)
        self.output_projection = np.concatenate([output.weight, output.bias[None]])  # one pass less over its logits


class CodeCosts:
    """The prior's network for the first ``n_streams`` streams, under a condition.

    Raises:
        ModelError: a condition that the prior does not know.
    """

    def __init__(self, prior: IntegerPrior, n_streams: int, *, condition: str = NONE):
        self.embeddings = prior.embeddings[:n_streams]
        self.embed = _Linear(prior.embed)
        biases = prior.biases(n_streams, condition)
        self.layers = [
            (layer.dilation, _Requantize(layer.input_quantizer), _Linear(layer.gates, bias), _Linear(layer.out))
            for layer, (bias,) in zip(prior.layers, biases, strict=True)
        ]
        self.context_quantizer = _Requantize(prior.context_quantizer)
        self.heads = [_Head(head) for head in prior.heads[:n_streams]]
        self.units = prior.unit_quantizer(prior.tanh[:, None] * prior.sigmoid)  # of each two numbers that gates may be

    def begin(self, batch: int) -> CostStepper:
        """The start of so many sequences."""
        return CostStepper(self, batch)


class CostStepper:
    """Goes along sequences, frame by frame; each layer keeps what its convolution looks back on in a ring."""

    def __init__(self, costs: CodeCosts, batch: int):
        self.costs, self.frame, self.batch = costs, 0, batch
        self.width = width = costs.embed.weight.shape[1]
        self.rings = [np.zeros((dilation, batch, width), np.float32) for dilation, *_ in costs.layers]
        self.columns = np.empty((batch, 2 * width), np.float32)
        self.context = self._next(np.zeros((batch, costs.embeddings[0].shape[1]), np.float32))

    def logits(
        self, stream: int, prefix: Floats, *, sequences: Indices, out: Floats, memory: Floats
    ) -> tuple[Floats, Floats]:
        """What a stream's next code costs in nats, as two terms: the second less the first.

        Args:
            stream: which.
            prefix: sums ``(rows, code_dim)`` of the embeddings of this frame's codes of the streams before.
            sequences: which sequence each row goes on with, ``(rows,)``.
            out: where the first term is put, ``(rows, alphabet)``.
            memory: as large, to work with.

        Returns:
            The logits, which are ``out``, and the logarithm of the sum of their exponentials, ``(rows,)``.
        """
        head = self.costs.heads[stream]
        hidden = head.before(_cut(prefix))
        hidden += head.context(self.context)[sequences]
        np.maximum(hidden, ZERO, out=hidden)
        query = np.ones((len(prefix), len(head.output_projection)), np.float32)
        query[:, :-1] = head.query(head.hidden_quantizer(hidden))
        product(query, head.output_projection, out=out)
        np.floor(out, out=out)
        out *= NATS
        largest = out.max()
        if largest > LARGEST_EXPONENT:  # then the others' exponentials may vanish
            np.maximum(np.subtract(out, largest, out=out), -LARGEST_EXPONENT, out=out)
        return out, np.log(np.exp(out, out=memory).sum(1))

    def advance(self, embedded: Floats) -> None:
        """To the next frame; ``(batch, code_dim)`` is the sum of the embeddings of the codes that were chosen."""
        self.frame += 1
        self.context = self._next(embedded)

    def _next(self, embedded: Floats) -> Floats:
        """What heads see of the past: ``(batch, skip_channels)``."""
        costs, width = self.costs, self.width
        past, seen = self.columns[:, :width], self.columns[:, width:]
        x = costs.embed(_cut(embedded))
        skipped = np.zeros((self.batch, len(costs.heads[0].context.weight)), np.float32)
        n_gates = np.float32(len(costs.units))
        middle = np.float32(GATE[1]) * (n_gates + 1)
        for (dilation, quantizer, gates, out), ring in zip(costs.layers, self.rings, strict=True):
            place = self.frame % dilation
            past[...], seen[...] = ring[place], quantizer(x)
            ring[place] = seen
            gated = gates(self.columns)
            both = gated[:, :width] * n_gates
            both += gated[:, width:]
            both += middle
            made = out(costs.units.take(both.astype(np.intp)))
            x += made[:, :width]
            skipped += made[:, width:]
        return costs.context_quantizer(np.maximum(skipped, ZERO))


def _cut(sums: Floats) -> Floats:
    """Sums of embeddings to int8."""
    made: Floats = np.maximum(np.minimum(sums, INT8), -INT8)
    return made
