"""Steps by ONNX Runtime, beside those in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from priors import BOB, STREAMS, dice_prior, random_codes, same, tiny_integer_prior

from vqaudio.intnet.grids import INT8
from vqaudio.intnet.linear import Requantize
from vqaudio.prior import onnx_stepper
from vqaudio.prior.base import NONE, due
from vqaudio.prior.coding import decode, encode
from vqaudio.prior.onnx_stepper import OnnxStepper, Sessions
from vqaudio.prior.stepping import NumpyStepper

exact_session = onnx_stepper._session
new_prior = dice_prior.__wrapped__
"""One that no other test sees."""


@pytest.mark.parametrize("condition", [NONE, BOB])
@pytest.mark.parametrize(("batch_size", "n_streams"), [(1, 3), (2, 2), (5, 3)])
@pytest.mark.parametrize("made", [dice_prior, tiny_integer_prior])
def test_both_give_the_same_logits_and_frequencies(made, batch_size, n_streams, condition):
    prior, frames = made(), 30
    codes = random_codes(STREAMS[:n_streams], batch_size, frames)
    slow = NumpyStepper(prior, batch_size, n_streams, condition=condition)
    quick = prior.begin(batch_size, n_streams, condition=condition)
    assert isinstance(quick, OnnxStepper)
    for frame in range(frames):
        for stream, at in due(STREAMS[:n_streams], frame):
            assert np.array_equal(quick.logits(stream), slow.logits(stream))
            assert np.array_equal(quick.frequencies(stream), slow.frequencies(stream))
            assert np.array_equal(quick.cumulative(stream), slow.cumulative(stream))
            for stepper in (slow, quick):
                stepper.accept(stream, codes[stream][:, at])
        slow.advance()
        quick.advance()


class Inexact:
    """A session whose largest number is one too small."""

    def __init__(self, model: bytes):
        self.session = exact_session(model)

    def run(self, names: Any, inputs: Any) -> Any:
        return [np.minimum(part, part.max() - 1) for part in self.session.run(names, inputs)]


def test_where_products_are_not_exact_numpy_computes(monkeypatch):
    prior, codes = new_prior(), random_codes(STREAMS, 2, 12)
    payload = encode(prior, codes, condition=BOB)
    monkeypatch.setattr(onnx_stepper, "_session", Inexact)
    with pytest.raises(ValueError, match="inexactly"):
        Sessions(prior)
    assert isinstance(prior.begin(2, 3, condition=BOB), NumpyStepper)
    (found,) = decode(prior, [payload], batch_sizes=[2], n_frames=[12], n_streams=3, condition=BOB)
    assert same(found, codes)


def test_a_network_that_no_graph_computes_is_left_to_numpy():
    prior = new_prior()
    prior.heads[1].hidden_quantizer = Requantize(-1, INT8)
    assert isinstance(prior.begin(1, 3), NumpyStepper)


def test_numbers_that_sessions_are_tried_with_are_from_all_over_their_grid_and_beyond():
    found = onnx_stepper.mixed(0, 3, 400)
    assert found.shape == (3, 400)
    assert -2 * INT8 <= found.min() < 1.9 * -INT8
    assert 1.9 * INT8 < found.max() <= 2 * INT8
    assert 0.4 < (abs(found) > INT8).mean() < 0.6
    assert (found == onnx_stepper.mixed(1, 3, 400)).mean() < 0.02
    assert abs(np.corrcoef(found)[0, 1:]).max() < 0.2
