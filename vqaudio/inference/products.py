"""Matrix products of a few rows, in pieces that are quickest."""

from __future__ import annotations

import numpy as np

from vqaudio.inference.base import Floats

SMALL = 10**6
"""Up to so many multiplications OpenBLAS takes matrices as they are; in larger products it copies them first."""


def product(x: Floats, weight: Floats, *, out: Floats) -> Floats:
    """``x @ weight`` into ``out``, all contiguous: ``(rows, inputs)`` and ``(inputs, outputs)`` to ``(rows, outputs)``.

    Where there are few rows, copies of the weights cost about as much as the product. So rows go in pieces for which
    none are made. Nor are threads started for such pieces, as they would be for a single row, which goes twice.
    """
    rows, (inputs, outputs) = len(x), weight.shape
    piece = 1 << max(1, SMALL // weight.size).bit_length() - 1
    if rows == 1 < piece:
        out[:] = np.matmul(np.concatenate([x, x]), weight)[:1]
        return out
    if piece < 4 or rows <= piece:
        np.matmul(x, weight, out=out)
        return out
    whole = rows - rows % piece
    np.matmul(x[:whole].reshape(-1, piece, inputs), weight, out=out[:whole].reshape(-1, piece, outputs))
    if whole < rows:
        np.matmul(x[whole:], weight, out=out[whole:])
    return out
