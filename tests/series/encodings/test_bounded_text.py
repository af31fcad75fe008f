"""Bounds are kept by text too: a CSV of decoded values, read again, is as near as they are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from series_tables import back, table

from vqaudio.series import MaxError, RelativeError, compress
from vqaudio.series.cell_style import render_cells

DTYPES = ["f2", "f4", "f8", "i2", "i8", "u8"]


def texts_of(values: np.ndarray, bound: MaxError | RelativeError) -> list[str]:
    """The cells of a CSV."""
    found = back(compress(table(values), bound)).columns[0]
    return [str(text) for text in render_cells(found)]


def exact(value: np.generic) -> Fraction:
    return Fraction(int(value)) if value.dtype.kind in "iu" else Fraction(float(value))


def is_its_text(text: str, value: np.generic) -> bool:
    """Whether a text is the shortest by which its type has the value, written either way: 1.5e+08, 150000000.0."""
    return Fraction(text) == Fraction(str(value))


def columns(dtype: str) -> st.SearchStrategy[np.ndarray]:
    limits = (
        {} if np.dtype(dtype).kind in "iu" else {"allow_nan": False, "allow_infinity": False, "allow_subnormal": True}
    )
    return hnp.arrays(dtype, st.integers(1, 40), elements=hnp.from_dtype(np.dtype(dtype), **limits))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(DTYPES).flatmap(columns), st.sampled_from([1e-4, 0.01, 0.3, 5.0, 1e3]))
def test_text_is_within_the_bound(values, bound):
    for text, value in zip(texts_of(values, MaxError(bound)), values, strict=True):
        assert is_its_text(text, value) or abs(Fraction(text) - exact(value)) <= Fraction(bound)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(DTYPES).flatmap(columns), st.sampled_from([1e-6, 1e-3, 0.01, 0.3]))
def test_text_is_within_the_share(values, share):
    for text, value in zip(texts_of(values, RelativeError(share)), values, strict=True):
        assert is_its_text(text, value) or abs(Fraction(text) - exact(value)) <= Fraction(share) * abs(exact(value))


@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_values_near_the_edge_of_the_bound_are_found_out(dtype):
    """The text of a narrow float is another number of float64, which may lie beyond the bound where it does not."""
    values = (np.random.default_rng(0).normal(size=3000) * 50).astype(dtype)
    for bound in (0.02, 0.05, 0.125):
        for text, value in zip(texts_of(values, MaxError(bound)), values, strict=True):
            assert is_its_text(text, value) or abs(Fraction(text) - exact(value)) <= Fraction(bound)
