"""Layers of encoders and decoders as nodes of ONNX graphs: those of :mod:`vqaudio.model.layers`, number for number.

Values between layers are ``(batch, columns, channels)``, because dense layers, where the time goes, take channels last.

A graph is ``padded`` or not. Where it is, zeros stand outside what it is given, and a layer makes as many columns as it
gets (over its stride). Where it is not, a layer makes those columns alone that have all that they see: windows shrink
from layer to layer, nothing is computed that nobody asked for, and the numbers are those of a longer sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqaudio.inference.graphs import Graph
from vqaudio.inference.spans import Span, same_span, unit_span

GELU = {"gelu": "none", "gelu_tanh": "tanh"}


@dataclass(frozen=True)
class Layers:
    """Adds layers to a graph.

    Attributes:
        graph: where they are added.
        padded: whether zeros stand outside.
        activation: of units, a key of ``GELU``.
    """

    graph: Graph
    padded: bool
    activation: str

    def dense(self, x: str, name: str, *, inputs: int, outputs: int) -> str:
        """``(batch, columns, inputs)`` to ``(batch, columns, outputs)``."""
        weight = self.graph.weight({f"{name}.weight": (outputs, inputs)}, np.transpose)
        product = self.graph.add("MatMul", x, weight)
        return self.graph.add("Add", product, self.graph.weight({f"{name}.bias": (outputs,)}))

    def pointwise(self, x: str, name: str, *, inputs: int, outputs: int) -> str:
        """A convolution of one column, which is a dense layer."""
        weight = self.graph.weight({f"{name}.weight": (outputs, inputs, 1)}, lambda kernel: kernel[..., 0].T)
        product = self.graph.add("MatMul", x, weight)
        return self.graph.add("Add", product, self.graph.weight({f"{name}.bias": (outputs,)}))

    def convolution(self, x: str, name: str, *, inputs: int, outputs: int, kernel_size: int, stride: int = 1) -> str:
        """``(batch, columns, inputs)`` to ``(batch, columns / stride, outputs)``: a "same" convolution."""
        if kernel_size == stride == 1:
            return self.pointwise(x, name, inputs=inputs, outputs=outputs)
        columns = self.graph.add("Transpose", x, perm=[0, 2, 1])
        made = self._convolved(
            columns,
            name,
            kernel=(outputs, inputs, kernel_size),
            span=same_span(kernel_size, stride),
            strides=[stride],
        )
        return self.graph.add("Transpose", made, perm=[0, 2, 1])

    def upsampled(self, x: str, name: str, *, inputs: int, outputs: int, stride: int) -> str:
        """``(batch, columns, inputs)`` to ``(batch, columns * stride, outputs)``; zeros stand outside in any graph."""
        columns = self.graph.add("Transpose", self.activated(x), perm=[0, 2, 1])
        weight = self.graph.weight({f"{name}.weight": (inputs, outputs, 2 * stride)})
        bias = self.graph.weight({f"{name}.bias": (outputs,)})
        cut = [stride // 2, stride - stride // 2]
        made = self.graph.add("ConvTranspose", columns, weight, bias, strides=[stride], pads=cut)
        return self.graph.add("Transpose", made, perm=[0, 2, 1])

    def norm(self, x: str, name: str, channels: int, *, epsilon: float = 1e-5) -> str:
        """Layer normalisation over the channels of each column."""
        scale, shift = (self.graph.weight({f"{name}.{part}": (channels,)}) for part in ("weight", "bias"))
        return self.graph.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)

    def plain_norm(self, x: str, channels: int) -> str:
        """The same without weights."""
        ones = self.graph.constant("ones", np.ones(channels, np.float32))
        return self.graph.add("LayerNormalization", x, ones, axis=-1, epsilon=1e-5)

    def activated(self, x: str) -> str:
        """Each value by itself."""
        return self.graph.add("Gelu", x, approximate=GELU[self.activation])

    def unit(
        self,
        x: str,
        name: str,
        *,
        channels: int,
        kernel_size: int,
        hidden: int,
        look_ahead: int | None = None,
        condition: str = "",
        condition_dim: int = 0,
    ) -> str:
        """A residual unit, see :class:`vqaudio.model.layers.ResidualUnit`; ``condition`` is ``(batch, condition_dim)``.

        The learned scale of its result is taken into the weights of the layer before.
        """
        add, weight = self.graph.add, self.graph.weight
        span = unit_span(kernel_size, look_ahead)
        mixed = self._convolved(
            add("Transpose", x, perm=[0, 2, 1]),
            f"{name}.mix_time",
            kernel=(channels, 1, kernel_size),
            span=span,
            group=channels,
        )
        mixed = self.norm(add("Transpose", mixed, perm=[0, 2, 1]), f"{name}.norm", channels, epsilon=1e-6)
        if condition:
            mixed = self._conditioned(mixed, name, channels, condition=condition, condition_dim=condition_dim)
        mixed = self.activated(self.dense(mixed, f"{name}.expand", inputs=channels, outputs=hidden))
        kernel = {f"{name}.contract.weight": (channels, hidden), f"{name}.scale": (channels,)}
        bias = {f"{name}.contract.bias": (channels,), f"{name}.scale": (channels,)}
        mixed = add("MatMul", mixed, weight(kernel, lambda kernel, scale: (kernel * scale[:, None]).T))
        mixed = add("Add", mixed, weight(bias, np.multiply))
        return add("Add", self._inner(x, span), mixed)

    def _convolved(
        self,
        columns: str,
        name: str,
        *,
        kernel: tuple[int, int, int],
        span: Span,
        strides: list[int] | None = None,
        group: int = 1,
    ) -> str:
        weight = self.graph.weight({f"{name}.weight": kernel})
        bias = self.graph.weight({f"{name}.bias": kernel[:1]})
        pads = [span.left, span.right] if self.padded else [0, 0]
        return self.graph.add("Conv", columns, weight, bias, pads=pads, strides=strides or [1], group=group)

    def _conditioned(self, x: str, name: str, channels: int, *, condition: str, condition_dim: int) -> str:
        """FiLM: Perez et al., 2018, eq. 2."""
        add, integers = self.graph.add, self.graph.integers
        film = self.dense(condition, f"{name}.film", inputs=condition_dim, outputs=2 * channels)
        film = add("Unsqueeze", film, integers(1))
        scale, shift = (
            add("Slice", film, integers(first), integers(first + channels), integers(2)) for first in (0, channels)
        )
        return add("Add", add("Mul", x, add("Add", scale, self.graph.number(1.0))), shift)

    def _inner(self, x: str, span: Span) -> str:
        """The columns that a layer of that span makes something of."""
        if self.padded or span == Span():
            return x
        last = -span.right if span.right else np.iinfo(np.int64).max
        return self.graph.add(
            "Slice", x, self.graph.integers(span.left), self.graph.integers(int(last)), self.graph.integers(1)
        )
