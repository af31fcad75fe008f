"""What codes cost by the integer prior, for many sequences and many ways to go on side by side.

The same arithmetic as :class:`vqaudio.prior.stepping.NumpyStepper`, and so the same logits, in torch and with scales
inside the weights: integers times powers of two, which float32 holds exactly in any order of summation. Nothing here
decides a byte; what a code costs only says whether it is worth choosing.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio.intnet.grids import GATE, INT8, LOGIT
from vqaudio.intnet.linear import Int8Linear, Requantize
from vqaudio.prior.base import NONE
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.network import Head


class _Linear:
    """A :class:`Int8Linear`: ``(rows, inputs)`` to ``(rows, outputs)``, with another ``bias`` if one is given."""

    def __init__(self, linear: Int8Linear, bias: NDArray[np.float32] | None = None):
        self.weight = torch.from_numpy(linear.weight * linear.scale)
        self.bias = torch.from_numpy((linear.bias if bias is None else bias) * linear.scale)
        self.limit = float(linear.limit)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x, self.weight).floor_().clamp_(-self.limit, self.limit)


class _Requantize:
    """A :class:`Requantize`; ``x`` stays as it is."""

    def __init__(self, requantize: Requantize):
        self.half, self.scale = (
            torch.tensor(requantize.half),
            torch.tensor(requantize.scale),
        )  # numbers would be converted anew
        self.limit = float(requantize.limit)

    def __call__(self, x: Tensor) -> Tensor:
        return (x + self.half).mul_(self.scale).floor_().clamp_(-self.limit, self.limit)


class _Head:
    """A :class:`vqaudio.prior.integer.Head`."""

    def __init__(self, head: Head):
        self.context, self.before = _Linear(head.context), _Linear(head.before)
        self.hidden_quantizer = _Requantize(head.hidden_quantizer)
        self.query, self.output_projection = _Linear(head.query), _Linear(head.output_projection)


class CodeCosts:
    """The prior's network for the first ``n_streams`` streams, under a condition.

    Raises:
        ModelError: a condition that the prior does not know.
    """

    def __init__(self, prior: IntegerPrior, n_streams: int, *, condition: str = NONE):
        self.embeddings = [torch.from_numpy(table) for table in prior.embeddings[:n_streams]]
        self.embed = _Linear(prior.embed)
        biases = prior.biases(n_streams, condition)
        self.layers = [
            (layer.dilation, _Requantize(layer.input_quantizer), _Linear(layer.gates, bias), _Linear(layer.out))
            for layer, bias in zip(prior.layers, biases, strict=True)
        ]
        self.tanh, self.sigmoid = torch.from_numpy(prior.tanh), torch.from_numpy(prior.sigmoid)
        self.logit = torch.tensor(2.0 ** -LOGIT[0])
        self.unit_quantizer, self.context_quantizer = (
            _Requantize(prior.unit_quantizer),
            _Requantize(prior.context_quantizer),
        )
        self.heads = [_Head(head) for head in prior.heads[:n_streams]]

    def begin(self, batch: int) -> CostStepper:
        """The start of so many sequences."""
        return CostStepper(self, batch)


class CostStepper:
    """Goes along sequences, frame by frame; each layer keeps what its convolution looks back on in a ring."""

    def __init__(self, costs: CodeCosts, batch: int):
        self.costs, self.frame = costs, 0
        width = costs.embed.weight.shape[1]
        self.rings = [torch.zeros(dilation, batch, width) for dilation, *_ in costs.layers]
        self.context = self._next(torch.zeros(batch, costs.embeddings[0].shape[1]))

    def log_probs(self, stream: int, prefix: Tensor) -> Tensor:
        """Log-probabilities in nats of the next code of a stream, ``(batch, paths, alphabet)``, 0 or below.

        ``prefix``: sums ``(batch, paths, code_dim)`` of the embeddings of this frame's codes of the streams before.
        """
        head, shape = self.costs.heads[stream], prefix.shape[:2]
        hidden = head.before(prefix.flatten(0, 1).clamp(-INT8, INT8)).view(*shape, -1)
        hidden = (hidden + head.context(self.context)[:, None]).clamp_(min=0)
        logits = head.output_projection(head.query(head.hidden_quantizer(hidden).flatten(0, 1)))
        return logits.mul_(self.costs.logit).log_softmax(-1).view(*shape, -1)

    def advance(self, embedded: Tensor) -> None:
        """To the next frame; ``(batch, code_dim)`` is the sum of the embeddings of the codes that were chosen."""
        self.frame += 1
        self.context = self._next(embedded)

    def _next(self, embedded: Tensor) -> Tensor:
        """What heads see of the past: ``(batch, skip_channels)``."""
        costs = self.costs
        x = costs.embed(embedded.clamp(-INT8, INT8))
        width = x.shape[1]
        skipped = torch.zeros(1)
        for (dilation, quantizer, gates, out), ring in zip(costs.layers, self.rings, strict=True):
            seen, place = quantizer(x), self.frame % dilation
            units = gates(torch.cat([ring[place], seen], 1)).long().add_(GATE[1])
            passed = costs.tanh.take(units[:, :width]) * costs.sigmoid.take(units[:, width:])
            made = out(costs.unit_quantizer(passed))
            ring[place] = seen
            x, skipped = x + made[:, :width], skipped + made[:, width:]
        return costs.context_quantizer(skipped.clamp(min=0))
