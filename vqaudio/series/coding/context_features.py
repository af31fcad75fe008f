"""What a model is shown of a row before its token is known: features within an int8, about as fine as they matter.

Differences between values that came before, the prediction and how it falls between two integers, the last residuals,
and how up to ``MOST_REFERENCES`` other columns go on around the row. Differences are in units of the residuals' usual
size (``2**shift``, see :mod:`vqaudio.series.coding.adaptive`), other columns' in units of their mean step; both are
then companded by an inverse hyperbolic sine, linear for small and logarithmic for large ones. All is integer arithmetic
(``kernels/context.h``) and the tables here.

The first row has no features; rows before it count as equal to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.arrays import Floats

N_FEATURES = 103
"""37 values before beside the last one, 11 steps, the prediction, 8 residuals, 30 means, 4 of the prediction's fraction
and the mean residual, and 4 rows of each reference column."""
MOST_REFERENCES = 3
N_RESIDUALS = 8
CONTEXT_ROWS = 512
"""Rows before that features depend on, at most."""
LARGEST_VALUE = 2**40
"""Values and predictions are smaller, so that no sum leaves 64 bits."""

_DIFFERENCE_BITS = 2
"""Differences have so many bits behind the point before the table."""
_LARGEST_DIFFERENCE = 400
_MEAN_CENTRE = 256


def _table(values: Floats) -> NDArray[np.int8]:
    return np.rint(values).clip(-127, 127).astype(np.int8)


TABLES = np.concatenate(
    [
        _table(24 * np.arcsinh(np.arange(-_LARGEST_DIFFERENCE, _LARGEST_DIFFERENCE + 1) / 2.0**_DIFFERENCE_BITS)),
        _table(16 * np.log2((np.arange(2**12) + 8) / _MEAN_CENTRE)),
    ]
)
"""What differences become, from the least to the largest, and then what means do: int8."""
