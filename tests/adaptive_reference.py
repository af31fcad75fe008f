"""Adaptive coding of residuals in Python, value by value: what the kernel of that name is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from vqaudio.container.fields import DamageError
from vqaudio.intnet.rangecoder import PRECISION, Decoder, Encoder

ALPHABET = 64
ESCAPE = ALPHABET - 1
INCREMENT = 32
"""What a token adds to its frequency. Unseen ones have at least 1."""
PRIOR_WEIGHT = 16
"""Before any came, a table weighs as if so many tokens had come, spread as its mean suggests (a Laplacian)."""
MOST_TOTAL = 1 << 16
"""Frequencies are halved beyond this sum, so that the far past is forgotten."""
MEAN_BITS = 8
"""The running mean of residuals' sizes has so many bits behind the point."""
MEAN_MEMORY = 3
"""log2 of how many residuals it remembers."""
DIRECT_BITS = 3
"""Tokens have the bits of *z* above this share of the mean: the mean over 2**shift is below 2**DIRECT_BITS."""
CONTEXTS = 2 * (MEAN_BITS + DIRECT_BITS) + 1
PIECE_BITS = 16
"""Bits that are coded at once where all are equally likely."""
LENGTH_BITS = 7
"""Bits that say how many bits there are beyond the escape."""
LARGEST = 1 << 80
"""Residuals are smaller. Those of 64-bit integers are; damaged bytes would make up ever larger ones."""


@cache
def _laplacian(context: int) -> tuple[int, ...]:
    """Frequencies for residuals whose running mean has this context, from a geometric series in integers."""
    mean = 1 << context // 2
    mean += mean // 2 if context % 2 else 0
    weights, weight = [], 1 << 20
    for token in range(ALPHABET):
        weights.append(weight)
        if token % 2 == 0:
            weight = weight * mean // (mean + (1 << MEAN_BITS))
    total = sum(weights)
    return tuple(1 + PRIOR_WEIGHT * INCREMENT * weight // total for weight in weights)


class FrequencyTables:
    """Frequencies of tokens, a table for each context; they adapt."""

    def __init__(self) -> None:
        self.frequencies = [list(_laplacian(context)) for context in range(CONTEXTS)]
        self.sums = [sum(table) for table in self.frequencies]

    def interval(self, context: int, token: int) -> tuple[int, int]:
        """Start and size of a token's interval among ``2 ** PRECISION``."""
        table, total = self.frequencies[context], self.sums[context]
        below = sum(table[:token])
        start = (below << PRECISION) // total
        return start, (below + table[token] << PRECISION) // total - start

    def token_at(self, context: int, place: int) -> int:
        """The token whose interval holds ``place``."""
        left = ((place + 1) * self.sums[context] - 1) >> PRECISION
        for token, frequency in enumerate(self.frequencies[context]):
            left -= frequency
            if left < 0:
                return token
        raise AssertionError("frequencies add up to their sum")

    def update(self, context: int, token: int) -> None:
        """This token came."""
        table = self.frequencies[context]
        table[token] += INCREMENT
        self.sums[context] += INCREMENT
        if self.sums[context] > MOST_TOTAL:
            table[:] = [frequency + 1 >> 1 for frequency in table]
            self.sums[context] = sum(table)


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


def encode(residuals: Sequence[int]) -> bytes:
    """Integers below ``LARGEST`` as bytes."""
    encoder, tables, scale = Encoder(), FrequencyTables(), ResidualScale()
    for residual in residuals:
        shift, context = scale.shift_and_context()
        token = token_of(residual, shift)
        encoder.encode(*tables.interval(context, token))
        tables.update(context, token)
        encode_rest(encoder, residual, shift=shift)
        scale.update(residual)
    return encoder.finish()


def decode(data: bytes, count: int) -> list[int]:
    """What :func:`encode` made of ``count`` residuals; of damaged bytes it makes some or other, or DamageError."""
    if not data:  # all are zero, since zeros have the lowest interval
        return [0] * count
    decoder, tables, scale = Decoder(data), FrequencyTables(), ResidualScale()
    residuals = []
    for _ in range(count):
        shift, context = scale.shift_and_context()
        token = tables.token_at(context, decoder.place())
        decoder.take(*tables.interval(context, token))
        tables.update(context, token)
        residual = decode_rest(decoder, token, shift=shift)
        scale.update(residual)
        residuals.append(residual)
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
