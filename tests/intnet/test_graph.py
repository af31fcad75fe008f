"""Integer layers in ONNX, beside the same in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from vqaudio.intnet.graph import TIE, ZERO, Graph, scaled_bias
from vqaudio.intnet.grids import INT8, LARGEST_BIAS, SUM
from vqaudio.intnet.intervals import frequencies_of
from vqaudio.intnet.linear import Int8Linear, Requantize
from vqaudio.intnet.softmax import Softmax, below_largest

LEVELS = onnxruntime.GraphOptimizationLevel.__members__
ROWS = 9


def run(graph: Graph, made: str, dtype: type[np.generic], level: str = "ORT_ENABLE_ALL", **inputs: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    model = graph.model({made: dtype})
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def layer(random: np.random.Generator, inputs: int, outputs: int, *, shift: int, limit: int) -> Int8Linear:
    """Of random numbers; weights are at the ends of int8 in half of the outputs."""
    weight = random.integers(-INT8, INT8 + 1, (outputs, inputs))
    weight[::2] = np.where(weight[::2] < 0, -INT8, INT8)
    tensors = {
        "layer.weight": weight,
        "layer.bias": random.integers(-(2**16), 2**16, outputs),
        "layer.shift": random.integers(shift, shift + 2, outputs),
    }
    return Int8Linear(tensors, "layer", limit)


def columns(random: np.random.Generator, inputs: int) -> NDArray[np.float32]:
    """Rows of int8, the first three at its ends."""
    made = random.integers(-INT8, INT8 + 1, (ROWS, inputs))
    made[:3] = np.where(made[:3] < 0, -INT8, INT8)
    made[0], made[1] = INT8, -INT8
    return made.astype(np.float32)


def as_uint8(x: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (x + ZERO).astype(np.uint8)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (7, 3), (64, 1024), (512, 65)])
def test_linear_layers_are_those_of_numpy(inputs, outputs, level):
    random = np.random.default_rng(inputs)
    for limit, shift in ((SUM[1], 5), (INT8, 12), (2**20, 0)):
        linear, x = layer(random, inputs, outputs, shift=shift, limit=limit), columns(random, inputs)
        expected = linear(x)
        graph = Graph()
        made = graph.linear(graph.input("x", np.uint8, "batch", inputs), linear)
        assert np.array_equal(run(graph, made, np.float32, level, x=as_uint8(x)), expected)
    assert np.abs(expected).max() > INT8


@pytest.mark.parametrize("inputs", [3, 256])
@pytest.mark.parametrize("level", LEVELS)
def test_layers_to_int8_are_cut_off_where_those_of_numpy_are(inputs, level):
    random = np.random.default_rng(inputs)
    linear, x = layer(random, inputs, 40, shift=9, limit=INT8), columns(random, inputs)
    graph = Graph()
    made = graph.linear_to_uint8(graph.input("x", np.uint8, "batch", inputs), linear)
    assert np.array_equal(run(graph, made, np.uint8, level, x=as_uint8(x)), as_uint8(linear(x)))
    assert set(linear(x).ravel()) >= {-INT8, INT8}


def test_indices_are_counted_from_the_lowest_value_with_any_bias():
    random = np.random.default_rng(0)
    linear, x = layer(random, 100, 40, shift=10, limit=255), columns(random, 100)
    for bias in (linear.bias, np.full(40, LARGEST_BIAS), np.full(40, -LARGEST_BIAS)):
        graph = Graph()
        given = graph.input("bias", np.float32, 40)
        made = graph.linear_to_indices(graph.input("x", np.uint8, "batch", 100), linear, bias=given)
        found = run(graph, made, np.int32, x=as_uint8(x), bias=scaled_bias(linear, bias, 255))
        assert np.array_equal(found, linear(x, bias.astype(np.float32)) + 255)


@pytest.mark.parametrize("shift", range(9))
def test_all_integers_are_requantized_as_in_numpy(shift):
    requantize = Requantize(shift, INT8)
    x = np.concatenate([np.arange(-40000, 40000), [-(2**22) + 1, 2**22 - 1]]).astype(np.float32)
    for lowest in (-INT8, 0):
        graph = Graph()
        made = graph.requantize(graph.input("x", np.float32, "batch", 1), requantize, lowest=lowest)
        found = run(graph, made, np.uint8, x=(x + np.float32(TIE))[:, None])[:, 0]
        assert np.array_equal(found, as_uint8(requantize(np.maximum(x, lowest * 2.0**shift).astype(np.float32))))


def test_sums_are_cut_off_where_int8_ends():
    graph, x = Graph(), np.arange(-300, 301, dtype=np.float32)[:, None]
    found = run(graph, graph.to_uint8(graph.input("x", np.float32, "batch", 1)), np.uint8, x=x)
    assert np.array_equal(found, as_uint8(x.clip(-INT8, INT8)))


@pytest.mark.parametrize("alphabet", [1, 2, 1000, 4096])
@pytest.mark.parametrize("spread", [0, 3, 300])
def test_intervals_are_those_of_the_softmax_in_numpy(alphabet, spread):
    """Likely codes and unlikely ones, many as likely as others, and all alike."""
    softmax = Softmax(np.array([round(2**24 * 0.97**steps) for steps in range(556)]))
    logits = np.random.default_rng(alphabet).normal(0, spread, (ROWS, alphabet)).round().astype(np.float32)
    graph = Graph()
    made = graph.cumulative(graph.input("logits", np.float32, "batch", alphabet), softmax, alphabet)
    expected = softmax.frequencies(logits)
    assert np.array_equal(expected, frequencies_of(softmax.weights(below_largest(logits))))  # by integer division
    assert np.array_equal(run(graph, made, np.int32, logits=logits), expected.cumsum(-1))


def test_what_float32_does_not_hold_is_refused():
    with pytest.raises(ValueError, match="ties that no offset breaks"):
        Graph().requantize("x", Requantize(-1, INT8))
    linear = layer(np.random.default_rng(0), 8, 4, shift=17, limit=INT8)
    with pytest.raises(ValueError, match="does not hold"):  # sums that are not cut off would be rounded
        scaled_bias(linear, linear.bias, ZERO)
    linear = layer(np.random.default_rng(0), 8, 4, shift=9, limit=INT8)
    with pytest.raises(ValueError, match="does not hold"):
        scaled_bias(linear, np.full(4, 2**24 - 1), ZERO)
