"""From layers that were trained with fake quantization to the tensors that :mod:`vqaudio.intnet` computes with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio.errors import ModelError
from vqaudio.intnet.grids import EXACT, EXP_BITS, INT8, LARGEST_BIAS, LOGIT, largest_sum
from vqaudio.qat.fake_quantize import FakeQuantize, QuantizedLinear

Tensors = dict[str, NDArray[Any]]


def export_linear(
    tensors: Tensors, name: str, layer: QuantizedLinear, *, input_exponent: int, output_exponent: int
) -> None:
    """Add the tensors of one layer: weights, bias with half a step of the output, and shift of each output.

    Args:
        tensors: of the integer network, by name.
        name: of the layer there.
        layer: that was trained.
        input_exponent, output_exponent: of the grids of what goes in and comes out.

    Raises:
        ModelError: its sums may not be the same on every machine.
    """
    exponents = layer.exponents.double()
    sums = exponents + input_exponent
    shift = sums - output_exponent
    bias = torch.zeros_like(sums) if layer.bias is None else layer.bias.double() * torch.pow(2.0, sums)
    half = torch.where(shift > 0, torch.pow(2.0, shift - 1), 0.0)
    tensors[f"{name}.weight"] = as_integers(layer.weight, exponents[:, None], INT8, np.int8)
    tensors[f"{name}.bias"] = ((bias + 0.5).floor() + half).clamp(-LARGEST_BIAS, LARGEST_BIAS).numpy().astype(np.int32)
    tensors[f"{name}.shift"] = shift.numpy().astype(np.int8)
    if (largest := largest_sum(tensors[f"{name}.weight"], tensors[f"{name}.bias"])) >= EXACT:
        raise ModelError(
            f"{name}: its sums reach {largest}, and only those below {EXACT} are the same on every machine: make the "
            "network narrower"
        )


def exponent_of(quantizer: FakeQuantize) -> int:
    """Of the grid that values are quantized to."""
    return int(quantizer.exponent)


def as_integers(values: Tensor, exponent: Tensor | float, limit: int, dtype: Any) -> NDArray[Any]:
    """Values as integers: multiples of ``2 ** -exponent``, at most ``limit`` of them."""
    scaled = values.double() * torch.pow(2.0, torch.as_tensor(exponent, dtype=torch.float64))
    found: NDArray[Any] = (scaled + 0.5).floor().clamp(-limit, limit).numpy().astype(dtype)
    return found


def exp_table() -> NDArray[np.int32]:
    """``2**EXP_BITS * exp(-d)`` for differences of logits, down to a weight of 0."""
    differences = np.arange(1 << 12) / 2.0 ** LOGIT[0]
    found = np.floor(2.0**EXP_BITS * np.exp(-differences) + 0.5)
    return found[: int((found > 0).sum()) + 1].astype(np.int32)
