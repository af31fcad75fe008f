"""Columns through the mixed coder and back, whatever they hold; and what damage makes of them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqaudio.container.fields import Cursor, DamageError
from vqaudio.series.coding import mixed
from vqaudio.series.coding.mixed import CASCADE, LEVELS, SYMBOLS, TREE, MixedForm

FLAGS = [
    CASCADE,
    0,
    CASCADE | TREE,
    SYMBOLS | TREE,
    SYMBOLS,
    LEVELS | CASCADE,
    LEVELS | CASCADE | TREE,
    LEVELS | SYMBOLS | TREE,
]
BOUND = 2**59 - 1
PINNED = {
    4: "6fc80cfe57e9",
    5: "6fe2c4e1c849",
    2: "d7359e3aba99",
    12: "7c50c4e292d3",
    11: "bc4d1d5464fe",
    28: "d88df4b019e7",
}
"""What the columns of a test begin a SHA-256 with, by flags."""


def round_trip(form: MixedForm, values: np.ndarray, previous: list[np.ndarray]) -> bytes:
    data = mixed.encode(form, values, previous)
    assert data is not None
    cursor = Cursor(data + b"behind")
    assert (mixed.decode(cursor, len(values), previous) == values).all()
    assert cursor.position == len(data)
    return data


def columns(n_rows: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    walk = rng.integers(-9, 10, n_rows).cumsum()
    return {
        "constant": np.full(n_rows, -7),
        "alternating": np.arange(n_rows) % 2 * 1000,
        "wide": rng.integers(-BOUND, BOUND, n_rows),
        "extremes": rng.choice([-BOUND, 0, BOUND], n_rows),
        "walk": walk,
        "periodic": (1000 * np.sin(np.arange(n_rows) / 24 * 2 * np.pi)).astype(np.int64) + walk // 8,
        "outliers": np.where(rng.random(n_rows) < 0.01, rng.integers(-BOUND, BOUND, n_rows), walk),
        "bits": np.abs(rng.normal(3, 0.1, n_rows)).view(np.int64),
        "least": -(2**63) + np.abs(walk),
        "runs": np.repeat(rng.integers(0, 9, n_rows // 50 + 1), 50)[:n_rows],
    }


@pytest.mark.parametrize("flags", FLAGS)
def test_columns_of_all_kinds_come_back(flags: int):
    previous = list(columns(300, 1).values())[:6]
    for values in columns(300, 2).values():
        form = MixedForm(flags, n_lags=4, references=(1, 4, 3), period=24)
        round_trip(form, values, previous)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.one_of(st.integers(-4, 4), st.integers(-BOUND, BOUND)), min_size=1, max_size=60),
    flags=st.sampled_from(FLAGS),
    n_lags=st.integers(0, mixed.MOST_LAGS),
    n_reference_terms=st.integers(1, mixed.MOST_REFERENCE_TERMS),
    period=st.integers(0, 100).filter(lambda period: period != 1),
)
def test_any_numbers_come_back(values, flags, n_lags, n_reference_terms, period):
    column = np.array(values, np.int64)
    form = MixedForm(flags, n_lags, (0,) * mixed.MOST_REFERENCES, n_reference_terms, period)
    round_trip(form, column, [column[::-1] // 2])


def test_what_follows_from_another_column_takes_next_to_nothing():
    rng = np.random.default_rng(3)
    words, noise = rng.integers(0, 50, 5000), rng.integers(0, 1000, 5000)
    of_words = rng.permutation(1000)[words]
    assert len(round_trip(MixedForm(SYMBOLS | TREE, references=(0,)), of_words, [words])) < 350
    assert len(round_trip(MixedForm(CASCADE, 4, references=(0,)), 3 * noise + 7, [noise])) < 100


def test_runs_take_less_than_a_fiftieth_bit_a_value():
    values = np.repeat([3, 4, 5, 3], 5000)
    for flags in (CASCADE, CASCADE | TREE, SYMBOLS | TREE):
        assert len(round_trip(MixedForm(flags, 4), values, [])) < len(values) / 8 / 50


def test_noise_takes_little_more_than_it_must():
    rng = np.random.default_rng(4)
    uniform = rng.integers(0, 64, 20_000)
    assert len(round_trip(MixedForm(CASCADE | TREE, 4), uniform, [])) < 1.02 * 20_000 * 6 / 8
    normal = np.rint(rng.normal(0, 20, 20_000)).astype(np.int64)
    ideal = 20_000 * np.log2(20 * np.sqrt(2 * np.pi * np.e)) / 8
    assert len(round_trip(MixedForm(CASCADE, 4), normal, [])) < 1.02 * ideal


def test_more_bytes_than_are_wanted_are_none():
    values = np.random.default_rng(5).integers(0, 1000, 1000)
    n_bytes = len(round_trip(MixedForm(CASCADE, 4), values, []))
    assert mixed.encode(MixedForm(CASCADE, 4), values, [], below=n_bytes - 100) is None
    assert mixed.encode(MixedForm(CASCADE, 4), values, [], below=0) is None


def test_damage_is_reported_or_makes_other_numbers():
    values = columns(300, 6)["periodic"]
    for flags in FLAGS:
        data = round_trip(MixedForm(flags, 4, (0,), period=24), values, [values // 3])
        rng = np.random.default_rng(flags)
        for _ in range(60):
            damaged = bytearray(data)
            damaged[rng.integers(min(len(data), 40))] = rng.integers(256)
            try:
                found = mixed.decode(Cursor(bytes(damaged)), len(values), [values // 3])
                assert found.shape == values.shape
            except DamageError:
                pass
        with pytest.raises(DamageError):
            mixed.decode(Cursor(data[:-1]), len(values), [values // 3])


@pytest.mark.parametrize(
    "form",
    [
        MixedForm(32),
        MixedForm(0, 33),
        MixedForm(0, 0, (1,)),
        MixedForm(0, 0, (0,) * 13),
        MixedForm(0, 0, (0,), 5),
        MixedForm(0, period=1 << 21),
        MixedForm(0, period=1),
    ],
)
def test_forms_that_no_writer_chooses_are_damage(form: MixedForm):
    with pytest.raises(DamageError):
        MixedForm.from_cursor(Cursor(form.to_bytes()), 1)


def test_numbers_far_apart_are_not_referred_to():
    great = np.array([0, 2**62])
    assert not mixed.fits(great)
    data = mixed.encode(MixedForm(0, 0, (0,)), np.array([1, 2]), [np.array([1, 2])])
    with pytest.raises(DamageError, match="too far apart"):
        mixed.decode(Cursor(data), 2, [great])


def test_bytes_are_what_they_were():
    rows = np.arange(400)
    wave = rows * rows % 97 + rows // 3
    steps = np.where(rows % 7 == 0, 5, wave % 4) * 1000
    found = {flags: round_trip(MixedForm(flags, 4, (0,), period=24), steps, [wave]) for flags in PINNED}
    assert {flags: hashlib.sha256(data).hexdigest()[:12] for flags, data in found.items()} == PINNED
