"""Residuals to bytes and back: tokens with adaptive frequencies, and whatever large ones have beside those.

A residual *r* becomes *z* = 0, 1, 2, 3, ... for 0, 1, -1, 2, ... How large residuals have been of late says how many
low bits of *z* are not worth modelling (``shift``) and which table of frequencies holds for the rest, the token::

    z = token << shift | low bits              token < ESCAPE: its table; then the low bits as they are
    z = (ESCAPE + more) << shift | low bits    token = ESCAPE; then bits of `more` (7), `more`, low bits

So a token is always one of ``ALPHABET``, however large the numbers are. Who knows better than frequencies that adapt
how likely tokens are may give their intervals instead, as :mod:`vqaudio.series.coding.learned` does. Residuals that are
all zero take no bytes. The loop over residuals is ``kernels/adaptive.c``.

The scheme is that of adaptive Golomb coding (Weinberger, Seroussi and Sapiro, "The LOCO-I lossless image compression
algorithm", 2000, section III) with counted frequencies in place of the code.
"""

from __future__ import annotations

import numpy as np

from vqaudio.container.fields import DamageError
from vqaudio.intnet.rangecoder import PRECISION, Decoder, Encoder
from vqaudio.series.arrays import Integers
from vqaudio.series.kernels import Output, call

ALPHABET = 64
ESCAPE = ALPHABET - 1
MEAN_BITS = 8
"""The running mean of residuals' sizes has so many bits behind the point."""
MEAN_MEMORY = 3
"""log2 of how many residuals it remembers."""
DIRECT_BITS = 3
"""Tokens have the bits of *z* above this share of the mean: the mean over 2**shift is below 2**DIRECT_BITS."""
PIECE_BITS = 16
"""Bits that are coded at once where all are equally likely."""
LENGTH_BITS = 7
"""Bits that say how many bits there are beyond the escape."""
LARGEST = 1 << 63
"""Residuals are smaller; damaged bytes would make up ever larger ones."""
MOST_BYTES = 24
"""What a residual takes at most: a token, bits of the length, 65 bits beyond the escape, and 61 of the shift."""
PADDING = 8
"""Zeros behind the bytes that are decoded, so that none is read that is not there."""


class ResidualScale:
    """How large residuals have been of late, and what follows from that for the next."""

    def __init__(self) -> None:
        self.mean = 1 << MEAN_BITS

    def shift_and_context(self) -> tuple[int, int]:
        """Shift and context: half octaves of the mean that is left after the shift."""
        shift = (self.mean >> MEAN_BITS + DIRECT_BITS).bit_length()
        left = self.mean >> shift
        return shift, (left * left).bit_length()

    def update(self, residual: int) -> None:
        """This residual came."""
        self.mean += ((abs(residual) << MEAN_BITS) - self.mean) >> MEAN_MEMORY


def encode(residuals: Integers) -> bytes:
    """Residuals, int64 ``(rows,)``, as bytes."""
    room = Output(MOST_BYTES * (len(residuals) + 1), np.uint8, counted=True)
    _, (data,) = call("encode_adaptive", residuals, len(residuals), room)
    return data.tobytes()


def decode(data: bytes, count: int) -> Integers:
    """What :func:`encode` made of ``count`` residuals; of damaged bytes it makes some or other, or DamageError."""
    if not data:  # all are zero, since zeros have the lowest interval
        return np.zeros(count, np.int64)
    padded = np.frombuffer(data + bytes(PADDING), np.uint8)
    _, (residuals,) = call("decode_adaptive", padded, len(data), Output(count), count)
    return residuals


def token_of(residual: int, shift: int) -> int:
    """The part of a residual that is modelled."""
    return min(_unsigned(residual) >> shift, ESCAPE)


def encode_rest(encoder: Encoder, residual: int, *, shift: int) -> None:
    """Add what a residual has beside its token."""
    unsigned = _unsigned(residual)
    more = (unsigned >> shift) - ESCAPE
    if more >= 0:
        _put(encoder, more.bit_length(), LENGTH_BITS)
        _put(encoder, more, more.bit_length())
    if shift:
        _put(encoder, unsigned & (1 << shift) - 1, shift)


def decode_rest(decoder: Decoder, token: int, *, shift: int) -> int:
    """The residual whose token was read, or DamageError."""
    if token == ESCAPE:
        token += _get(decoder, _get(decoder, LENGTH_BITS))
    unsigned = token << shift | _get(decoder, shift) if shift else token
    residual = (unsigned + 1) >> 1 if unsigned & 1 else -(unsigned >> 1)
    if abs(residual) >= LARGEST:
        raise DamageError("it holds a number beyond all bounds")
    return residual


def _unsigned(residual: int) -> int:
    return 2 * residual - 1 if residual > 0 else -2 * residual


def _put(encoder: Encoder, value: int, bits: int) -> None:
    """``bits`` bits of which nothing is known, highest first."""
    while bits:
        count = min(bits, PIECE_BITS)
        bits -= count
        encoder.encode((value >> bits & (1 << count) - 1) << PRECISION - count, 1 << PRECISION - count)


def _get(decoder: Decoder, bits: int) -> int:
    value = 0
    while bits:
        count = min(bits, PIECE_BITS)
        bits -= count
        piece = decoder.place() >> PRECISION - count
        decoder.take(piece << PRECISION - count, 1 << PRECISION - count)
        value = value << count | piece
    return value
