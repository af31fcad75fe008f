"""Numbers within a share of each."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from series_tables import back, table

from vqaudio.series import RelativeError, compress
from vqaudio.series.encodings.relative import MantissaLevels, RelativeGrid, encode_relative, levels_of

SHARES = (0.5, 0.1, 1e-2, 1.9e-3, 1e-3, 1e-6)


def is_within(decoded: np.ndarray, values: np.ndarray, share: float) -> bool:
    """Exactly, and as text that is read as float64."""
    for one, other in zip(decoded, values, strict=True):
        if not np.isfinite(other):
            assert one == other or (np.isnan(one) and np.isnan(other))
            continue
        read = Fraction(str(one))  # of float64 the value itself
        exact = Fraction(int(other)) if values.dtype.kind in "iu" else Fraction(float(other))
        most = Fraction(share) * abs(exact)
        good = one == other or (abs(read - exact) <= most and abs(Fraction(one.item()) - exact) <= most)
        if not good or np.signbit(np.float64(one)) != np.signbit(np.float64(other)):
            return False
    return True


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "i4", "u4", "i8", "u8"])
def test_integers_of_all_sizes(dtype, share):
    limits = np.iinfo(dtype)
    values = np.random.default_rng(0).integers(limits.min, limits.max, 400, dtype, endpoint=True)
    values[:6] = limits.max, limits.min, 0, 1, limits.max - 1, limits.min + 1
    found = back(compress(table(values), RelativeError(share))).columns[0].values
    assert found.dtype == values.dtype
    assert is_within(found, values, share)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["f2", "f4", "f8"]).flatmap(
        lambda dtype: hnp.arrays(dtype, st.integers(1, 40), elements=hnp.from_dtype(np.dtype(dtype), allow_nan=True))
    ),
    st.sampled_from(SHARES),
)
def test_any_floats_subnormal_infinite_and_not_a_number(values, share):
    found = back(compress(table(values), RelativeError(share))).columns[0]
    decoded = np.where(found.cells == 0, found.values, np.array(np.nan, values.dtype))
    assert is_within(decoded, values, share)


@pytest.mark.parametrize("share", SHARES[1:])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_floats_take_hardly_more_levels_than_a_logarithm_would(dtype, share):
    values = np.exp(np.random.default_rng(0).uniform(0, math.log(1e4), 20_000)).astype(dtype)
    found = encode_relative(values, share)
    assert found is not None
    assert found.representable.mean() > 0.99
    spread = int(found.numbers.max() - found.numbers.min())
    fewest = math.log(1e4) / math.log((1 + share) / (1 - share))
    most = 1.2 if share > 0.05 or (dtype == "f4" and share < 1e-5) else 1.04
    assert fewest < spread < most * fewest


def test_zeros_stay_and_so_do_their_signs():
    values = np.array([0.0, -0.0, 1.25, -1.25] * 50)
    found = encode_relative(values, 0.01)
    assert found is not None
    assert found.representable.all()
    decoded = found.encoding.values(found.numbers, "float64")
    assert (np.signbit(decoded) == np.signbit(values)).all()
    assert decoded[:2].tolist() == [0.0, 0.0]


def test_a_grid_of_the_values_own_is_kept():
    """Small values are exact, and no value leaves the grid."""
    values = np.round(np.random.default_rng(0).normal(size=2000) * 20, 2)
    found = encode_relative(values, 0.01)
    assert found is not None
    assert isinstance(found.encoding, RelativeGrid)
    decoded = found.encoding.values(found.numbers, "float64")
    assert np.array_equal(decoded, np.round(decoded, 2))
    small = np.abs(values) < 1
    assert np.array_equal(decoded[small], values[small])


def test_text_is_short():
    values = np.random.default_rng(0).normal(size=2000) * 20
    found = encode_relative(values, 1e-3)
    assert found is not None
    lengths = [len(repr(value).strip("-")) for value in found.encoding.values(found.numbers, "float64").tolist()]
    assert np.mean(lengths) < 8.5 < np.mean([len(repr(value).strip("-")) for value in values.tolist()])


def test_exponents_of_any_size_are_kept():
    values = 10.0 ** np.random.default_rng(0).uniform(-300, 300, 2000)
    found = encode_relative(values, 1e-3)
    assert found is not None
    assert isinstance(found.encoding, MantissaLevels)
    assert is_within(
        found.encoding.values(found.numbers, "float64")[found.representable], values[found.representable], 1e-3
    )


def test_levels_are_those_of_integers_alone():
    """Worked by hand: a tenth of 10 is 1, so from 10 on levels are 3 apart, and from 20 on 5."""
    levels = levels_of(0.1000000001, odd=True, limit=30)
    numbers = np.arange(22, dtype=np.uint64)
    assert levels.values(numbers).tolist() == [*range(10), 11, 14, 17, 20, 24, 29, 34, 39, 44, 49, 54, 59]
    values = np.arange(31, dtype=np.uint64)
    assert levels.values(levels.numbers(values)).tolist() == [
        *range(10), *[11] * 3, *[14] * 3, *[17] * 3, *[20] * 3, *[24] * 5, *[29] * 4
    ]  # fmt: skip


def test_where_the_share_saves_nothing_values_are_exact():
    values = np.random.default_rng(0).integers(-5, 6, 3000) * 0.005
    assert np.array_equal(back(compress(table(values), RelativeError(1e-6))).columns[0].values, values)
    assert encode_relative(np.random.default_rng(0).normal(size=500).astype("f2"), 1e-4) is None
