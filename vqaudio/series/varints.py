"""Many varints at once, as :func:`vqaudio.container.fields.varint` writes one."""

from __future__ import annotations

import numpy as np

from vqaudio.container.fields import Cursor, DamageError
from vqaudio.series.arrays import Integers

_WIDEST = 9


def varints(numbers: Integers) -> bytes:
    """All numbers ``(count,)``, none of them below 0, one after another."""
    wide = numbers.astype(np.uint64)
    widths = np.ones(len(wide), np.int64)
    for place in range(1, _WIDEST):
        widths += wide >= np.uint64(1 << 7 * place)
    starts = widths.cumsum() - widths
    data = np.zeros(int(widths.sum()), np.uint8)
    for place in range(int(widths.max(initial=0))):
        here = widths > place
        digit = (wide[here] >> np.uint64(7 * place)).astype(np.uint8) & np.uint8(0x7F)
        data[starts[here] + place] = digit | ((widths[here] > place + 1).astype(np.uint8) << 7)
    return data.tobytes()


def take_varints(cursor: Cursor, count: int) -> Integers:
    """The next ``count`` numbers, int64 ``(count,)``.

    Raises:
        DamageError: there are not as many.
    """
    window = np.frombuffer(
        cursor.data, np.uint8, min(count * _WIDEST, len(cursor.data) - cursor.position), cursor.position
    )
    ends = np.flatnonzero(window < 0x80)[:count] + 1
    if len(ends) < count:
        raise DamageError("it ends too early")
    if not count:
        return np.zeros(0, np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    widths = ends - starts
    if widths.max() > _WIDEST or ((window[ends - 1] == 0) & (widths > 1)).any():
        raise DamageError("a number is longer than it needs to be")
    numbers = np.zeros(count, np.int64)
    for place in range(int(widths.max())):
        here = widths > place
        numbers[here] |= (window[starts[here] + place] & np.uint8(0x7F)).astype(np.int64) << 7 * place
    cursor.position += int(ends[-1])
    return numbers
