"""A prior as an ONNX file that stands alone: each run is one frame, sampled stream by stream.

::

    codes of the frame before, state ──prior.onnx──▶ codes of this frame, next state, logits

The same integers as in :mod:`vqaudio.prior.network`. What layers look back on is a state that is handed from run to
run. Codes are those with the largest sum of logit and ``noise``: with Gumbel noise samples, with none the likeliest,
and where one code's noise is large enough that code, so that codes which are known can be scored.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from vqaudio.errors import ModelError
from vqaudio.intnet.graph import Graph
from vqaudio.intnet.grids import GATE, INT8, LARGEST_BIAS, LOGIT
from vqaudio.prior.graphs import add_column, add_logits
from vqaudio.prior.network import IntegerNetwork


def step_model(network: IntegerNetwork, *, name: str) -> onnx.ModelProto:
    """The model of a frame, for codes of all codebooks; a text in step with them is left out.

    Inputs: ``before``, int64 ``(batch, streams)``, the codes of the frame before, -1 where there is none; ``state``,
    uint8 ``(batch, columns, channels)``, at first full of 128; ``noise``, float32 ``(batch, streams, alphabet)``; and
    where the prior knows labels ``condition``, int64 ``(fields,)``: for each 0, or 1 and up in the order of its labels.
    Outputs: ``codes``, like ``before``; ``next_state``; and ``logits`` in nats, like ``noise``.

    Raises:
        ModelError: streams of several strides or alphabets.
        ValueError: weights for which float32 would not be exact.
    """
    streams = network.codebooks
    if len(set(streams)) > 1 or streams[0].stride > 1:
        raise ModelError(f"the prior of {name} is for streams of several rates or alphabets, which no ONNX file holds")
    graph, n_streams = Graph(), len(streams)
    width = network.embed.weight.shape[1]
    before = graph.input("before", np.int64, "batch", n_streams)
    state = graph.input("state", np.uint8, "batch", sum(layer.dilation for layer in network.layers), width)
    noise = graph.input("noise", np.float32, "batch", n_streams, streams[0].alphabet)
    tables = [graph.constant(np.pad(table, ((0, 1), (0, 0))), np.float32) for table in network.embeddings]  # -1: zeros
    rows = [graph.add("Gather", table, _part(graph, before, at)) for at, table in enumerate(tables)]
    embedded = _flat(graph, graph.add("Sum", *rows))

    starts = [0, *accumulate(layer.dilation for layer in network.layers)]
    pasts = [_flat(graph, _part(graph, state, start)) for start in starts[:-1]]
    context, seen = add_column(graph, network, embedded, pasts=pasts, biases=_biases(graph, network))
    columns = []
    for start, end, column in zip(starts, starts[1:], seen, strict=False):
        columns += [_part(graph, state, start + 1, end)] if end > start + 1 else []
        columns.append(_deep(graph, column))

    logits, codes = [], []
    total = graph.add("Mul", embedded, graph.constant(0, np.float32))
    for stream, (head, table) in enumerate(zip(network.heads, tables, strict=False)):
        steps = _deep(graph, add_logits(graph, head, context, before=total))
        logits.append(graph.add("Mul", steps, graph.constant(2.0 ** -LOGIT[0], np.float32)))
        noisy = graph.add("Add", logits[-1], _part(graph, noise, stream))
        codes.append(graph.add("ArgMax", noisy, axis=2, keepdims=0))
        total = graph.add("Add", total, _flat(graph, graph.add("Gather", table, codes[-1])))

    types: dict[str, type[np.generic]] = {"codes": np.int64, "next_state": np.uint8, "logits": np.float32}
    for output, parts in zip(types, (codes, columns, logits), strict=True):
        graph.nodes.append(helper.make_node("Concat", parts, [output], axis=1))
    model: onnx.ModelProto = onnx.load_from_string(graph.model(types))
    given = {value.name: value.type.tensor_type.shape for value in model.graph.input}
    for value, like in zip(model.graph.output, ("before", "state", "noise"), strict=True):
        value.type.tensor_type.shape.CopyFrom(given[like])
    helper.set_model_props(model, {"model": name, "fingerprint": network.codec, "prior": network.fingerprint})
    return model


def description(network: IntegerNetwork) -> dict[str, Any]:
    """What a program needs to know of a prior beside its graph."""
    columns = sum(layer.dilation for layer in network.layers)
    return {
        "fingerprint": network.fingerprint,
        "state": [columns, network.embed.weight.shape[1]],
        "fields": {field: list(labels) for field, labels in network.fields.items()},
    }


def _biases(graph: Graph, network: IntegerNetwork) -> list[str]:
    """What :meth:`IntegerNetwork.biases` and :func:`column_biases` make for all codebooks, in float64: it is exact."""
    total = graph.constant(network.active_streams[network.n_codebooks - 1], np.float64)
    if network.fields:
        condition = graph.input("condition", np.int64, len(network.fields))
        for field, table in enumerate(network.tables):
            label = graph.add("Gather", condition, graph.constant(field, np.int64))
            total = graph.add("Add", total, graph.add("Gather", graph.constant(table, np.float64), label))
    shift = network.condition_shift
    total = graph.add("Add", total, graph.constant(1 << shift >> 1, np.float64))
    seen = graph.add("Floor", graph.add("Mul", total, graph.constant(2.0**-shift, np.float64)))
    seen = graph.add("Clip", seen, *(graph.constant(end, np.float64) for end in (-INT8, INT8)))
    found = []
    for layer in network.layers:
        told = graph.add("MatMul", graph.constant(layer.condition, np.float64), seen)
        bias = graph.add("Add", told, graph.constant(layer.gates.bias, np.float64))
        bias = graph.add("Clip", bias, *(graph.constant(end, np.float64) for end in (-LARGEST_BIAS, LARGEST_BIAS)))
        bias = graph.add("Mul", bias, graph.constant(layer.gates.scale, np.float64))
        bias = graph.add("Add", bias, graph.constant(GATE[1], np.float64))
        found.append(graph.add("Cast", bias, to=TensorProto.FLOAT))
    return found


def _part(graph: Graph, x: str, start: int, end: int | None = None) -> str:
    """Some of what stands along the second axis, one by default."""
    ends = (start, start + 1 if end is None else end, 1)
    return graph.add("Slice", x, *(graph.constant([value], np.int64) for value in ends))


def _flat(graph: Graph, x: str) -> str:
    """``(batch, 1, channels)`` to ``(batch, channels)``."""
    return graph.add("Squeeze", x, graph.constant([1], np.int64))


def _deep(graph: Graph, x: str) -> str:
    """The reverse of :func:`_flat`."""
    return graph.add("Unsqueeze", x, graph.constant([1], np.int64))
