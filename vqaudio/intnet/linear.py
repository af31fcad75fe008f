"""Linear layers and requantization in arithmetic that has only one result.

Weights and whatever enters a product are int8, sums of up to 512 products stay below 2**24, and scales are powers of
two. Numbers are held in float32, where all of that is exact in whatever order a library adds them up, and matrix
products run at full speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.intnet.grids import EXACT, INT8, largest_sum

Numbers = NDArray[np.float32]
"""Integers, held in float32."""


class Requantize:
    """From one grid to a coarser one, rounded (halves go up) and cut off: ``floor(x * 2**-shift + 1/2)``."""

    def __init__(self, shift: int, limit: int):
        self.half, self.scale, self.limit = (
            np.float32(2.0**shift / 2 if shift > 0 else 0),
            np.float32(2.0**-shift),
            limit,
        )

    def __call__(self, x: Numbers) -> Numbers:
        """Any shape; ``x`` stays as it is."""
        made = x + self.half
        made *= self.scale
        np.floor(made, out=made)
        np.minimum(made, self.limit, out=made)
        np.maximum(made, -self.limit, out=made)
        return made


class Int8Linear:
    """A matrix of int8 times columns of int8, plus a bias, each output requantized by its own power of two.

    Raises:
        ValueError: numbers that are no integers, or sums that float32 may not hold exactly.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]], name: str, limit: int):
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        if weight.dtype.kind != "i" or bias.dtype.kind != "i":
            raise ValueError(f"{name} has {weight.dtype} weights and {bias.dtype} biases, expected integers")
        if (largest := largest_sum(weight, bias)) >= EXACT:
            raise ValueError(
                f"sums of {weight.shape[1]} products in {name} reach {largest}, and only those below {EXACT} are the "
                "same on every machine"
            )
        self.weight = np.ascontiguousarray(tensors[f"{name}.weight"].astype(np.float32).T)
        self.bias = tensors[f"{name}.bias"].astype(np.float32)
        self.scale = np.ldexp(np.float32(1), -tensors[f"{name}.shift"].astype(np.intc))  # exact, as exp2 need not be
        self.limit = limit

    def __call__(self, x: Numbers, bias: Numbers | None = None) -> Numbers:
        """``(..., inputs)`` to ``(..., outputs)``, with another ``bias`` if one is given."""
        made = matmul(x, self.weight)
        made += self.bias if bias is None else bias
        made *= self.scale
        np.floor(made, out=made)
        np.minimum(made, self.limit, out=made)
        np.maximum(made, -self.limit, out=made)
        return made

    def reach(self) -> float:
        """What no output exceeds before it is cut off, whatever int8 comes in."""
        return float(np.ceil((INT8 * np.abs(self.weight).sum(0) + np.abs(self.bias)) * self.scale).max())


def matmul(x: Numbers, weight: Numbers) -> Numbers:
    """``x @ weight``. Two or three rows go one by one: BLAS takes nearly twice as long for them together."""
    if x.ndim != 2 or len(x) not in (2, 3):
        product: Numbers = x @ weight
        return product
    rows = np.empty((len(x), weight.shape[1]), np.float32)
    for row, out in zip(x, rows, strict=True):
        np.dot(row, weight, out=out)
    return rows
