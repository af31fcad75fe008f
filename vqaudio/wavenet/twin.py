"""From a WaveNet that was trained with its values on grids to the tensors of its integer twin, and onto disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save as to_bytes
from torch import Tensor, nn

from vqaudio.errors import ModelError
from vqaudio.files import atomic_write
from vqaudio.prior.grid import CONDITION, EXACT, EXP_BITS, GATE, INT8, LARGEST_BIAS, LOGIT, SUM, UNIT, largest_sum
from vqaudio.prior.integer import KIND
from vqaudio.wavenet.network import Head, Layer, WaveNet
from vqaudio.wavenet.steps import Rounded, Steps

Tensors = dict[str, NDArray[Any]]


@torch.no_grad()
def twin_of(net: WaveNet, codec: str, seconds: float = 5.0) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and config for :class:`vqaudio.prior.integer.IntegerPrior`.

    ``codec`` is the codec's fingerprint, ``seconds`` the length of what the network learned from.
    """
    tensors: Tensors = {
        "used": _steps(net.used.weight, CONDITION[0], CONDITION[1], np.int16),
        **{
            f"labels.{field}": _steps(table.weight, CONDITION[0], CONDITION[1], np.int16)
            for field, table in zip(net.fields, cast(list[nn.Embedding], net.labels), strict=True)
        },
        **{
            f"entries.{index}": _steps(entries, _exponent(net.see_entries), INT8, np.int8)
            for index, entries in enumerate(net.entries)
        },
        "tanh": _table(np.tanh),
        "sigmoid": _table(lambda x: 1 / (1 + np.exp(-x))),
        "exp": exp_table(),
    }
    product(tensors, "embed", net.embed, net.see_entries, SUM[0])
    for index, layer in enumerate(cast(list[Layer], net.layers)):
        name = f"layers.{index}"
        product(tensors, f"{name}.gates", layer.gates, layer.see, GATE[0])
        sums = layer.gates.exponents + layer.see.exponent - net.see_condition.exponent
        tensors[f"{name}.condition"] = _steps(layer.condition.weight, sums[:, None], CONDITION[1], np.int16)
        product(tensors, f"{name}.out", layer.out, UNIT[0], SUM[0])
    for index, head in enumerate(cast(list[Head], net.heads)):
        name = f"heads.{index}"
        product(tensors, f"{name}.context", head.context, net.see_context, SUM[0])
        product(tensors, f"{name}.before", head.before, net.see_entries, SUM[0])
        product(tensors, f"{name}.query", head.query, head.see_hidden, _exponent(head.see_query))
        product(tensors, f"{name}.entries", head.entries, head.see_query, LOGIT[0])
    config = {
        "codec": codec,
        "seconds": seconds,
        "streams": [[stream.alphabet, stream.stride] for stream in net.streams],
        "fields": {name: list(labels) for name, labels in net.fields.items()},
        "dilations": list(net.config.dilations),
        "see": {
            "condition": _exponent(net.see_condition),
            "context": _exponent(net.see_context),
            "layers": [_exponent(layer.see) for layer in cast(list[Layer], net.layers)],
            "hidden": [_exponent(head.see_hidden) for head in cast(list[Head], net.heads)],
        },
    }
    return tensors, config


def save(net: WaveNet, codec: str, path: Path, seconds: float = 5.0) -> None:
    """Write a network's integer twin, atomically; arguments as for :func:`twin_of`."""
    tensors, config = twin_of(net, codec, seconds)
    metadata = {"kind": KIND, "config": json.dumps(config, sort_keys=True, separators=(",", ":"))}
    with atomic_write(path) as file:
        file.write(to_bytes(tensors, metadata=metadata))


def _exponent(steps: Steps) -> int:
    return int(steps.exponent)


def _steps(values: Tensor, exponent: Tensor | float, limit: int, dtype: Any) -> NDArray[Any]:
    """Values as numbers of steps."""
    scaled = values.double() * torch.pow(2.0, torch.as_tensor(exponent, dtype=torch.float64))
    found: NDArray[Any] = (scaled + 0.5).floor().clamp(-limit, limit).numpy().astype(dtype)
    return found


def product(tensors: Tensors, name: str, layer: Rounded, see: Steps | int, out: int) -> None:
    """The tensors of one matrix: weights, bias with half a step of the output, and shift of each output.

    Raises:
        ModelError: its sums may not be the same on every machine.
    """
    exponents = layer.exponents.double()
    sums = exponents + (see if isinstance(see, int) else see.exponent.double())
    shift = sums - out
    bias = torch.zeros_like(sums) if layer.bias is None else layer.bias.double() * torch.pow(2.0, sums)
    half = torch.where(shift > 0, torch.pow(2.0, shift - 1), 0.0)
    tensors[f"{name}.weight"] = _steps(layer.weight, exponents[:, None], INT8, np.int8)
    tensors[f"{name}.bias"] = ((bias + 0.5).floor() + half).clamp(-LARGEST_BIAS, LARGEST_BIAS).numpy().astype(np.int32)
    tensors[f"{name}.shift"] = shift.numpy().astype(np.int8)
    if (largest := largest_sum(tensors[f"{name}.weight"], tensors[f"{name}.bias"])) >= EXACT:
        raise ModelError(
            f"{name}: its sums reach {largest}, and only those below {EXACT} are the same on every machine: make the "
            "network narrower"
        )


def _table(function: Any) -> NDArray[np.int8]:
    """A function within +-1 of what gates see."""
    values = function(np.arange(-GATE[1], GATE[1] + 1) / 2.0 ** GATE[0])
    steps: NDArray[np.int8] = np.floor(values * 2.0 ** UNIT[0] + 0.5).clip(-UNIT[1], UNIT[1]).astype(np.int8)
    return steps


def exp_table() -> NDArray[np.int32]:
    """``2**EXP_BITS * exp(-d)`` for differences of logits, down to a weight of 0."""
    differences = np.arange(1 << 12) / 2.0 ** LOGIT[0]
    found = np.floor(2.0**EXP_BITS * np.exp(-differences) + 0.5)
    return found[: int((found > 0).sum()) + 1].astype(np.int32)
