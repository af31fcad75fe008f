"""What the writer has the mixed coder refer to, and that it keeps the smallest."""

from __future__ import annotations

import numpy as np

from vqaudio.container.fields import Cursor
from vqaudio.series.coding import mixed
from vqaudio.series.coding.column import MIXED_NAME, decode_column, encode_column
from vqaudio.series.coding.mixed import LEVELS, MixedForm
from vqaudio.series.coding.mixed_choice import encode_best

RNG = np.random.default_rng(8)


def form_of(data: bytes, n_previous: int) -> MixedForm:
    return MixedForm.from_cursor(Cursor(data), n_previous)


def test_columns_that_tell_most_are_referred_to():
    words, noise = RNG.integers(0, 20, 4000), RNG.integers(0, 9, 4000)
    values = RNG.permutation(20)[words]
    found = encode_best(values, [noise, words, noise[::-1]], below=10_000)
    assert found is not None
    assert form_of(found, 3).references[0] == 1
    assert len(found) < 150


def test_a_day_is_found():
    values = np.tile(RNG.integers(0, 1000, 24), 60) + RNG.integers(0, 2, 24 * 60)
    found = encode_best(values, [], below=10_000)
    assert found is not None
    assert form_of(found, 0).period % 24 == 0


def test_values_far_apart_are_stored_once():
    values = RNG.choice(np.sort(RNG.integers(0, 2**50, 30)), 3000)
    found = encode_best(values, [], below=10_000)
    assert found is not None
    assert form_of(found, 0).flags & LEVELS
    assert len(found) < 3000 * 5 / 8 + 400


def test_forms_of_long_columns_are_tried_on_a_piece():
    values = RNG.integers(0, 3, 40_000).cumsum()
    found = encode_best(values, [values[::-1].copy()], below=100_000)
    assert found is not None
    assert (mixed.decode(Cursor(found), len(values), [values[::-1].copy()]) == values).all()


def test_columns_are_mixed_where_that_takes_fewer_bytes():
    values, previous = RNG.integers(0, 3, 2000), [RNG.integers(0, 9, 2000)]
    for column in (values * 100, np.arange(2000), np.full(2000, 4), np.array([2**62, -(2**62)] * 1000)):
        usual, mixing = encode_column(column, previous)[0], encode_column(column, previous, mixing=True)[0]
        restored, name = decode_column(Cursor(mixing), 2000, previous=previous)
        assert (restored == column).all()
        assert len(mixing) <= len(usual)
        assert (name == MIXED_NAME) == (mixing != usual)
    assert encode_best(np.full(9, 4), [], below=100) is None
