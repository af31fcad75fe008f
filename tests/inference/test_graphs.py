"""Graphs name their weights, and are the same with these inside or handed over."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from tiny_networks import CONFIGS

from vqaudio.config.model import ModelConfig
from vqaudio.inference.decoders import decoder_graph
from vqaudio.inference.encoders import encoder_graph
from vqaudio.inference.graphs import Graph
from vqaudio.inference.onnx_networks import new_session
from vqaudio.model.autoencoder import Autoencoder


def scaled() -> Graph:
    """``x`` times two tensors, one of them turned."""
    graph = Graph("scaled")
    x = graph.input("x", ("rows", 2))
    turned = graph.weight({"a": (3, 2)}, np.transpose)
    graph.output("y", graph.add("Mul", graph.add("MatMul", x, turned), graph.weight({"b": (3,)})), ("rows", 3))
    return graph


def test_weights_are_made_of_a_models_tensors_inside_a_graph_or_beside_it() -> None:
    graph = scaled()
    sources = {name: dict(weight.sources) for name, weight in graph.weights.items()}
    assert sources == {"a": {"a": (3, 2)}, "b": {"b": (3,)}}
    tensors = {"a": np.arange(6, dtype=np.float16).reshape(3, 2), "b": np.array([1, 2, 3], np.float16)}
    x = np.array([[1, 10]], np.float32)
    expected = (x @ tensors["a"].astype(np.float32).T) * tensors["b"]
    (beside,) = new_session(graph, tensors).run(None, {"x": x})
    whole = graph.proto(graph.made(tensors), embedded=True, metadata={"fingerprint": "abc"})
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    (inside,) = session.run(None, {"x": x})
    assert beside.tolist() == inside.tolist() == expected.tolist()
    assert session.get_modelmeta().custom_metadata_map == {"fingerprint": "abc"}


def test_weights_beside_a_graph_are_not_in_it() -> None:
    tensors = {"a": np.ones((300, 200), np.float16), "b": np.ones(300, np.float16)}
    graph = scaled()
    made = graph.made(tensors)
    assert (
        len(graph.proto(made, embedded=False).SerializeToString()) < 1000 < graph.proto(made, embedded=True).ByteSize()
    )


@pytest.mark.parametrize("name", CONFIGS)
def test_graphs_need_all_that_torchs_networks_hold_and_no_more(name: str) -> None:
    config: ModelConfig = CONFIGS[name]
    needed: dict[str, tuple[int, ...]] = {}
    for build in (encoder_graph, decoder_graph):
        sources = [
            weight.sources for padded in (True, False) for weight in build(config, padded=padded).weights.values()
        ]
        needed |= {tensor: shape for one in sources for tensor, shape in one.items()}
    held = {key: tuple(value.shape) for key, value in Autoencoder(config).state_dict().items()}
    assert needed == {key: shape for key, shape in held.items() if not key.startswith("bottleneck.")}
