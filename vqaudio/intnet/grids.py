"""The grids of the integer network's values, as (exponent of the step, largest number of steps).

A value on a grid is an integer times ``2 ** -exponent``. Grids of what enters a product are int8 with an exponent that
follows from the data; these are the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

INT8 = 127
"""The largest int8 whose negative is one too."""
SUM = (8, 32767)
"""What layers add to the residual stream, to the output, and inside heads."""
GATE = (5, 255)
"""What tanh and sigmoid see: within +-8."""
UNIT = (7, INT8)
"""What tanh, sigmoid and their product are: within +-1."""
CONDITION = (10, 32767)
"""Embeddings of labels and of how many streams are active."""
LOGIT = (5, 2**20)
"""Logits, in nats."""

EXACT = 2**24
"""float32 holds all integers below."""
LARGEST_PRODUCTS = 512
"""So many products of two int8, ..."""
LARGEST_BIAS = 2**22
"""... and a bias of this size, with half an output's step, add up to less than ``EXACT`` whatever the weights are."""
EXP_BITS = 24
"""The likeliest code weighs 2**24 before weights become intervals."""


def largest_sum(weight: NDArray[Any], bias: NDArray[Any]) -> int:
    """What no partial sum of a product exceeds, in whatever order it is added up, for any int8 inputs.

    Args:
        weight: integers ``(outputs, inputs)``.
        bias: integers ``(outputs,)``; another one up to ``LARGEST_BIAS`` may take its place.
    """
    products = INT8 * np.abs(weight.astype(np.int64)).sum(1)
    return int((products + np.abs(bias.astype(np.int64)).clip(LARGEST_BIAS)).max())
