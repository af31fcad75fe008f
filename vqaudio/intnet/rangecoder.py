"""A range coder over integer frequencies: symbols to bytes and back, exactly, on any machine.

Each symbol has an interval ``[start, start + frequency)`` of a total of ``2 ** PRECISION``; it costs ``PRECISION -
log2(frequency)`` bits. The coder narrows a 48-bit range in proportion, writes whatever leading bytes are settled, and
carries into the bytes before where an addition overflows. Source: Martin, "Range encoding: an algorithm for removing
redundancy from a digitised message", 1979.

Nothing here is a float, so that there is nothing to differ. What the symbols mean, and where their intervals come from,
is the business of :mod:`vqaudio.prior`.
"""

from __future__ import annotations

PRECISION = 20
"""log2 of what the frequencies of all symbols add up to: room for 65536 symbols that each have 1 or more."""
_STATE_BITS = 48
_TOP, _SETTLED = _STATE_BITS - 8, (1 << _STATE_BITS - 8) - 1


class Encoder:
    """Writes symbols, given by their intervals."""

    def __init__(self) -> None:
        self._low, self._range = 0, 1 << _STATE_BITS
        self._bytes = bytearray()

    def encode(self, start: int, frequency: int) -> None:
        """Add the symbol with the interval ``[start, start + frequency)``; ``frequency`` is 1 or more."""
        step = self._range >> PRECISION
        self._low += start * step
        self._range = frequency * step
        if self._low >> _STATE_BITS:
            self._carry()
        while self._range <= _SETTLED:
            self._bytes.append(self._low >> _TOP)
            self._low = (self._low & _SETTLED) << 8
            self._range <<= 8

    def finish(self) -> bytes:
        """All bytes; the fewest that stand for the symbols when zeros follow, so that they never end with a zero."""
        for kept in range(0, _STATE_BITS + 1, 8):
            below = (1 << _STATE_BITS - kept) - 1
            value = (self._low + below) & ~below
            if value < self._low + self._range:
                break
        self._low = value
        if self._low >> _STATE_BITS:
            self._carry()
        self._bytes += self._low.to_bytes(_STATE_BITS // 8, "big")
        return bytes(self._bytes).rstrip(b"\0")

    def _carry(self) -> None:
        self._low -= 1 << _STATE_BITS
        last = len(self._bytes) - 1
        while self._bytes[last] == 0xFF:
            self._bytes[last] = 0
            last -= 1
        self._bytes[last] += 1


class Decoder:
    """Reads what :class:`Encoder` wrote. For each symbol: ask for its :meth:`place`, then :meth:`take` its interval.

    Of damaged bytes it makes some symbols or other: only a check of the symbols themselves tells.
    """

    def __init__(self, data: bytes):
        self._data, self._position, self._range = data, 0, 1 << _STATE_BITS
        self._value = 0
        for _ in range(_STATE_BITS // 8):
            self._value = self._value << 8 | self._next()

    def place(self) -> int:
        """A number in ``[0, 2 ** PRECISION)``, which lies in the interval of the next symbol."""
        return min(self._value // (self._range >> PRECISION), (1 << PRECISION) - 1)

    def take(self, start: int, frequency: int) -> None:
        """Go on behind the symbol with the interval ``[start, start + frequency)``."""
        step = self._range >> PRECISION
        self._range = frequency * step
        self._value = min(self._value - start * step, self._range - 1)  # not less, but for damaged bytes
        while self._range <= _SETTLED:
            self._value = self._value << 8 | self._next()
            self._range <<= 8

    def _next(self) -> int:
        if self._position == len(self._data):
            return 0
        self._position += 1
        return self._data[self._position - 1]
