"""Integers to bytes and back by mixing: many predictions of each value, weighed by how good they have been.

Every value is a few binary decisions (is it above the prediction? by more than a step? ...), each coded with a
likelihood to which all of these contribute:

- *distributions*: logistic ones around least squares over the values before and the reference columns, one fit that
  forgets slowly and one that forgets quickly, around what a cascade of LMS filters makes of the first, the last value,
  the one a period ago, and a mean of all these by how far off they have been; as wide as errors have been of late;
- *counters* of what came in the same context: scale, residuals, disagreement of the predictions, reference columns,
  and the values before themselves;
- *guesses*: the value (or the step) that came after the same values, or beside the same references, the last time.

Their logits are mixed with weights that learn after every decision; adaptive probability maps correct the result. So no
parameters are stored but which columns are referred to, and a period. All is done by ``kernels/mixed.c``, in integers
and in IEEE 754 operations of a fixed order, which have one result on every machine.

Where a column takes few values far apart, decisions are about ranks among these *levels*, which then are stored.

Sources: Mahoney, "Adaptive weighing of context models for lossless data compression", 2005 (PAQ: logistic mixing,
guesses, maps); Ghido and Tabus, "Sparse modeling for lossless audio compression", 2013 (OptimFROG), and Huang et al.,
"Lossless compression using RLS-LMS" (MPEG-4 ALS), 2006, for the cascade; Weinberger, Seroussi and Sapiro, "The LOCO-I
lossless image compression algorithm", 2000, for scales of residuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, unzigzag, varint, zigzag
from vqaudio.series.arrays import Integers
from vqaudio.series.kernels import Output, Scratch, call

TREE = 1
"""Ranks are coded bit by bit, rather than from the prediction outwards."""
SYMBOLS = 2
"""Values are not predicted by arithmetic, only from contexts."""
CASCADE = 4
"""Filters go on from least squares."""
LEVELS = 8
"""The values that occur are stored."""
FORGETFUL = 16
"""Least squares forget the past sooner."""
MOST_REFERENCES = 12
MOST_LAGS = 32
MOST_REFERENCE_TERMS = 4
MOST_PERIOD = 1 << 20
WIDEST_RANGE = 2**60
HALF_BITS = 32
"""Of the least value, which may have 64 bits, so many stand by themselves."""
TABLE_BITS = (12, 16)
"""log2 of the size of tables: that of the rows and 2 more, within these."""


@dataclass(frozen=True)
class MixedForm:
    """How a column is seen.

    Args:
        flags: of ``TREE``, ``SYMBOLS``, ``CASCADE``, ``LEVELS``, ``FORGETFUL``.
        n_lags: steps between values before that least squares go over.
        references: columns before in the chunk, by number.
        n_reference_terms: of each reference column: its step, its value, its next step, its last step.
        period: rows after which values are alike, 2 or more; 0 if there are none.
    """

    flags: int
    n_lags: int = 0
    references: tuple[int, ...] = ()
    n_reference_terms: int = 3
    period: int = 0

    def to_bytes(self) -> bytes:
        """As :meth:`from_cursor` expects it."""
        terms = [self.n_reference_terms] if self.references else []
        numbers = [self.flags, self.n_lags, self.period, len(self.references), *self.references, *terms]
        return b"".join(map(varint, numbers))

    @classmethod
    def from_cursor(cls, cursor: Cursor, n_previous: int) -> MixedForm:
        """The next form in some bytes, in a chunk where so many columns come before.

        Raises:
            DamageError: numbers that no form has.
        """
        flags, n_lags, period, n_references = (cursor.varint() for _ in range(4))
        if n_references > MOST_REFERENCES:
            raise DamageError(f"it refers to {n_references} columns, expected {MOST_REFERENCES} at most")
        references = tuple(cursor.varint() for _ in range(n_references))
        n_terms = cursor.varint() if references else 1
        if any(column >= n_previous for column in references):
            raise DamageError(f"it refers to columns {references} of {n_previous}")
        if (
            flags >= 2 * FORGETFUL
            or n_lags > MOST_LAGS
            or not 1 <= n_terms <= MOST_REFERENCE_TERMS
            or period == 1  # with which a value would be predicted from itself
            or period > MOST_PERIOD
        ):
            raise DamageError(f"its form is {flags}, with {n_lags} lags, {n_terms} terms, period {period}")
        return cls(flags, n_lags, references, n_terms, period)


def fits(values: Integers) -> bool:
    """Whether values ``(rows,)`` are close enough to be coded so, or to be referred to."""
    return int(values.max()) - int(values.min()) < WIDEST_RANGE


def encode(
    form: MixedForm, values: Integers, previous: Sequence[Integers], *, below: int | None = None
) -> bytes | None:
    """A column as bytes; None if they are not fewer than ``below``.

    Args:
        form: how to see it.
        values: int64 ``(rows,)`` that :func:`fits`.
        previous: the chunk's columns before, of the same length; those referred to fit, too.
        below: about so many bytes would be too many.
    """
    least = int(values.min())
    relative = values - least
    data = form.to_bytes() + varint(zigzag(least >> HALF_BITS)) + varint(least & (1 << HALF_BITS) - 1)
    levels = relative[:0]
    if form.flags & LEVELS:
        levels = np.unique(relative)
        gaps = encode_gaps(levels)
        data += varint(len(levels)) + gaps
    else:
        data += varint(int(relative.max()))
    room = 16 * len(values) + 64 if below is None else below - len(data)
    if room <= 0:
        return None
    n_bytes, (coded,) = _call(form, Output(room, np.uint8, counted=True), relative, previous=previous, levels=levels)
    return data + varint(n_bytes) + coded.tobytes() if n_bytes or not relative.any() else None


def decode(cursor: Cursor, n_rows: int, previous: Sequence[Integers]) -> Integers:
    """The values, int64 ``(rows,)``, that :func:`encode` was given; of damaged bytes it makes others, or DamageError.

    Args:
        cursor: where the bytes begin; it is left where they end.
        n_rows: of the chunk.
        previous: the chunk's columns before.
    """
    form = MixedForm.from_cursor(cursor, len(previous))
    high, low = unzigzag(cursor.varint()), cursor.varint()
    if high >> HALF_BITS - 1 not in (0, -1) or low >> HALF_BITS:
        raise DamageError("its least value does not fit 64 bits")
    levels = np.zeros(0, np.int64)
    if form.flags & LEVELS:
        levels = decode_gaps(cursor, cursor.varint(), most=n_rows)
        widest = int(levels[-1])
    else:
        widest = cursor.varint()
    if widest >= WIDEST_RANGE:
        raise DamageError("its values are too far apart")
    if not all(fits(previous[column]) for column in form.references):
        raise DamageError("it refers to a column whose numbers are too far apart")
    coded = np.frombuffer(cursor.take(cursor.varint()), np.uint8)
    _, (relative,) = _call(form, coded, Output(n_rows), previous=previous, levels=levels, widest=widest)
    return relative + ((high << HALF_BITS) + low)


def encode_gaps(levels: Integers) -> bytes:
    """Numbers ``(levels,)`` that rise from 0, by the distances between them."""
    gaps = np.diff(levels)
    if not len(gaps):
        return b""
    coded = encode(MixedForm(CASCADE, n_lags=2), gaps, [])
    assert coded is not None
    return coded


def decode_gaps(cursor: Cursor, n_levels: int, *, most: int) -> Integers:
    """What :func:`encode_gaps` was given.

    Raises:
        DamageError: there are none, or more than ``most``, or they do not rise.
    """
    if not 0 < n_levels <= most:
        raise DamageError(f"it holds {n_levels} levels in {most} rows")
    gaps = decode(cursor, n_levels - 1, []) if n_levels > 1 else np.zeros(0, np.int64)
    if len(gaps) and (gaps.min() < 1 or gaps.astype(np.float64).sum() >= 2 * WIDEST_RANGE):
        raise DamageError("its levels do not rise")
    return np.concatenate([np.zeros(1, np.int64), gaps.cumsum()])


def _call(
    form: MixedForm,
    data: Output | NDArray[np.uint8],
    values: Integers | Output,
    *,
    previous: Sequence[Integers],
    levels: Integers,
    widest: int | None = None,
) -> tuple[int, list[NDArray[np.int64]]]:
    """Run the kernel: it encodes where ``data`` is an output, and decodes where ``values`` are one."""
    decoding = isinstance(values, Output)
    n_rows = values.size
    references = [previous[column] for column in form.references]
    bits = min(max(TABLE_BITS[0], n_rows.bit_length() + 2), TABLE_BITS[1])
    room, _ = call("mixed_room", bits)
    return call(
        "code_mixed",
        int(decoding),
        data,
        data.size,
        values,
        n_rows,
        np.stack(references) if references else np.zeros(0, np.int64),
        len(references),
        levels,
        len(levels),
        int(values.max()) if widest is None and not isinstance(values, Output) else int(widest or 0),
        form.flags & ~LEVELS,
        form.n_lags,
        form.n_reference_terms,
        form.period,
        bits,
        Scratch(room),
    )
