"""Numbers and times to text at speed: Arrow's arrays of strings, in the very letters that Python and numpy write.

Arrow writes most cells. Those that it writes otherwise than Python (exponents, negative zeros, years of five digits)
are few; each distinct one is written by Python once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vqaudio.series import time_text

GRID_DIGITS = 15
"""Digits behind the point up to which floats are looked at as integers over a power of ten."""
EXACT, NEAR = 2.0**52, 2.0**40
"""Numbers of steps below which the float next to a decimal rounds to it, and below which products are off by 2**-12."""
DECIMAL_DIGITS = 18
PLAIN_DIGITS = 6
"""Arrow writes decimals with an exponent that have more zeros behind the point."""
SHORTEST = (1e-4, 1e10)
"""Between these, Arrow's shortest text of a float is Python's."""
_UNITS = {"D": 86400 * 10**9, "h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_YEARS = (-62135596800 * 10**9, 253402300800 * 10**9)
"""Nanoseconds at which the years 1 and 10000 begin."""
_NANOSECONDS = (-9 * 10**18, 9 * 10**18)
"""Between these, nanoseconds fit in 64 bits."""


def is_time(dtype: str) -> bool:
    """Whether cells of a column are written as dates or hours."""
    return dtype.startswith(("timestamp", "date", "time"))


def replaced(texts: Any, by_row: Mapping[int, str]) -> Any:
    """Texts, with others in some rows."""
    if not by_row:
        return texts
    rows = sorted(by_row)
    mask = np.zeros(len(texts), bool)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array([by_row[row] for row in rows], pa.string()))


def _written(texts: Any, odd: NDArray[np.bool_], values: NDArray[Any], write: Callable[[Any], str]) -> Any:
    """Texts; those of ``odd`` rows are written by ``write``, which is asked once for each distinct value."""
    if not odd.any():
        return texts
    some = values[odd]
    bits = some if some.dtype.kind != "f" else some.view(f"u{some.dtype.itemsize}")  # -0 is not 0
    distinct, places = np.unique(bits, return_inverse=True)
    words = pa.array([write(value) for value in distinct.view(some.dtype)], pa.string())
    return pc.replace_with_mask(texts, pa.array(odd), words.take(pa.array(places)))


# ------------------------------------------------------------------------------------------------------------- numbers


def of_floats(values: NDArray[Any], *, digits: int | None = None, short: bool = False) -> Any:
    """Floats ``(rows,)`` as text.

    Args:
        values: float16, float32 or float64.
        digits: how many stand behind the point; None for the shortest text that is read back as the same number.
        short: whether such a text does without ``.0`` behind whole numbers.
    """
    if digits is not None:
        return _of_fixed(values, digits)
    if values.dtype == np.float16:
        return _written(
            pa.array([""]).take(pa.array(np.zeros(len(values), int))),
            np.ones(len(values), bool),
            values,
            lambda value: _shortest(value, short),
        )
    sizes = np.abs(values)
    plain = ((sizes >= SHORTEST[0]) & (sizes < SHORTEST[1])) | (sizes == 0)
    texts = pa.array(values).cast(pa.string())
    whole = plain & (values == np.rint(values))
    if not short and whole.any():
        mask = pa.array(whole)
        texts = pc.replace_with_mask(texts, mask, pc.binary_join_element_wise(texts.filter(mask), ".0", ""))
    return _written(texts, ~plain, values, lambda value: _shortest(value, short))


def _shortest(value: Any, short: bool) -> str:
    if value.dtype == np.float64:
        text = str(float(value))
    elif SHORTEST[0] <= abs(float(value)) < SHORTEST[1] or value == 0:
        text = np.format_float_positional(value, unique=True, trim="0")
    else:
        text = np.format_float_scientific(value, unique=True, trim="-", exp_digits=2)
    return text.removesuffix(".0") if short else text


def _of_fixed(values: NDArray[Any], digits: int) -> Any:
    """Floats with so many digits behind the point, correctly rounded as by Python."""
    if digits > GRID_DIGITS:
        return pa.array([f"{value:.{digits}f}" for value in values.tolist()], pa.string())
    wide = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = wide * 10.0**digits
        steps = np.rint(scaled)
        sizes = np.abs(steps)
        plain = (sizes < EXACT) & (steps / 10.0**digits == wide)
        plain |= (sizes < NEAR) & (np.abs(scaled - steps) < 0.49)
    plain &= (steps != 0) | ~np.signbit(wide)
    wholes = np.where(plain, steps, 0).astype(np.int64)
    return _written(*_with_point(wholes, plain, digits), wide, lambda value: f"{value:.{digits}f}")


def _with_point(wholes: NDArray[np.int64], plain: NDArray[np.bool_], digits: int) -> tuple[Any, NDArray[np.bool_]]:
    """Integers with a point before their last digits where they are ``plain``, and where they are not written so."""
    if not digits:
        return pa.array(wholes).cast(pa.string()), ~plain
    if digits > PLAIN_DIGITS:
        plain = plain & (np.abs(wholes) >= 10 ** (digits - PLAIN_DIGITS))
    kind = pa.decimal64(DECIMAL_DIGITS, digits)
    decimals = pa.Array.from_buffers(kind, len(wholes), [None, pa.py_buffer(np.ascontiguousarray(wholes))])
    return decimals.cast(pa.string()), ~plain


def of_decimals(values: NDArray[Any], scale: int) -> Any:
    """Decimals ``(rows,)`` without their point, int64 or digits as text, with it before the last ``scale`` of them."""
    if values.dtype == object or scale > DECIMAL_DIGITS:
        return pa.array([_decimal(str(value or 0), scale) for value in values.tolist()], pa.string())
    plain = (values > -(10**DECIMAL_DIGITS)) & (values < 10**DECIMAL_DIGITS)
    return _written(
        *_with_point(np.where(plain, values, 0), plain, scale), values, lambda value: _decimal(str(value), scale)
    )


def _decimal(digits: str, scale: int) -> str:
    """An integer with a point before its last ``scale`` digits."""
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    digits = digits.zfill(scale + 1)
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else sign + digits


def read_floats(texts: Any) -> NDArray[np.float64]:
    """Texts of floats as the float64 that are nearest to them."""
    return cast(NDArray[np.float64], texts.cast(pa.float64()).to_numpy())


# --------------------------------------------------------------------------------------------------------------- times


def usual_unit(dtype: str) -> str:
    """The finest unit in which times of a type are written unless a style says another."""
    return "D" if dtype.startswith("date") else dtype.rstrip("]").partition("[")[2]


def of_times(values: NDArray[np.int64], dtype: str, *, shown: str | None, between: str, end: str) -> Any:
    """Times ``(rows,)`` as text.

    Args:
        values: in the unit of ``dtype``, since 1970 or since midnight.
        dtype: ``timestamp[...]``, ``date32``, ``date64``, ``time32[...]`` or ``time64[...]``.
        shown: the finest unit that is written: ``D``, ``m``, ``s``, ``ms``, ``us`` or ``ns``; None for the type's.
        between: what stands before the hours.
        end: what follows.
    """
    kind, _, unit = dtype.rstrip("]").partition("[")
    unit = unit or {"date32": "D", "date64": "ms"}[kind]
    shown = shown or usual_unit(dtype)
    start = 11 if kind.startswith("time") and kind != "timestamp" else 0

    def write(value: np.int64) -> str:
        stamp = np.datetime_as_string(value.view(f"datetime64[{unit}]"), cast(Any, shown))
        return str(stamp).replace("T", between)[start:] + end

    limits = _NANOSECONDS if shown == "ns" else _YEARS
    least, most = (limit // _UNITS[unit] for limit in limits)
    plain = (values >= max(least, 1 - 2**63)) & (values < min(most, 2**63 - 1))
    texts = _stamps(np.where(plain, values, 0), unit, shown)
    if between != " " and shown != "D":
        texts = pc.binary_replace_slice(texts, 10, 11, between)
    if start:
        texts = pc.utf8_slice_codeunits(texts, start)
    return _written(pc.binary_join_element_wise(texts, end, "") if end else texts, ~plain, values, write)


def of_pattern(values: NDArray[np.int64], pattern: str) -> Any:
    """Times ``(rows,)`` as text by a pattern of :mod:`vqaudio.series.time_text`."""
    data, offsets = time_text.render(values, pattern)
    if offsets[-1] > np.iinfo(np.int32).max:
        raise ValueError(f"{offsets[-1]} bytes of times are more than an array of texts holds")
    return pa.Array.from_buffers(
        pa.string(), len(values), [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    )


def _stamps(values: NDArray[np.int64], unit: str, shown: str) -> Any:
    coarse, fine = _UNITS[shown], _UNITS[unit]
    values = values // (coarse // fine) if coarse >= fine else values * (fine // coarse)
    if shown == "D":
        return pa.array(values.astype(np.int32)).view(pa.date32()).cast(pa.string())
    if shown == "m":
        values = values * 60
    texts = pa.array(values).view(pa.timestamp("s" if shown == "m" else shown)).cast(pa.string())
    return pc.utf8_slice_codeunits(texts, 0, 16) if shown == "m" else texts
