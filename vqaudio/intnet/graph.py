"""Integer layers as ONNX graphs: the arithmetic of :mod:`vqaudio.intnet.linear`, many operations in one run.

Whatever enters a product is held in uint8, with a zero point of 128, and so are the weights. The sums are int32
(``MatMulIntegerToFloat``, ONNX Runtime's ``MatMulInteger`` that scales its sums and adds a bias), and float32 holds
them. Weights are *not* int8, because ONNX Runtime multiplies uint8 by int8 with ``VPMADDUBSW`` on x86-64 without VNNI,
which cuts off pairs of products at 16 bits; two uint8 have no such issue on any processor. Source: ONNX Runtime,
"Quantize ONNX models", section "When and why do I need to try U8U8?", and the kernels in its ``mlas/lib/platform.cpp``.

Two ways to round need no operation of their own, and give what ``floor`` gives:

- a conversion to integers cuts off the fraction: of what is positive, which a bias sees to, that is the floor;
- ``QuantizeLinear`` rounds to the nearest, ties to even. Sums that carry ``TIE`` more than their integer never tie
  where they are divided by a power of two: ties go up, as in ``Requantize``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vqaudio.intnet.grids import EXACT, INT8
from vqaudio.intnet.intervals import TOTAL
from vqaudio.intnet.linear import Int8Linear, Requantize
from vqaudio.intnet.softmax import Softmax

ZERO = 128
"""The zero point: the uint8 that stands for 0."""
TIE = 0.25
"""What sums are above their integer when they come to :meth:`Graph.requantize`."""
OPSET, CONTRIB, IR_VERSION = 18, "com.microsoft", 8


class Graph:
    """A graph in the making. Each method adds nodes and returns the name of what they give.

    Values are ``uint8``, an int8 and ``ZERO``, where they enter a product, and integers in float32 elsewhere; their
    shapes are ``(batch, channels)``.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def constant(self, values: Any, dtype: type[np.generic]) -> str:
        """An array in the graph."""
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output."""
        return self.add_several(operator, *inputs, outputs=1, **attributes)[0]

    def add_several(self, operator: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """A node with several outputs."""
        names = [f"{operator}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    # ------------------------------------------------------------------------------------------------ integer layers

    def products(self, x: str, layer: Int8Linear, *, bias: str | None = None, offset: int = 0) -> str:
        """``x`` times the weights of a layer, plus its bias, scaled: what the layer rounds down and cuts off.

        ``offset`` is added to it. ``bias`` names another one, which is scaled, and has its offset, already: see
        :func:`scaled_bias`.
        """
        return self.add(
            "MatMulIntegerToFloat",
            x,
            self.constant(layer.weight + ZERO, np.uint8),
            self.constant(1, np.float32),
            self.constant(layer.scale, np.float32),
            self.constant(ZERO, np.uint8),
            self.constant(ZERO, np.uint8),
            bias or self.constant(scaled_bias(layer, layer.bias, offset), np.float32),
            domain=CONTRIB,
        )

    def linear(self, x: str, layer: Int8Linear) -> str:
        """A whole layer, to float32; it is cut off only where its weights can reach its limit at all."""
        made = self.add("Floor", self.products(x, layer))
        return made if layer.reach() < layer.limit else self.clip(made, -layer.limit, layer.limit)

    def linear_to_indices(self, x: str, layer: Int8Linear, *, bias: str, by_row: bool = False) -> str:
        """A whole layer, to int32 from 0 to twice its limit; ``bias`` has the limit as its offset.

        ``by_row``: it is ``(batch, outputs)``, each row's own.
        """
        if by_row:  # the product takes one for all rows alone
            none = self.constant(np.zeros_like(layer.bias), np.float32)
            made = self.add("Add", self.products(x, layer, bias=none), bias)
        else:
            made = self.products(x, layer, bias=bias)
        made = self.clip(made, 0, 2 * layer.limit)
        return self.add("Cast", made, to=TensorProto.INT32)

    def linear_to_uint8(self, x: str, layer: Int8Linear) -> str:
        """A whole layer whose limit is that of int8."""
        made = self.clip(self.products(x, layer, offset=ZERO), ZERO - layer.limit, ZERO + layer.limit)
        return self.add("Cast", made, to=TensorProto.UINT8)

    def requantize(self, x: str, requantize: Requantize, *, lowest: int = -INT8) -> str:
        """Float32 integers and ``TIE`` to a coarser grid in uint8; no result is below ``lowest``.

        Raises:
            ValueError: the grid is finer.
        """
        if requantize.scale > 1:
            raise ValueError("a grid that is finer than the one before has ties that no offset breaks")
        made = self.add("QuantizeLinear", x, self.constant(1 / requantize.scale, np.float32), self.zero())
        return self.add("Clip", made, self.constant(ZERO + lowest, np.uint8))  # above, uint8 ends where int8 does

    def look_up(self, table: NDArray[Any], indices: str, channels: int) -> str:
        """Elements of a table ``(size,)`` by indices ``(batch, channels)``; ``Gather`` would copy them one by one."""
        flat = self.add("Reshape", indices, self.constant([1, -1], np.int64))
        found = self.add("GatherElements", self.constant(table[None], table.dtype.type), flat, axis=1)
        return self.add("Reshape", found, self.constant([-1, channels], np.int64))

    def cumulative(self, logits: str, softmax: Softmax, alphabet: int) -> str:
        """Float32 logits to the ends of their intervals, int32: sums along :meth:`Softmax.frequencies`.

        It divides in float64, which is exact: see :func:`vqaudio.intnet.intervals.frequencies_of`.
        """
        last = self.constant([-1], np.int64)
        below = self.add("Sub", self.add("ReduceMax", logits, last), logits)
        below = self.add("Min", below, self.constant(len(softmax.exp) - 1, np.float32))
        indices = self.add("Cast", below, to=TensorProto.INT32)
        weights = self.look_up(softmax.exp.astype(np.float64), indices, alphabet)
        shares = self.add("Mul", weights, self.constant(TOTAL - alphabet, np.float64))
        shares = self.add("Div", shares, self.add("ReduceSum", weights, last))
        frequencies = self.add("Add", self.add("Cast", shares, to=TensorProto.INT32), self.constant(1, np.int32))
        rest = self.add("Sub", self.constant(TOTAL, np.int32), self.add("ReduceSum", frequencies, last))
        largest = self.add("ArgMax", frequencies, axis=1)
        frequencies = self.add("ScatterElements", frequencies, largest, rest, axis=1, reduction="add")
        return self.add("CumSum", frequencies, self.constant(1, np.int64))

    def to_uint8(self, x: str) -> str:
        """Float32 integers, cut off where int8 ends."""
        return self.add("QuantizeLinear", self.clip(x, -INT8, INT8), self.constant(1, np.float32), self.zero())

    def clip(self, x: str, low: float, high: float) -> str:
        """Float32, cut off."""
        return self.add("Clip", x, self.constant(low, np.float32), self.constant(high, np.float32))

    def columns(self, x: str, start: int, stop: int) -> str:
        """Some of the channels."""
        return self.add("Slice", x, *(self.constant([value], np.int64) for value in (start, stop, 1)))

    def zero(self) -> str:
        """The zero point."""
        return self.constant(ZERO, np.uint8)

    # ------------------------------------------------------------------------------------------------ the whole model

    def input(self, name: str, dtype: type[np.generic], *shape: int | str) -> str:
        """Something that each run is given; a dimension with a name has any size."""
        self.inputs.append(helper.make_tensor_value_info(name, _type_of(dtype), shape))
        return name

    def model(self, outputs: Mapping[str, type[np.generic]]) -> bytes:
        """The model in the bytes of an ONNX file, which gives these outputs."""
        results = [helper.make_tensor_value_info(name, _type_of(dtype), None) for name, dtype in outputs.items()]
        graph = helper.make_graph(self.nodes, "integer network", self.inputs, results, self.initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()
        return made


def scaled_bias(layer: Int8Linear, bias: NDArray[Any], offset: int) -> NDArray[np.float32]:
    """A bias as :meth:`Graph.products` takes it; ``offset`` is where zero is to come, in the middle of the grid.

    Raises:
        ValueError: float32 does not hold the bias, or not all of what the grid then holds.
    """
    exact = bias * layer.scale.astype(np.float64) + offset
    held: NDArray[np.float32] = exact.astype(np.float32)
    if not np.array_equal(held, exact) or 2 * offset >= EXACT * layer.scale.min():  # what is larger may be rounded
        raise ValueError(f"float32 does not hold a bias in steps of {layer.scale.min()} and {offset} more")
    return held


def _type_of(dtype: type[np.generic]) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
