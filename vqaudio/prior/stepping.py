"""Along codes by an integer network, a column at a time: what all ways to compute share, and the one in numpy."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.intnet.intervals import Integers
from vqaudio.intnet.linear import Numbers
from vqaudio.prior.base import Stepper
from vqaudio.prior.network import IntegerNetwork, cut
from vqaudio.prior.text import AGES, HOLD, view_of


class IntegerStepper(Stepper):
    """A walk along the codes of a batch, by the logits of a network; where these come from is left open."""

    def __init__(self, network: IntegerNetwork, batch_size: int, n_streams: int):
        self.network, self.frame = network, 0
        dim = network.embeddings[0].shape[1]
        n_codebooks = min(n_streams, network.n_codebooks)
        self.embeddings = np.zeros((n_codebooks, batch_size, dim), np.float32)  # those in view, of each codebook
        self.symbol, self.age = np.zeros((2, batch_size), np.int64)  # in view, where the text is in use
        self.column: NDArray[Any] | None = None

    @abstractmethod
    def next_column(self, embedded: Numbers) -> NDArray[Any]:
        """What heads see of the past, from the sum ``(batch, code_dim)`` of the embeddings of the frame before."""

    @abstractmethod
    def logits_of(self, stream: int, context: NDArray[Any], before: Numbers) -> Numbers:
        """``(batch, alphabet)`` from what :meth:`next_column` gave and the sum of embeddings of the streams before."""

    def frequencies(self, stream: int) -> Integers:
        """See :meth:`Stepper.frequencies`."""
        return self.network.softmax.frequencies(self.logits(stream))

    def logits(self, stream: int) -> Numbers:
        """``(batch, alphabet)``, in steps of 2**-5 nats."""
        return self.logits_of(stream, self.context(), self.before(stream))

    def before(self, stream: int) -> Numbers:
        """The sum ``(batch, code_dim)`` of the embeddings in view of the streams before."""
        total: Numbers = self.embeddings[:stream].sum(0)
        return total

    def accept(self, stream: int, codes: Integers) -> None:
        """See :meth:`Stepper.accept`."""
        self.context()
        if stream < self.network.n_codebooks:
            self.embeddings[stream] = self.network.embeddings[stream][codes]
        else:
            self.symbol = np.where(codes == HOLD, self.symbol, codes)
            self.age = np.where(codes == HOLD, np.minimum(self.age + 1, AGES - 1), 0)

    def advance(self) -> None:
        """See :meth:`Stepper.advance`."""
        self.context()
        self.frame, self.column = self.frame + 1, None

    def select(self, rows: Integers) -> None:
        """Go on with these sequences of the batch in its place, any of them several times."""
        self.embeddings, self.symbol, self.age = self.embeddings[:, rows], self.symbol[rows], self.age[rows]
        if self.column is not None:
            self.column = self.column[rows]

    @property
    def view(self) -> Integers:
        """What is in view of the text, as a number for each sequence ``(batch,)``; 0 where it is not in use."""
        return view_of(self.symbol, self.age)

    def context(self) -> NDArray[Any]:
        """What heads see at this frame: made before any of its codes comes into view, asked for or not."""
        if self.column is None:
            self.column = self.next_column(self.embeddings.sum(0))
        return self.column


class NumpyStepper(IntegerStepper):
    """In numpy; each layer keeps what its convolution looks back on in a ring."""

    def __init__(self, network: IntegerNetwork, batch_size: int, n_streams: int, *, condition: str):
        super().__init__(network, batch_size, n_streams)
        self.biases = network.biases(n_streams, condition)
        width = network.embed.weight.shape[1]
        self.rings = [np.zeros((layer.dilation, batch_size, width), np.float32) for layer in network.layers]

    def select(self, rows: Integers) -> None:
        """See :meth:`IntegerStepper.select`."""
        super().select(rows)
        self.rings = [ring[:, rows] for ring in self.rings]

    def next_column(self, embedded: Numbers) -> Numbers:
        """See :meth:`IntegerStepper.next_column`."""
        network = self.network
        x = network.embed(cut(embedded))
        skipped: Numbers = np.zeros(1, np.float32)
        view = self.view
        for layer, ring, bias in zip(network.layers, self.rings, self.biases, strict=True):
            seen, place = layer.input_quantizer(x), self.frame % layer.dilation
            added, part = network.pass_layer(layer, ring[place], seen, bias[view])
            ring[place] = seen
            x, skipped = x + added, skipped + part
        return network.context(skipped)

    def logits_of(self, stream: int, context: NDArray[Any], before: Numbers) -> Numbers:
        """See :meth:`IntegerStepper.logits_of`."""
        return self.network.logits(stream, context, before)
