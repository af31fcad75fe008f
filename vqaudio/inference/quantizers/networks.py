"""The small networks of a hierarchy in plain numpy, over ``(batch, columns, channels)``."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vqaudio.inference.base import Floats
from vqaudio.inference.quantizers.weights import Weights
from vqaudio.inference.spans import same_span

NORM_EPS = 1e-6
REACH, RESOLUTION = 8, 64
"""The normal distribution is known from -REACH to REACH, by so many cubic polynomials for each whole number."""


class Convolution:
    """Of ``inputs`` channels to ``outputs``, over ``kernel_size`` columns; zeros stand outside the input."""

    def __init__(self, weights: Weights, inputs: int, outputs: int, *, kernel_size: int, stride: int = 1):
        weight = weights.get("weight", outputs, inputs, kernel_size)
        self.weight = np.ascontiguousarray(weight.reshape(outputs, -1).T)
        self.bias = weights.get("bias", outputs)
        self.kernel_size, self.stride = kernel_size, stride

    def __call__(self, x: Floats) -> Floats:
        """``(batch, columns, inputs)`` to ``(batch, columns / stride, outputs)``."""
        if self.kernel_size > 1:
            x = _windows(x, self.kernel_size, self.stride).reshape(len(x), -1, len(self.weight))
        made: Floats = x @ self.weight + self.bias
        return made


class ResidualUnit:
    """See :class:`vqaudio.model.layers.ResidualUnit`, with GELU and without a condition."""

    def __init__(self, weights: Weights, channels: int, *, kernel_size: int, hidden: int):
        self.kernel = weights.get("mix_time.weight", channels, 1, kernel_size)[:, 0]
        self.kernel_bias = weights.get("mix_time.bias", channels)
        self.norm = weights.get("norm.weight", channels), weights.get("norm.bias", channels)
        self.expand = weights.get("expand.weight", hidden, channels).T, weights.get("expand.bias", hidden)
        self.contract = weights.get("contract.weight", channels, hidden).T, weights.get("contract.bias", channels)
        self.scale = weights.get("scale", channels)

    def __call__(self, x: Floats) -> Floats:
        """``(batch, columns, channels)`` in and out."""
        mixed = np.einsum("ntck,ck->ntc", _windows(x, self.kernel.shape[1], 1), self.kernel) + self.kernel_bias
        mixed -= mixed.mean(-1, keepdims=True)
        mixed /= np.sqrt(np.square(mixed).mean(-1, keepdims=True) + np.float32(NORM_EPS))
        mixed = mixed * self.norm[0] + self.norm[1]
        made: Floats = gelu(mixed @ self.expand[0] + self.expand[1]) @ self.contract[0] + self.contract[1]
        return x + self.scale * made


def _windows(x: Floats, kernel_size: int, stride: int) -> Floats:
    """What each output of a "same" convolution sees: ``(batch, columns / stride, channels, kernel_size)``."""
    span = same_span(kernel_size, stride)
    padded = np.pad(x, ((0, 0), (span.left, span.right), (0, 0)))
    return sliding_window_view(padded, kernel_size, axis=1)[:, ::stride]


def gelu(x: Floats) -> Floats:
    """``x Φ(x)`` (Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016), of any shape.

    Φ by cubic Hermite polynomials, whose error is below 1e-9.
    """
    coefficients = _normal_distribution()
    place = np.clip(x, -REACH, REACH) * np.float64(RESOLUTION) + REACH * RESOLUTION
    piece = np.minimum(place.astype(np.intp), len(coefficients[0]) - 1)
    place -= piece
    found = coefficients[3][piece]
    for power in (2, 1, 0):
        found = found * place + coefficients[power][piece]
    made: Floats = (x * found).astype(np.float32)
    return made


@cache
def _normal_distribution() -> tuple[NDArray[np.float64], ...]:
    """Φ between each two of its nodes, as a polynomial in the distance from the lower: coefficients of 1, t, t², t³."""
    nodes = np.arange(-REACH * RESOLUTION, REACH * RESOLUTION + 1) / RESOLUTION
    values = np.array([0.5 * math.erfc(-x / math.sqrt(2.0)) for x in nodes])
    slopes = np.exp(-0.5 * nodes**2) / math.sqrt(2.0 * math.pi) / RESOLUTION
    rise = values[1:] - values[:-1]
    return (
        values[:-1],
        slopes[:-1],
        3.0 * rise - 2.0 * slopes[:-1] - slopes[1:],
        slopes[:-1] + slopes[1:] - 2.0 * rise,
    )
