"""Values on a grid: what lets a network in floating point compute as its quantized export will.

Steps are powers of two, so that a value on the grid is an integer times a power of two, and products and sums of such
values are exact. Gradients pass as if nothing had been rounded, but not where a value was cut off (the straight-through
estimator). Source: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", 2018, section 3; the powers of two: Jain et al., "Trained quantization thresholds", 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.errors import ConfigError
from vqaudio.intnet.grids import INT8, LARGEST_BIAS, LARGEST_PRODUCTS

PEAK_SHARE = 0.9999
"""So many of the values that were observed are to lie within the grid."""


def fake_quantize(x: Tensor, exponent: Tensor | int, limit: int) -> Tensor:
    """To the nearest multiple of ``2 ** -exponent`` (halves go up), at most ``limit`` steps from 0."""
    step = torch.pow(2.0, -torch.as_tensor(exponent, dtype=x.dtype, device=x.device))
    quantized: Tensor = _RoundToGrid.apply(x, step, limit)  # type: ignore[no-untyped-call]
    return quantized


class _RoundToGrid(torch.autograd.Function):
    """As one operation: a sum of what was cut off and a constant takes twice as many passes over memory."""

    @staticmethod
    def forward(context: Any, x: Tensor, step: Tensor, limit: int) -> Tensor:
        context.save_for_backward(x.abs() <= limit * step)
        return (x / step).add_(0.5).floor_().clamp_(-limit, limit).mul_(step)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = context.saved_tensors
        return gradient * inside, None, None


def finest_exponent(peak: Tensor) -> Tensor:
    """The largest exponent with which ``peak`` still fits an int8."""
    return (INT8 / peak.clamp(min=2.0**-20)).log2().floor()


class FakeQuantize(nn.Module):
    """Where values become int8: passes them on as they are until ``quantized``, then on a grid.

    The grid follows from the values seen while ``observing``.
    """

    exponent: Tensor
    peak: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.quantized = self.observing = False
        self.register_buffer("exponent", torch.tensor(5))  # an integer also where weights are averaged
        self.register_buffer("peak", torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        """``x``, of any shape, on the grid."""
        if self.observing:
            sample = x.detach().abs().flatten()
            sample = sample[:: max(1, len(sample) // 100_000)]
            self.peak = torch.maximum(self.peak, sample.quantile(PEAK_SHARE))
            self.exponent = finest_exponent(self.peak).long()
        return fake_quantize(x, self.exponent, INT8) if self.quantized else x


class QuantizedLinear(nn.Linear):
    """A linear layer whose weights become int8 when ``quantized``, with one step for each output.

    Raises:
        ConfigError: more inputs than can be added up exactly whatever the weights will be.
    """

    quantized = False

    def __init__(self, inputs: int, outputs: int, bias: bool = True):
        if inputs > LARGEST_PRODUCTS:
            raise ConfigError(
                f"a layer of {inputs} inputs, and at most {LARGEST_PRODUCTS} add up to the same integers on every "
                "machine: make the network narrower"
            )
        super().__init__(inputs, outputs, bias)

    def forward(self, x: Tensor, exponent: Tensor | int = 0) -> Tensor:
        """``(..., inputs)`` with steps of ``2 ** -exponent`` to ``(..., outputs)``; biases have the products' steps."""
        if not self.quantized:
            return super().forward(x)
        weight = fake_quantize(self.weight, self.exponents[:, None], INT8)
        bias = self.bias if self.bias is None else fake_quantize(self.bias, self.exponents + exponent, LARGEST_BIAS)
        return functional.linear(x, weight, bias)

    @property
    def exponents(self) -> Tensor:
        """Of the steps of each output's weights."""
        return finest_exponent(self.weight.detach().abs().amax(1))


def set_quantized(module: nn.Module, *, quantized: bool = True, observing: bool = False) -> None:
    """Switch every part of a network: whether values lie on grids, and whether grids follow from what comes."""
    for part in module.modules():
        if isinstance(part, FakeQuantize | QuantizedLinear):
            part.quantized = quantized
        if isinstance(part, FakeQuantize):
            part.observing = observing


@torch.no_grad()
def calibrate(module: nn.Module, run: Callable[[], object]) -> None:
    """Find the grids of a network's values from those that it has while ``run`` runs it."""
    set_quantized(module, quantized=False, observing=True)
    run()
    set_quantized(module, quantized=False)


def quantize(module: nn.Module, run: Callable[[], object]) -> None:
    """Let values lie on grids from here on; ``run`` is run to :func:`calibrate` these, where they are not known yet."""
    if not is_calibrated(module):  # else they were found before a run was resumed
        calibrate(module, run)
    set_quantized(module)


def is_calibrated(module: nn.Module) -> bool:
    """Whether the grids of a network's values were found."""
    return any(bool(part.peak) for part in module.modules() if isinstance(part, FakeQuantize))


def forget_grids(module: nn.Module) -> None:
    """Let the grids of a network's values be found anew."""
    for part in module.modules():
        if isinstance(part, FakeQuantize):
            part.peak.zero_()
