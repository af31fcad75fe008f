"""The network that knows how likely a column's tokens are, in floating point: what is trained, and its files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save as arrays_to_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.errors import ModelError
from vqaudio.files import atomic_write
from vqaudio.intnet.grids import LOGIT
from vqaudio.model.layers import full_precision
from vqaudio.qat.export import Tensors, exp_table, exponent_of, export_linear
from vqaudio.qat.fake_quantize import FakeQuantize, QuantizedLinear, fake_quantize
from vqaudio.qat.saved import UNREADABLE, read_tensors
from vqaudio.series.coding import model as integer_model
from vqaudio.series.coding.adaptive import ALPHABET
from vqaudio.series.coding.context_features import N_FEATURES

KIND = "series network"
"""What its files in floating point say they hold."""
INPUT_EXPONENT = 5
"""Features come as integers, in steps of ``2 ** -INPUT_EXPONENT``."""


class SeriesNetwork(nn.Module):
    """The network that :class:`vqaudio.series.coding.model.Model` is the quantized export of.

    Args:
        hidden: width of both hidden layers.
    """

    def __init__(self, hidden: int):
        super().__init__()
        self.hidden = hidden
        self.first, self.second = QuantizedLinear(N_FEATURES, hidden), QuantizedLinear(hidden, hidden)
        self.logits = QuantizedLinear(hidden, ALPHABET)
        self.first_quantizer, self.second_quantizer = FakeQuantize(), FakeQuantize()

    def forward(self, features: Tensor) -> Tensor:
        """Logits ``(rows, ALPHABET)`` in nats from context features ``(rows, N_FEATURES)``, integers as floats.

        On grids it computes in float32 in an autocast region too.
        """
        with full_precision(features) if self.logits.quantized else nullcontext():
            hidden = functional.relu(self.first_quantizer(self.first(features * 2.0**-INPUT_EXPONENT, INPUT_EXPONENT)))
            hidden = functional.relu(self.second_quantizer(self.second(hidden, self.first_quantizer.exponent)))
            logits: Tensor = self.logits(hidden, self.second_quantizer.exponent)
            return fake_quantize(logits, *LOGIT) if self.logits.quantized else logits


@torch.no_grad()
def quantized_export(network: SeriesNetwork) -> Tensors:
    """Tensors for :class:`vqaudio.series.coding.model.Model`.

    Raises:
        ModelError: sums that may not be the same on every machine.
    """
    found: Tensors = {"exp": exp_table()}
    exponents = [INPUT_EXPONENT, exponent_of(network.first_quantizer), exponent_of(network.second_quantizer), LOGIT[0]]
    for index, name in enumerate(integer_model.LAYERS):
        export_linear(
            found, name, getattr(network, name), input_exponent=exponents[index], output_exponent=exponents[index + 1]
        )
    return found


def save_export(network: SeriesNetwork, path: Path, *, tables: Sequence[str]) -> None:
    """Write a network as integers, atomically; ``tables`` are the names of what it has learned from."""
    config = {"kind": integer_model.KIND, "tables": list(tables), "hidden": network.hidden}
    data = arrays_to_bytes(quantized_export(network), metadata={"config": json.dumps(config, sort_keys=True)})
    with atomic_write(path) as file:
        file.write(data)


def save(network: SeriesNetwork, path: Path, *, training: dict[str, Any]) -> None:
    """Write a network in floating point with a record of its training, atomically."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    metadata = {"kind": KIND, "config": json.dumps({"hidden": network.hidden}), "training": json.dumps(training)}
    with atomic_write(path) as file:
        file.write(tensors_to_bytes(tensors, metadata=metadata))


def load(path: Path) -> SeriesNetwork:
    """Read what :func:`save` wrote.

    Raises:
        ModelError: not such a file.
    """
    try:
        tensors, metadata = read_tensors(path, KIND)
        network = SeriesNetwork(int(json.loads(metadata["config"])["hidden"]))
        network.load_state_dict(tensors)
    except UNREADABLE as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(f"{path}: is not a readable network of time series ({reason})") from None
    return network
