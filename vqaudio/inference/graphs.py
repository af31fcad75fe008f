"""ONNX graphs, node by node. Weights stay outside: a graph names them, and says which tensors of a model make them.

So one file of a model serves both torch and ONNX Runtime, and which tensors a graph needs is known before any is read.
Operators are those of the ONNX standard, opset 20: ``Gelu`` came with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

OPSET = 20
IR_VERSION = 9
"""Of ONNX's file format: the one that came with the opset."""
Shape = tuple[int | str, ...]
Sources = Mapping[str, tuple[int, ...]]
"""Names of a model's tensors, with their shapes."""
Arrays = Mapping[str, NDArray[Any]]
ITEM_TYPES = {"float32": onnx.TensorProto.FLOAT, "int64": onnx.TensorProto.INT64}


def as_it_is(tensor: NDArray[Any]) -> NDArray[Any]:
    """A weight that is a tensor of the model."""
    return tensor


@dataclass(frozen=True)
class Weight:
    """Of a graph, not made yet.

    Attributes:
        sources: the tensors that it is made of.
        make: these, float32, to the weight.
    """

    sources: Sources
    make: Callable[..., NDArray[Any]] = as_it_is

    def made(self, tensors: Arrays) -> NDArray[Any]:
        """The weight, float32 and contiguous."""
        parts = (tensors[name] for name in self.sources)
        array = self.make(*(part.astype(np.float32, copy=False) for part in parts))
        return np.ascontiguousarray(array)


@dataclass
class Graph:
    """A graph that grows: each operator is given names of values, and names the one that it makes.

    Attributes:
        name: of the graph.
        weights: by their names, which are those of their first sources.
        constants: small arrays that stand inside, by their names.
    """

    name: str
    weights: dict[str, Weight] = field(default_factory=dict)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    _nodes: list[tuple[str, tuple[str, ...], str, dict[str, Any]]] = field(default_factory=list)
    _inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    _outputs: list[onnx.ValueInfoProto] = field(default_factory=list)

    def input(self, name: str, shape: Shape, *, items: str = "float32") -> str:
        """A value that is handed in; names in the shape stand for sizes that differ from run to run."""
        self._inputs.append(onnx.helper.make_tensor_value_info(name, ITEM_TYPES[items], shape))
        return name

    def output(self, name: str, value: str, shape: Shape, *, items: str = "float32") -> None:
        """Hand a value out."""
        self._nodes.append(("Identity", (value,), name, {}))
        self._outputs.append(onnx.helper.make_tensor_value_info(name, ITEM_TYPES[items], shape))

    def weight(self, sources: Sources, make: Callable[..., NDArray[Any]] = as_it_is) -> str:
        """A value made of the model's tensors, which come in float32."""
        name = next(iter(sources))
        self.weights[name] = Weight(sources, make)
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """A value that is the same for all models of these settings, and stands inside the graph."""
        self.constants[name] = array
        return name

    def integers(self, *numbers: int) -> str:
        """A constant list of integers: places, shapes."""
        return self.constant("integers." + ".".join(map(str, numbers)), np.array(numbers, np.int64))

    def number(self, value: float) -> str:
        """A constant float32."""
        return self.constant(f"number.{value!r}", np.array(value, np.float32))

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """An operator's first output; an empty name is an input that is left out."""
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append((operator, inputs, output, attributes))
        return output

    def made(self, tensors: Arrays) -> dict[str, NDArray[Any]]:
        """All weights, of a model's tensors."""
        return {name: weight.made(tensors) for name, weight in self.weights.items()}

    def proto(self, weights: Arrays, *, embedded: bool, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
        """The graph as an ONNX model, ``weights`` inside, or to be handed over beside it."""
        nodes = [
            onnx.helper.make_node(operator, inputs, [output], name=output, **attributes)  # 1.20 fuses nodes by name
            for operator, inputs, output, attributes in self._nodes
        ]
        tensor = onnx.numpy_helper.from_array if embedded else _outside
        initializers = [onnx.numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        initializers += [tensor(array, name) for name, array in weights.items()]
        graph = onnx.helper.make_graph(nodes, self.name, self._inputs, self._outputs, initializers)
        opsets = [onnx.helper.make_opsetid("", OPSET)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="vqaudio")
        onnx.helper.set_model_props(model, dict(metadata or {}))
        return model


def _outside(array: NDArray[Any], name: str) -> onnx.TensorProto:
    """A tensor without its numbers, which whoever loads the graph hands over."""
    tensor = onnx.TensorProto(name=name, data_type=ITEM_TYPES[array.dtype.name], dims=array.shape)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights")
    return tensor
