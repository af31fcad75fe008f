"""Predictors as writers fit them, alone and to other columns."""

from __future__ import annotations

import cProfile

import fitting_reference
import numpy as np
import pytest
from series_tables import back, coded, decoded, same_tables, sines, table

from vqaudio.series import compress
from vqaudio.series.coding import adaptive
from vqaudio.series.prediction import fitting
from vqaudio.series.prediction.fitting import MOST_COMPARED, predict, reference_columns
from vqaudio.series.prediction.predictor import LINEAR, Difference


def test_many_columns():
    random = np.random.default_rng(0)
    shared = random.normal(0, 1, 120).cumsum()
    columns = [np.round(shared * random.normal() + random.normal(0, 0.1, 120), 2) for _ in range(150)]
    original = table(*columns)
    assert same_tables(original, back(compress(original)))


def test_what_a_table_takes_grows_with_its_columns_not_with_their_square():
    """In calls of functions, of which each takes about as long whatever the table."""

    def calls(n_columns: int) -> int:
        original = table(*(np.array([number, 2 * number, 5]) / 4 for number in range(n_columns)))
        profile = cProfile.Profile()
        assert same_tables(original, profile.runcall(lambda: back(compress(original))))
        return sum(entry.callcount for entry in profile.getstats())

    calls(10)
    assert calls(2000) < 10 * calls(250)  # 8 in proportion; 64 if it were the square


def test_other_columns_are_sought_among_the_last_ones():
    random = np.random.default_rng(0)
    alike = random.integers(-9, 10, 400).cumsum()
    columns = [random.integers(-9, 10, 400).cumsum() for _ in range(MOST_COMPARED)]
    found = [
        reference_columns(alike + 5, [*columns[:before], alike, *columns[before:]]) for before in (0, 1, MOST_COMPARED)
    ]
    assert [before in references for before, references in zip((0, 1, MOST_COMPARED), found, strict=True)] == [
        False,
        True,
        True,
    ]


def test_waves_are_predicted_from_the_values_before():
    values, _ = sines()
    predictor_bytes, data = coded(values, [])
    assert predictor_bytes[0] == LINEAR
    plain = min(len(adaptive.encode(fitting._differences(values, order))) for order in range(4))
    assert len(predictor_bytes) + len(data) < 0.8 * plain
    assert (decoded(predictor_bytes, data, len(values), []) == values).all()


def test_a_column_is_predicted_from_another():
    one, other = sines()
    independent, with_reference = (sum(map(len, coded(other, columns))) for columns in ([], [one]))
    assert with_reference < 0.8 * independent
    assert (decoded(*coded(other, [one]), len(one), [one]) == other).all()


@pytest.mark.parametrize("seed", range(12))
def test_predictors_and_residuals_are_those_of_the_reference(seed):
    random = np.random.default_rng(seed)
    rows = int(random.integers(1, 1500))
    time = np.arange(rows)
    columns: list[np.ndarray] = []
    for _ in range(3):
        size = 10 ** random.uniform(0, 5)
        made = (
            random.normal(0, size, rows).cumsum(),
            size * np.sin(time / random.uniform(3, 90)) + random.normal(0, 3, rows),
            time * 7 + random.integers(0, 3, rows),
            0.5 * sum(columns) + random.normal(0, 5, rows),
            random.integers(-(2**62), 2**62, rows) >> int(random.integers(0, 60)),
            np.repeat(random.integers(0, 9, rows // 50 + 1), 50)[:rows],
        )
        values = np.rint(made[random.integers(len(made))]).astype(np.int64)
        predictor, residuals = predict(values, columns)
        expected, residuals_expected = fitting_reference.predict(values, columns)
        assert predictor == expected
        assert residuals.tolist() == residuals_expected
        columns.append(values)


def test_a_sample_of_a_long_column_is_enough():
    """A predictor for all rows leaves hardly less; and what is seldom counts."""
    random = np.random.default_rng(8)
    rows = 40_000
    waves = np.rint(500 * np.sin(np.arange(rows) / 9) + random.normal(0, 4, rows)).astype(np.int64)
    other = np.rint(0.3 * waves + random.normal(0, 2, rows)).astype(np.int64)
    for values, columns in ((waves, []), (other, [waves])):
        (_, residuals), (_, expected) = predict(values, columns), fitting_reference.predict(values, columns)
        assert len(adaptive.encode(residuals)) < 1.01 * len(adaptive.encode(np.array(expected)))
    seldom = np.zeros(rows, np.int64)
    seldom[3000:5000] = 10**6 + np.arange(2000)  # between the first two stretches
    assert isinstance(predict(seldom, [])[0], Difference)
    assert len(adaptive.encode(predict(seldom, [])[1])) < 150
