"""Random tables of every type that a column can have, and whether two are the same, for proofs over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from series_tables import column, table

from vqaudio.series import Column, Table
from vqaudio.series.table import FLOATS, INTEGERS, NAN, NULL, VALUE

TIMES = ("timestamp[s]", "timestamp[ns]", "date32", "time64[us]", "duration[ms]")
LIMITS = {"date32": 10**5, "time64[us]": 86_400 * 10**6 - 1}
TEXTS = ("", "a", "b,c", "é\n", '"', "NA", "1.50", "-0", "2020-01-01")
MOST_ROWS = 60


@st.composite
def floats(draw: st.DrawFn, rows: int, dtype: str, *, finite: bool) -> np.ndarray:
    """Noise, walks, decimals, steps, levels or mere bits; with zeros of both signs, subnormals, NaN and infinity."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = np.dtype(dtype)
    scale = float(np.finfo(kind).max) ** draw(st.sampled_from([-0.5, -0.1, 0.0, 0.1, 0.5, 0.9]))
    makers: dict[str, Callable[[], np.ndarray]] = {
        "noise": lambda: random.normal(0, scale, rows),
        "walk": lambda: random.normal(0, scale, rows).cumsum(),
        "decimals": lambda: np.round(random.normal(0, 10, rows).cumsum(), int(random.integers(5))),
        "ramp": lambda: np.arange(rows) * scale,
        "levels": lambda: random.choice(random.normal(0, scale, 3), rows),
        "thirds": lambda: random.integers(-9, 9, rows) / 3,
        "constant": lambda: np.full(rows, scale),
    }
    name = draw(st.sampled_from([*makers, "bits"]))
    with np.errstate(over="ignore", invalid="ignore"):
        if name == "bits":
            values = random.integers(0, 2 ** (8 * kind.itemsize) - 1, rows, np.uint64, endpoint=True)
            values = values.astype(f"u{kind.itemsize}").view(kind)
        else:
            values = makers[name]().astype(kind)
    limits = np.finfo(kind)
    special = [0.0, -0.0, limits.smallest_subnormal, limits.tiny, limits.max, limits.min, np.nan]
    special += [] if finite else [np.inf, -np.inf]
    for at, value in draw(st.lists(st.tuples(st.integers(0, rows - 1), st.sampled_from(special)), max_size=4)):
        values[at] = value
    return np.where(np.isinf(values), kind.type(1), values) if finite else values


@st.composite
def integers(draw: st.DrawFn, rows: int, dtype: str) -> np.ndarray:
    """Of the whole range, of its ends, few, or steps of a walk."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    limits = np.iinfo(dtype)
    low, high = draw(
        st.sampled_from(
            [(limits.min, limits.max), (0, 100), (limits.max - 5, limits.max), (limits.min, limits.min + 2)]
        )
    )
    values = random.integers(low, high, rows, limits.dtype, endpoint=True)
    if draw(st.booleans()):
        values = np.sort(values)
    return values


@st.composite
def columns(draw: st.DrawFn, rows: int, name: str, *, finite: bool) -> Column:
    """A column of any type, with gaps or without."""
    kinds = (*FLOATS, *INTEGERS, "bool", "string", "timestamp", "decimal", "null")
    kind = draw(st.sampled_from(kinds))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = np.zeros(rows, np.uint8)
    if kind in FLOATS:
        one = column(draw(floats(rows, kind, finite=finite)), name)
    elif kind in INTEGERS:
        one = column(draw(integers(rows, kind)), name)
    elif kind == "bool":
        one = column(random.integers(0, 2, rows).astype(bool), name)
    elif kind == "string":
        one = Column(name, "string", random.choice(np.array(TEXTS, object), rows), cells)
    elif kind == "timestamp":
        dtype = draw(st.sampled_from(TIMES))
        most = LIMITS.get(dtype, 10**12)
        values = random.integers(0, most, rows)
        one = Column(name, dtype, values if draw(st.booleans()) else np.sort(values), cells)
    elif kind == "decimal":
        one = Column(name, "decimal128(12, 3)", random.integers(-(10**9), 10**9, rows), cells)
    else:
        one = Column(name, "null", np.zeros(rows, np.int8), np.full(rows, NULL, np.uint8))
    if kind not in ("null", *FLOATS) and draw(st.booleans()):
        one.cells = random.choice(np.array([VALUE, VALUE, NULL], np.uint8), rows)
        one.values = np.where(one.known, one.values, "" if kind == "string" else np.zeros(1, one.values.dtype))
    return one


@st.composite
def tables(draw: st.DrawFn, *, finite: bool = False) -> Table:
    """A few columns of any types."""
    rows = draw(st.one_of(st.just(1), st.integers(2, MOST_ROWS)))
    count = draw(st.integers(1, 5))
    return table(*(draw(columns(rows, f"c{number}", finite=finite)) for number in range(count)))


def as_arrow(original: Table) -> pa.Table:
    """The same as Arrow has it; NaNs stay values there."""
    arrays = []
    for one in original.columns:
        missing = one.cells == NULL
        if one.dtype.startswith("decimal"):
            values = [None if gap else Decimal(int(v)).scaleb(-3) for v, gap in zip(one.values, missing, strict=True)]
            arrays.append(pa.array(values, pa.decimal128(12, 3)))
        elif one.dtype == "null":
            arrays.append(pa.nulls(len(missing)))
        elif one.values.dtype.kind == "O":
            arrays.append(pa.array(one.values, pa.string(), mask=missing))
        elif one.dtype in FLOATS + INTEGERS or one.dtype == "bool":
            arrays.append(pa.array(one.values, mask=missing))
        else:
            arrays.append(_times(one, missing))
    return pa.Table.from_arrays(arrays, [one.name for one in original.columns])


def _times(one: Column, missing: np.ndarray) -> pa.Array:
    name, _, unit = one.dtype.rstrip("]").partition("[")
    kind = getattr(pa, name)(unit) if unit else getattr(pa, name)()
    storage = pa.int32() if kind.bit_width == 32 else pa.int64()
    return pa.array(one.values, mask=missing).cast(storage).view(kind)


def check_same(columns: Sequence[Column], others: Sequence[Column]) -> None:
    """Types, gaps and values; of floats, all bits, by which zeros and NaNs differ."""
    assert len(columns) == len(others)
    for before, after in zip(columns, others, strict=True):
        assert (before.name, before.dtype, before.values.dtype) == (after.name, after.dtype, after.values.dtype)
        assert ((before.cells == NULL) == (after.cells == NULL)).all()
        if before.dtype in FLOATS:  # usual NaNs are cells without a value, others values
            found = np.where(after.cells == NAN, np.array(np.nan, before.values.dtype), after.values)
            assert before.values.tobytes() == found.tobytes()
        else:
            assert (before.values[before.known] == after.values[after.known]).all()


def same_arrow(one: pa.Table, other: pa.Table) -> bool:
    """Equal to the bits of floats, in whatever chunks."""
    return one.schema.equals(other.schema) and all(
        _bits(a.combine_chunks()) == _bits(b.combine_chunks()) for a, b in zip(one.columns, other.columns, strict=True)
    )


def _bits(array: pa.Array) -> list[object]:
    if pa.types.is_temporal(array.type):  # Python has no dates beyond the year 9999
        return array.view(pa.int32() if array.type.bit_width == 32 else pa.int64()).to_pylist()
    if not pa.types.is_floating(array.type):
        return array.to_pylist()
    values = array.fill_null(0).to_numpy(zero_copy_only=False)
    return [values.tobytes(), array.is_null().to_pylist()]
