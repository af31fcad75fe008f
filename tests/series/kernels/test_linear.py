"""Values from residuals of linear predictors, beside the same in Python."""

from __future__ import annotations

import kernel_references
import numpy as np
import pytest

from vqaudio.container.fields import DamageError
from vqaudio.series.kernels import Output, call


@pytest.mark.parametrize("n_lags", [0, 1, 2, 3, 4, 8, 16, 31, 32])
def test_values_are_those_of_the_reference(n_lags):
    random = np.random.default_rng(n_lags)
    for shift in (6, 12, 20):
        weights = random.integers(-(2**shift), 2**shift, n_lags) >> n_lags.bit_length()
        residuals, known = random.integers(-1000, 1000, 300), random.integers(-(2**30), 2**30, 300)
        expected = kernel_references.restore_linear(
            residuals.tolist(), known.tolist(), weights=weights.tolist(), shift=shift
        )
        _, (found,) = call("restore_linear", residuals, known, weights, n_lags, shift, Output(n_lags + 300), 300)
        assert found[n_lags:].tolist() == expected


def test_weights_that_no_writer_chose_are_damage():
    """They would make numbers ever longer."""
    with pytest.raises(DamageError):
        call("restore_linear", np.ones(99, np.int64), np.zeros(99, np.int64), np.array([3]), 1, 0, Output(100), 99)
