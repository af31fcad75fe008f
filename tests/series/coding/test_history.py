"""What a writer tells a model of a row depends on earlier rows alone."""

from __future__ import annotations

import numpy as np
from series_models import series

from vqaudio.series.coding.context_features import CONTEXT_ROWS
from vqaudio.series.coding.history import ResidualHistory
from vqaudio.series.prediction.fitting import predict


def test_a_row_looks_the_same_whether_the_next_are_known_or_not():
    random = np.random.default_rng(3)
    values, other = series(random, CONTEXT_ROWS + 300), series(random, CONTEXT_ROWS + 300)
    predictor, residuals = predict(values, [other])
    history = ResidualHistory(predictor, residuals, values=values, previous=[other])
    changed = values.copy()
    changed[600:] += 1000
    residuals = np.r_[residuals[:600], np.full(CONTEXT_ROWS - 300, 5)]
    later = ResidualHistory(predictor, residuals, values=changed, previous=[other])
    assert history.references == later.references == [0]
    assert (history.features(slice(0, 600)) == later.features(slice(0, 600))).all()
    assert (history.features(slice(601, None)) != later.features(slice(601, None))).any()
    assert np.abs(history.features(slice(None))).max() <= 127
