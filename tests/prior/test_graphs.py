"""Models of columns and heads in ONNX, beside the integer network in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from priors import BOB, dice_prior, tiny_integer_prior
from text_priors import text_prior

from vqaudio.intnet.graph import ZERO
from vqaudio.intnet.grids import INT8
from vqaudio.intnet.linear import Numbers, Requantize
from vqaudio.prior.base import NONE
from vqaudio.prior.entropy import legacy_priors, load_prior, shipped_priors
from vqaudio.prior.graphs import column_biases, column_model, head_model
from vqaudio.prior.network import IntegerNetwork
from vqaudio.prior.stepping import NumpyStepper
from vqaudio.prior.text import AGES

LEVELS = ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")
PATHS = legacy_priors() | shipped_priors()


def session(model: bytes, *, threads: int = 1, level: str = "ORT_ENABLE_ALL") -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def assert_same(
    network: IntegerNetwork, *, batch_sizes: tuple[int, ...], condition: str = NONE, threads: int = 1, level: str
) -> None:
    """Numbers from all over the grids, and many at their ends, give the same column, rings and logits."""
    random, n_streams = np.random.default_rng(0), len(network.streams)
    column = session(column_model(network), threads=threads, level=level)
    heads = [session(head_model(network, stream), threads=threads, level=level) for stream in range(n_streams)]

    def numbers(*shape: int) -> Numbers:
        return random.normal(0, INT8, shape).round().clip(-INT8, INT8).astype(np.float32)

    for batch_size in batch_sizes:
        stepper = NumpyStepper(network, batch_size, n_streams, condition=condition)
        before = numbers(batch_size, network.embeddings[0].shape[1])
        past = numbers(batch_size, len(network.layers), network.embed.weight.shape[1])
        for index, ring in enumerate(stepper.rings):
            ring[0] = past[:, index]
        if network.alphabet is not None:
            stepper.symbol = random.integers(network.streams[-1].alphabet, size=batch_size)
            stepper.age = random.integers(AGES, size=batch_size)
        given = {"past": (past + ZERO).astype(np.uint8).reshape(batch_size, -1), "embedded": 2 * before}
        rows = stepper.view if network.alphabet else 0  # those of a prior with text are each sequence's own
        context, seen = column.run(None, given | column_biases(network, [bias[rows] for bias in stepper.biases]))
        expected = stepper.next_column(2 * before)
        assert np.array_equal(context, expected + ZERO)
        assert np.array_equal(seen, np.concatenate([ring[0] for ring in stepper.rings], axis=1) + ZERO)
        for stream, head in enumerate(heads):
            logits, ends = head.run(None, {"context": context, "before": 2 * before})
            assert np.array_equal(logits, network.logits(stream, expected, 2 * before))
            assert np.array_equal(ends, network.softmax.frequencies(logits).cumsum(-1))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("made", [dice_prior, tiny_integer_prior, text_prior])
def test_small_networks_give_the_same(made, threads, level):
    for condition in (NONE, BOB):
        assert_same(made(), batch_sizes=(1, 2, 3, 70), condition=condition, threads=threads, level=level)


@pytest.mark.parametrize("seed", range(5, 10))
def test_other_random_networks_give_the_same(seed):
    assert_same(dice_prior(seed), batch_sizes=(1, 4, 9), condition=BOB, level="ORT_ENABLE_ALL")


@pytest.mark.parametrize("name", PATHS)
def test_shipped_priors_give_the_same(name):
    assert_same(load_prior(PATHS[name]), batch_sizes=(1, 2, 33), level="ORT_ENABLE_ALL")


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", PATHS)
def test_shipped_priors_give_the_same_however_they_are_run(name, threads, level):
    assert_same(load_prior(PATHS[name]), batch_sizes=(1, 2, 3, 64, 500), threads=threads, level=level)


def test_networks_that_float32_would_not_hold_are_refused(monkeypatch):
    prior = dice_prior()
    monkeypatch.setattr(prior, "context_quantizer", Requantize(-1, INT8))
    with pytest.raises(ValueError, match="ties"):
        column_model(prior)
    monkeypatch.setattr(prior, "layers", prior.layers * 50)  # float32 holds the sums, but no quarter more
    with pytest.raises(ValueError, match="150 layers"):
        column_model(prior)
