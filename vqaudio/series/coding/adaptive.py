"""Residuals to bytes and back: tokens with adaptive frequencies, and whatever large ones have beside those.

A residual *r* becomes *z* = 0, 1, 2, 3, ... for 0, 1, -1, 2, ... How large residuals have been of late says how many
low bits of *z* are not worth modelling (``shift``) and which table of frequencies holds for the rest, the token::

    z = token << shift | low bits          token < 63: its table; then the low bits as they are
    z = (63 + more) << shift | low bits    token = 63; then bits of `more` (7), `more`, low bits

So a token is always one of ``ALPHABET``, however large the numbers are. Who knows better than frequencies that adapt
how likely tokens are may give their intervals instead, as :mod:`vqaudio.series.coding.learned` does. Residuals that are
all zero take no bytes. The loop over residuals is ``kernels/adaptive.c``.

The scheme is that of adaptive Golomb coding (Weinberger, Seroussi and Sapiro, "The LOCO-I lossless image compression
algorithm", 2000, section III) with counted frequencies in place of the code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.arrays import Integers
from vqaudio.series.kernels import Output, call

ALPHABET = 64
MOST_BYTES = 24
"""What a residual takes at most: a token, bits of the length, 65 bits beyond the escape, and 61 of the shift."""
PADDING = 8
"""Zeros behind the bytes that are decoded, so that none is read that is not there."""


def encode(residuals: Integers) -> bytes:
    """Residuals, int64 ``(rows,)``, as bytes."""
    room = Output(MOST_BYTES * (len(residuals) + 1), np.uint8, counted=True)
    _, (data,) = call("encode_adaptive", residuals, len(residuals), room)
    return data.tobytes()


def decode(data: bytes, count: int) -> Integers:
    """What :func:`encode` made of ``count`` residuals; of damaged bytes it makes some or other, or DamageError."""
    if not data:  # all are zero, since zeros have the lowest interval
        return np.zeros(count, np.int64)
    _, (residuals,) = call("decode_adaptive", padded(data), len(data), Output(count), count)
    return residuals


def padded(data: bytes) -> NDArray[np.uint8]:
    """Bytes with zeros behind them, as kernels read them."""
    return np.frombuffer(data + bytes(PADDING), np.uint8)
