"""From a WaveNet that was trained with its values on grids to the tensors of the integer network, and onto disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save as to_bytes
from torch import nn

from vqaudio.files import atomic_write
from vqaudio.intnet.grids import CONDITION, GATE, INT8, LOGIT, SUM, UNIT
from vqaudio.prior.integer import KIND
from vqaudio.qat.export import Tensors, as_integers, exp_table, exponent_of, export_linear
from vqaudio.wavenet.network import Head, Layer, WaveNet


@torch.no_grad()
def quantized_export(net: WaveNet, codec: str, *, seconds: float = 5.0) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and config for :class:`vqaudio.prior.integer.IntegerPrior`.

    ``codec`` is the codec's fingerprint, ``seconds`` the length of what the network learned from.
    """
    tensors: Tensors = {
        "used": as_integers(net.active_streams.weight, CONDITION[0], CONDITION[1], np.int16),
        **{
            f"labels.{field}": as_integers(table.weight, CONDITION[0], CONDITION[1], np.int16)
            for field, table in zip(net.fields, cast(list[nn.Embedding], net.labels), strict=True)
        },
        **{
            f"entries.{index}": as_integers(embeddings, exponent_of(net.embedding_quantizer), INT8, np.int8)
            for index, embeddings in enumerate(net.embeddings)
        },
        "tanh": _table(np.tanh),
        "sigmoid": _table(lambda x: 1 / (1 + np.exp(-x))),
        "exp": exp_table(),
    }
    if net.alphabet is not None:
        for name, table in (("symbols", net.symbols_in_view), ("ages", net.ages_in_view)):
            tensors[name] = as_integers(table.weight, CONDITION[0], CONDITION[1], np.int16)
    embedding_exponent, context_exponent = exponent_of(net.embedding_quantizer), exponent_of(net.context_quantizer)
    export_linear(tensors, "embed", net.embed, input_exponent=embedding_exponent, output_exponent=SUM[0])
    for index, layer in enumerate(cast(list[Layer], net.layers)):
        name = f"layers.{index}"
        input_exponent = exponent_of(layer.input_quantizer)
        export_linear(tensors, f"{name}.gates", layer.gates, input_exponent=input_exponent, output_exponent=GATE[0])
        sums = layer.gates.exponents + input_exponent - net.condition_quantizer.exponent
        tensors[f"{name}.condition"] = as_integers(layer.condition.weight, sums[:, None], CONDITION[1], np.int16)
        export_linear(tensors, f"{name}.out", layer.out, input_exponent=UNIT[0], output_exponent=SUM[0])
    for index, head in enumerate(cast(list[Head], net.heads)):
        name = f"heads.{index}"
        hidden_exponent, query_exponent = exponent_of(head.hidden_quantizer), exponent_of(head.query_quantizer)
        for part, linear, given, made in (
            ("context", head.context, context_exponent, SUM[0]),
            ("before", head.before, embedding_exponent, SUM[0]),
            ("query", head.query, hidden_exponent, query_exponent),
            ("entries", head.output_projection, query_exponent, LOGIT[0]),
        ):
            export_linear(tensors, f"{name}.{part}", linear, input_exponent=given, output_exponent=made)
    config = {
        "codec": codec,
        "seconds": seconds,
        "streams": [[stream.alphabet, stream.stride] for stream in net.streams[: net.n_codebooks]],
        "fields": {name: list(labels) for name, labels in net.fields.items()},
        "dilations": list(net.config.dilations),
        "see": {
            "condition": exponent_of(net.condition_quantizer),
            "context": exponent_of(net.context_quantizer),
            "layers": [exponent_of(layer.input_quantizer) for layer in cast(list[Layer], net.layers)],
            "hidden": [exponent_of(head.hidden_quantizer) for head in cast(list[Head], net.heads)],
        },
    }
    if net.alphabet is not None:
        config["text"] = net.alphabet.to_config()
    return tensors, config


def save(net: WaveNet, path: Path, *, codec: str, seconds: float = 5.0) -> None:
    """Write a network as integers, atomically; arguments as for :func:`quantized_export`."""
    tensors, config = quantized_export(net, codec, seconds=seconds)
    metadata = {"kind": KIND, "config": json.dumps(config, sort_keys=True, separators=(",", ":"))}
    with atomic_write(path) as file:
        file.write(to_bytes(tensors, metadata=metadata))


def _table(function: Any) -> NDArray[np.int8]:
    """A function within +-1 of what gates see."""
    values = function(np.arange(-GATE[1], GATE[1] + 1) / 2.0 ** GATE[0])
    steps: NDArray[np.int8] = np.floor(values * 2.0 ** UNIT[0] + 0.5).clip(-UNIT[1], UNIT[1]).astype(np.int8)
    return steps
