"""Values from residuals of linear predictors, beside the same in Python."""

from __future__ import annotations

import kernel_references
import numpy as np
import pytest

from vqaudio.container.fields import DamageError
from vqaudio.series.prediction.predictor import Linear


@pytest.mark.parametrize("n_lags", [0, 1, 2, 3, 4, 8, 16, 31, 32])
@pytest.mark.parametrize("n_references", [0, 1, 3])
def test_values_are_those_of_the_reference(n_lags, n_references):
    random = np.random.default_rng(n_lags)
    for rows, shift in ((1, 6), (2, 6), (300, 6), (300, 12), (131, 20)):
        weights = (random.integers(-(2**shift), 2**shift, n_lags) >> n_lags.bit_length()).tolist()
        of_references = [
            (column, tuple(random.integers(-(2**shift), 2**shift, 3).tolist())) for column in range(n_references)
        ]
        previous = [random.integers(-(2**20), 2**30, rows) for _ in range(n_references)]
        predictor = Linear(shift, 77, tuple(weights), tuple(of_references))
        residuals = random.integers(-1000, 1000, rows)
        known = kernel_references.from_references(predictor, previous, rows).tolist()
        expected = kernel_references.restore_linear(residuals.tolist(), known, weights=weights, shift=shift)
        values = predictor.restore(residuals, previous)
        assert (values - 77).tolist() == expected
        assert (predictor.residuals(values, previous)[0] == residuals).all()


def test_weights_that_no_writer_chose_are_damage():
    """They would make numbers ever longer."""
    with pytest.raises(DamageError):
        Linear(0, 0, (3,)).restore(np.ones(99, np.int64), [])
