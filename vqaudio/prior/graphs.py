"""An integer network as ONNX models, weights included: one for its next column, one for each stream's distributions.

They give, number for number, what :mod:`vqaudio.prior.network` gives. Where numbers enter a product, and so between
models, they are uint8 with a zero point of 128: see :mod:`vqaudio.intnet.graph`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqaudio.intnet.graph import TIE, ZERO, Graph, scaled_bias
from vqaudio.intnet.grids import EXACT, GATE, LARGEST_BIAS, SUM
from vqaudio.intnet.linear import Numbers
from vqaudio.prior.network import Head, IntegerNetwork


def column_model(network: IntegerNetwork) -> bytes:
    """The model of a column.

    Inputs: ``embedded``, float32 ``(batch, code_dim)``, the sum of the embeddings of the frame before; ``past``, uint8
    ``(batch, layers * channels)``, what each layer looks back on; and for each layer a bias ``(2 * channels,)``, see
    :func:`column_biases`, or one ``(batch, 2 * channels)`` where the prior knows text.
    Outputs: uint8 ``(batch, skip_channels)``, what heads see of the past; and what layers will look back on, like
    ``past``.

    Raises:
        ValueError: weights for which float32 would not be exact.
    """
    graph, width = Graph(), network.embed.weight.shape[1]
    embedded = graph.input("embedded", np.float32, "batch", network.embed.weight.shape[0])
    past = graph.input("past", np.uint8, "batch", len(network.layers) * width)
    pasts = graph.add_several("Split", past, outputs=len(network.layers), axis=1, num_outputs=len(network.layers))
    by_row = network.alphabet is not None  # as rows have symbols of their own in view
    shape = ("batch", 2 * width) if by_row else (2 * width,)
    biases = [graph.input(f"bias_{index}", np.float32, *shape) for index in range(len(network.layers))]
    context, seen = add_column(graph, network, embedded, pasts=pasts, biases=biases, by_row=by_row)
    return graph.model({context: np.uint8, graph.add("Concat", *seen, axis=1): np.uint8})


def add_column(
    graph: Graph,
    network: IntegerNetwork,
    embedded: str,
    *,
    pasts: Sequence[str],
    biases: Sequence[str],
    by_row: bool = False,
) -> tuple[str, list[str]]:
    """Add a column to a graph.

    Args:
        graph: to which it is added.
        network: whose column.
        embedded: as for :func:`column_model`.
        pasts: what layers look back on.
        biases: as :func:`column_biases` makes them.
        by_row: these are ``(batch, 2 * channels)``, each row's own.

    Returns:
        What heads see of the past; and what each layer will look back on.

    Raises:
        ValueError: weights for which float32 would not be exact.
    """
    if 4 * (1 + len(network.layers)) * SUM[1] >= EXACT:
        raise ValueError(f"sums over its {len(network.layers)} layers are too large for float32 to hold a quarter more")
    width, skip = network.embed.weight.shape[1], network.heads[0].context.weight.shape[0]
    units, seen = _units(network), []
    x = graph.add("Add", graph.linear(graph.to_uint8(embedded), network.embed), graph.constant(TIE, np.float32))
    sums = graph.add("Pad", x, graph.constant([0, 0, 0, skip], np.int64), graph.constant(TIE, np.float32))
    for layer, before, bias in zip(network.layers, pasts, biases, strict=True):
        scaled_bias(layer.gates, np.full_like(layer.gates.bias, LARGEST_BIAS), GATE[1])  # raises where it is not exact
        seen.append(graph.requantize(graph.columns(sums, 0, width), layer.input_quantizer))
        columns = graph.add("Concat", before, seen[-1], axis=1)
        gates = graph.linear_to_indices(columns, layer.gates, bias=bias, by_row=by_row)
        tanh, sigmoid = graph.add_several("Split", gates, outputs=2, axis=1, num_outputs=2)
        row = graph.add("Mul", tanh, graph.constant(2 * GATE[1] + 1, np.int32))
        passed = graph.look_up(units, graph.add("Add", row, sigmoid), width)
        sums = graph.add("Add", sums, graph.linear(passed, layer.out))
    return graph.requantize(graph.columns(sums, width, width + skip), network.context_quantizer, lowest=0), seen


def column_biases(network: IntegerNetwork, biases: list[Numbers]) -> dict[str, Numbers]:
    """Inputs of :func:`column_model`, of what :meth:`IntegerNetwork.biases` gives: a row for each view.

    Raises:
        ValueError: float32 does not hold them.
    """
    return {
        f"bias_{index}": scaled_bias(layer.gates, bias, GATE[1])
        for index, (layer, bias) in enumerate(zip(network.layers, biases, strict=True))
    }


def head_model(network: IntegerNetwork, stream: int) -> bytes:
    """The model of a stream's distributions.

    Inputs: ``context``, what :func:`column_model` gave; ``before``, float32 ``(batch, code_dim)``, the sum of the
    embeddings of the streams before. Outputs: logits, float32 ``(batch, alphabet)``, and the ends of their intervals.

    Raises:
        ValueError: weights for which float32 would not be exact.
    """
    graph, head = Graph(), network.heads[stream]
    context = graph.input("context", np.uint8, "batch", head.context.weight.shape[0])
    before = graph.input("before", np.float32, "batch", head.before.weight.shape[0])
    logits = add_logits(graph, head, context, before=before)
    ends = graph.cumulative(logits, network.softmax, network.streams[stream].alphabet)
    return graph.model({logits: np.float32, ends: np.int32})


def add_logits(graph: Graph, head: Head, context: str, *, before: str) -> str:
    """Add a stream's logits to a graph, float32 ``(batch, alphabet)``: see :func:`head_model`."""
    parts = graph.linear(context, head.context), graph.linear(graph.to_uint8(before), head.before)
    hidden = graph.add("Sum", *parts, graph.constant(TIE, np.float32))
    query = graph.linear_to_uint8(graph.requantize(hidden, head.hidden_quantizer, lowest=0), head.query)
    return graph.linear(query, head.output_projection)


def _units(network: IntegerNetwork) -> NDArray[np.uint8]:
    """What units pass on for all pairs of what tanh and sigmoid see, a row for each of tanh: one look-up for both."""
    passed = network.unit_quantizer(network.tanh[:, None] * network.sigmoid)
    units: NDArray[np.uint8] = (passed + ZERO).astype(np.uint8).ravel()
    return units
