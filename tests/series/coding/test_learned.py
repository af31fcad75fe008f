"""Residuals coded by a model's likelihoods: exact on every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import learned_reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_models import series, tensors

from vqaudio.container.fields import Cursor, DamageError
from vqaudio.series.coding import learned
from vqaudio.series.coding.column import LEARNED, MODEL_NAME, decode_column
from vqaudio.series.coding.context_features import CONTEXT_ROWS, LARGEST_VALUE
from vqaudio.series.coding.model import Model
from vqaudio.series.prediction.fitting import predict
from vqaudio.series.prediction.predictor import Predictor


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5),
    st.integers(1, 700),
    st.sampled_from([1, 50, 10**6, 2**33]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_a_model_codes_comes_back(seeds, rows, scale, noisy):
    one, known = Model(tensors(), "0" * 12), []
    for seed in seeds:
        random = np.random.default_rng(seed)
        values = scale * series(random, rows) // 8
        values += random.integers(-scale, scale, rows, endpoint=True) if noisy else 0
        values += known[0] if known else 0
        predictor, residuals = predict(values, known)
        data = learned.encode(one, predictor, residuals=residuals, values=values, previous=known)
        if data is None:
            assert np.abs(values).max() >= LARGEST_VALUE // 2
        else:
            if rows < 60:
                given = {"residuals": residuals, "values": values, "previous": known}
                assert data == learned_reference.encode(learned_reference.Network(tensors()), predictor, **given)
            cursor = Cursor(predictor.to_bytes(base=LEARNED) + data)
            found, name = decode_column(cursor, rows, previous=known, model=one)
            assert (found == values).all()
            assert name == MODEL_NAME
            assert cursor.position == len(cursor.data)
        known.append(values)


def test_a_wide_network_of_an_odd_width_is_run_as_by_the_reference():
    random = np.random.default_rng(4)
    values, other = series(random, 400), series(random, 400)
    predictor, residuals = predict(values, [other])
    given = {"residuals": residuals, "values": values, "previous": [other]}
    for hidden in (1, 33, 200):
        found = learned.encode(Model(tensors(hidden=hidden), "0" * 12), predictor, **given)
        assert found == learned_reference.encode(learned_reference.Network(tensors(hidden=hidden)), predictor, **given)


def test_features_and_tokens_are_those_of_the_reference():
    random = np.random.default_rng(6)
    known: list[np.ndarray] = []
    for scale in (1, 9, 10**6, 10**9):
        values = scale * series(random, CONTEXT_ROWS + 300) + random.integers(-scale, scale + 1, CONTEXT_ROWS + 300)
        predictor, residuals = predict(values, known)
        features, tokens = learned.features_and_tokens(predictor, residuals, values=values, previous=known)
        history = learned_reference.ResidualHistory(predictor, residuals.tolist(), values=values, previous=known)
        assert (features == history.features(slice(None))).all()
        assert (tokens == history.tokens).all()
        known.append(values)


def test_a_row_looks_the_same_whether_the_next_are_known_or_not():
    random = np.random.default_rng(3)
    values, other = series(random, CONTEXT_ROWS + 300), series(random, CONTEXT_ROWS + 300)
    predictor, residuals = predict(values, [other])
    features, _ = learned.features_and_tokens(predictor, residuals, values=values, previous=[other])
    changed, changed_residuals = values.copy(), residuals.copy()
    changed[600:] += 1000
    changed_residuals[600:] = 5
    later, _ = learned.features_and_tokens(predictor, changed_residuals, values=changed, previous=[other])
    assert (features[:600] == later[:600]).all()
    assert (features[601:] != later[601:]).any()
    assert np.abs(features.astype(int)).max() <= 127


def test_values_that_are_too_large_are_left_alone():
    one = Model(tensors(), "0" * 12)
    for values, fits in ((np.array([0, LARGEST_VALUE - 1, 5]), True), (np.array([0, LARGEST_VALUE, 5]), False)):
        predictor, residuals = predict(values, [])
        data = learned.encode(one, predictor, residuals=residuals, values=values, previous=[])
        assert (data is not None) == fits


@given(st.binary(min_size=3, max_size=60), st.integers(8, 12))
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_give_numbers_or_damage(data, kind):
    known = [np.arange(40), np.arange(40) ** 2]
    model = Model(tensors(), "0" * 12)
    try:
        values, _ = decode_column(Cursor(bytes([kind]) + data), 40, previous=known, model=model)
    except DamageError:
        return
    assert len(values) == 40
    cursor, network = Cursor(bytes([kind]) + data), learned_reference.Network(tensors())
    predictor = Predictor.from_cursor(cursor, len(known), base=LEARNED)
    expected = learned_reference.decode(network, predictor, cursor=cursor, n_rows=40, previous=known)
    assert values.tolist() == expected.tolist()


ROOT = Path(__file__).parents[3]
MADE = """
import hashlib, numpy as np
from series_models import series, tensors
from vqaudio.series.coding import learned
from vqaudio.series.coding.model import Model
from vqaudio.series.prediction.fitting import predict
random = np.random.default_rng(np.random.PCG64(5))
values = series(random, 3000)
predictor, residuals = predict(values, [])
model = Model(tensors(hidden=200), "0")
data = learned.encode(model, predictor, residuals=residuals, values=values, previous=[])
print(hashlib.sha256(data).hexdigest())
"""


@pytest.mark.slow
def test_threads_and_processors_make_no_difference():
    found = set()
    for extra in (
        {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F"},
    ):
        command = [sys.executable, "-W", "ignore", "-c", MADE]
        paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
        done = subprocess.run(command, env=os.environ | paths | extra, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1
