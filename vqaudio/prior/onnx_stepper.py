"""Along codes by ONNX Runtime: the integer network of :mod:`vqaudio.prior.network`, number for number, but quicker.

Most of what numpy takes for one column goes into beginning its many small operations, and the rest into weights that it
holds in float32. A run of a graph begins them all at once, on weights of a byte. What numbers it gives is not left to
trust: sessions are used only if they gave the same as numpy, on this machine, when they were made.
"""

from __future__ import annotations

import math
from itertools import count
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vqaudio.intnet.graph import ZERO
from vqaudio.intnet.grids import INT8
from vqaudio.intnet.linear import Numbers
from vqaudio.prior.base import NONE
from vqaudio.prior.graphs import column_biases, column_model, head_model
from vqaudio.prior.network import IntegerNetwork
from vqaudio.prior.stepping import IntegerStepper, NumpyStepper

TRIED_ROWS = 3
"""So many columns of random numbers the sessions are tried with."""


class Sessions:
    """The models of a network, ready to run on one thread: they are too small for more.

    Raises:
        ValueError: a network that no graph computes exactly, or a machine on which these graphs are not exact.
    """

    def __init__(self, network: IntegerNetwork):
        self.network = network
        self.column = _session(column_model(network))
        self.heads = [_session(head_model(network, stream)) for stream in range(len(network.streams))]
        self._try()

    def begin(self, batch_size: int, n_streams: int, *, condition: str) -> OnnxStepper:
        """A walk by these sessions: see :meth:`vqaudio.prior.base.Prior.begin`."""
        return OnnxStepper(self, batch_size, n_streams, condition=condition)

    def _try(self) -> None:
        """A column and all distributions, of numbers from all over their grids, many at the ends of these."""
        n_streams, places = len(self.heads), count()
        expected = NumpyStepper(self.network, TRIED_ROWS, n_streams, condition=NONE)
        found = self.begin(TRIED_ROWS, n_streams, condition=NONE)

        def numbers(*shape: int) -> Numbers:
            return mixed(next(places), TRIED_ROWS, *shape).clip(-INT8, INT8).astype(np.float32)

        for ring, start in zip(expected.rings, found.starts, strict=True):
            ring[0] = numbers(ring.shape[2])
            found.rings[:, start] = ring[0] + ZERO
        before = numbers(self.network.embeddings[0].shape[1])
        slow, quick = expected.next_column(before), found.next_column(before)
        same = np.array_equal(slow, quick - np.float32(ZERO))
        for stream in range(n_streams):
            logits, ends = found._run_head(stream, quick, before)
            known = expected.logits_of(stream, slow, before)
            frequencies = self.network.softmax.frequencies(known)
            same = same and np.array_equal(logits, known) and np.array_equal(ends, frequencies.cumsum(-1))
        if not same:
            raise ValueError("ONNX Runtime multiplies integers inexactly here")


class OnnxStepper(IntegerStepper):
    """By ONNX Runtime; what convolutions look back on is in rings, of all layers one after the other."""

    def __init__(self, sessions: Sessions, batch_size: int, n_streams: int, *, condition: str):
        network = sessions.network
        super().__init__(network, batch_size, n_streams)
        self.sessions, self.biases = sessions, column_biases(network, network.biases(n_streams, condition))
        self.dilations = np.array([layer.dilation for layer in network.layers])
        self.starts = self.dilations.cumsum() - self.dilations
        self.rings = np.full((batch_size, self.dilations.sum(), network.embed.weight.shape[1]), ZERO, np.uint8)

    def select(self, rows: NDArray[np.int64]) -> None:
        """See :meth:`IntegerStepper.select`."""
        super().select(rows)
        self.rings = self.rings[rows]

    def next_column(self, embedded: Numbers) -> NDArray[np.uint8]:
        """See :meth:`IntegerStepper.next_column`."""
        places = self.starts + self.frame % self.dilations
        past = self.rings[:, places]
        view = 0 if self.network.alphabet is None else self.view
        biases = {name: bias[view] for name, bias in self.biases.items()}
        inputs = {"embedded": embedded, "past": past.reshape(len(past), -1), **biases}
        context, seen = self.sessions.column.run(None, inputs)
        self.rings[:, places] = seen.reshape(past.shape)
        made: NDArray[np.uint8] = context
        return made

    def logits_of(self, stream: int, context: NDArray[Any], before: Numbers) -> Numbers:
        """See :meth:`IntegerStepper.logits_of`."""
        logits: Numbers = self._run_head(stream, context, before)[0]
        return logits

    def cumulative(self, stream: int) -> NDArray[np.int32]:
        """See :meth:`vqaudio.prior.base.Stepper.cumulative`."""
        ends: NDArray[np.int32] = self._run_head(stream, self.context(), self.before(stream))[1]
        return ends

    def _run_head(self, stream: int, context: NDArray[np.uint8], before: Numbers) -> list[NDArray[Any]]:
        made: list[NDArray[Any]] = self.sessions.heads[stream].run(None, {"context": context, "before": before})
        return made


def mixed(seed: int, *shape: int) -> NDArray[np.int64]:
    """Integers that look random, from ``-2 * INT8`` to ``2 * INT8``: half of them are beyond the grid.

    Importing ``numpy.random`` for them would take longer than all they are for. Source: Steele, Lea and Flood, "Fast
    splittable pseudorandom number generators", 2014: the mixing function of SplitMix64.
    """
    state = np.arange(1, 1 + math.prod(shape), dtype=np.uint64) + np.uint64(seed << 32)
    state *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ state >> np.uint64(shift)) * np.uint64(factor)
    state ^= state >> np.uint64(31)
    return (state % np.uint64(4 * INT8 + 1)).astype(np.int64).reshape(shape) - 2 * INT8


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
