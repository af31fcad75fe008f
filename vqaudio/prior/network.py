"""A trained WaveNet as an integer network: the same function in arithmetic that has only one result.

Weights and whatever enters a product are int8 (see :mod:`vqaudio.intnet.linear`); tanh, sigmoid and exp are tables that
come with the weights. This is its definition, in numpy; :mod:`vqaudio.prior.graphs` says the same in ONNX.

No torch here: :mod:`vqaudio.wavenet.export` makes the tensors from a :class:`vqaudio.wavenet.WaveNet`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.container import Stream
from vqaudio.errors import ModelError
from vqaudio.intnet.grids import CONDITION, EXACT, GATE, INT8, LARGEST_BIAS, LOGIT, SUM, UNIT
from vqaudio.intnet.intervals import Integers
from vqaudio.intnet.linear import Int8Linear, Numbers, Requantize
from vqaudio.intnet.softmax import Softmax
from vqaudio.prior.base import Prior
from vqaudio.prior.text import Alphabet


class Layer:
    """A dilated convolution of two columns, with gates, whose output goes on to the next layer and to the heads."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], name: str, dilation: int, input_exponent: int):
        self.dilation, self.input_quantizer = dilation, Requantize(SUM[0] - input_exponent, INT8)
        self.gates = Int8Linear(tensors, f"{name}.gates", GATE[1])
        self.condition = tensors[f"{name}.condition"].astype(np.int64)
        self.out = Int8Linear(tensors, f"{name}.out", SUM[1])

    def bias(self, condition: Integers) -> Numbers:
        """The gates' bias under conditions ``(..., condition_channels)``."""
        total = self.gates.bias.astype(np.int64) + condition @ self.condition.T
        return total.clip(-LARGEST_BIAS, LARGEST_BIAS).astype(np.float32)


class Head:
    """What makes logits of a stream of the past and of the streams before."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], name: str, hidden_exponent: int):
        self.context, self.before = (Int8Linear(tensors, f"{name}.{part}", SUM[1]) for part in ("context", "before"))
        self.hidden_quantizer = Requantize(SUM[0] - hidden_exponent, INT8)
        self.query = Int8Linear(tensors, f"{name}.query", INT8)
        self.output_projection = Int8Linear(tensors, f"{name}.entries", LOGIT[1])

    def __call__(self, context: Numbers, before: Numbers) -> Numbers:
        hidden = self.context(context)
        hidden = np.maximum(hidden + self.before(before), 0)
        return self.output_projection(self.query(self.hidden_quantizer(hidden)))


class IntegerNetwork(Prior):
    """The parts of a trained prior, each a function of numbers that come in.

    Args:
        tensors: by name, as :mod:`vqaudio.wavenet.export` makes them.
        config: streams, fields, dilations and the exponents of grids.
        fingerprint: of the file that both are from; files that this prior codes name it by that.

    Attributes:
        codec: fingerprint of the codec whose codes it knows.
        seconds: length of the crops that it learned from.
        alphabet: of the text in step with the codes, its last stream; None where it knows no text.

    Raises:
        ValueError: sums that float32 may not hold exactly.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]], config: Mapping[str, Any], *, fingerprint: str = ""):
        self.fingerprint = fingerprint
        self.alphabet = Alphabet.from_config(config.get("text"))
        codebooks = tuple(Stream(alphabet, stride) for alphabet, stride in config["streams"])
        self.streams = codebooks if self.alphabet is None else (*codebooks, self.alphabet.stream)
        self.fields = {name: tuple(labels) for name, labels in config["fields"].items()}
        self.codec, self.seconds = str(config["codec"]), float(config["seconds"])
        exponents = config["see"]
        self.active_streams = tensors["used"].astype(np.int64)
        self.tables = [tensors[f"labels.{field}"].astype(np.int64) for field in self.fields]
        self.condition_shift = CONDITION[0] - int(exponents["condition"])
        self.views = None
        if self.alphabet is not None:
            symbols, ages = (tensors[name].astype(np.int64) for name in ("symbols", "ages"))
            self.views = (symbols[:, None] + ages).reshape(-1, symbols.shape[1])  # see vqaudio.prior.text.view_of
        self.embeddings = [tensors[f"entries.{index}"].astype(np.float32) for index in range(len(codebooks))]
        self.embed = Int8Linear(tensors, "embed", SUM[1])
        self.layers = [
            Layer(tensors, f"layers.{index}", dilation, exponents["layers"][index])
            for index, dilation in enumerate(config["dilations"])
        ]
        if (1 + len(self.layers)) * SUM[1] >= EXACT:
            raise ValueError(f"sums over its {len(self.layers)} layers may reach {EXACT}, where float32 is not exact")
        self.context_quantizer = Requantize(SUM[0] - int(exponents["context"]), INT8)
        self.heads = [Head(tensors, f"heads.{index}", exponents["hidden"][index]) for index in range(len(self.streams))]
        self.tanh, self.sigmoid = (tensors[name].astype(np.float32) for name in ("tanh", "sigmoid"))
        self.softmax = Softmax(tensors["exp"])
        self.unit_quantizer = Requantize(UNIT[0], UNIT[1])

    @property
    def n_codebooks(self) -> int:
        """Streams of codes: all but that of text."""
        return len(self.embeddings)

    @property
    def codebooks(self) -> tuple[Stream, ...]:
        """The streams of codes."""
        return self.streams[: self.n_codebooks]

    def known_text(self) -> Alphabet:
        """What texts are made of.

        Raises:
            ModelError: the prior knows no text.
        """
        if self.alphabet is None:
            raise ModelError("the prior knows no text: choose a model that was trained with one, such as digits")
        return self.alphabet

    # ------------------------------------------------------------------------------------------- parts of the network

    def biases(self, n_streams: int, condition: str) -> list[Numbers]:
        """Of each layer's gates, with so many streams in use and under a condition: ``(views, 2 * channels)``.

        Where the text is in use, there is a view for each symbol and how long ago it may have come; else there is one.
        """
        total = self.active_streams[n_streams - 1][None]
        for table, label in zip(self.tables, self.labels(condition), strict=True):
            total = total + table[label]
        if n_streams > self.n_codebooks:
            assert self.views is not None
            total = total + self.views
        half = 1 << self.condition_shift >> 1
        seen = (total + half >> self.condition_shift).clip(-INT8, INT8)
        return [layer.bias(seen) for layer in self.layers]

    def pass_layer(self, layer: Layer, past: Numbers, seen: Numbers, bias: Numbers) -> tuple[Numbers, Numbers]:
        """Two columns ``(..., channels)`` to what a layer adds to the residual stream and to the output."""
        gates = layer.gates(np.concatenate([past, seen], axis=-1), bias).astype(np.intp)
        gates += GATE[1]
        width = seen.shape[-1]
        passed = self.tanh[gates[..., :width]]
        passed *= self.sigmoid[gates[..., width:]]
        made = layer.out(self.unit_quantizer(passed))
        return made[..., :width], made[..., width:]

    def context(self, skipped: Numbers) -> Numbers:
        """The sum of all layers' outputs to what heads see of the past."""
        return self.context_quantizer(np.maximum(skipped, 0))

    def logits(self, stream: int, context: Numbers, before: Numbers) -> Numbers:
        """``(..., alphabet)`` from the context and the sum ``(..., code_dim)`` of the embeddings of streams before."""
        return self.heads[stream](context, cut(before))


def cut(sums: Numbers) -> Numbers:
    """Sums of embeddings to int8."""
    made: Numbers = np.minimum(np.maximum(sums, -INT8), INT8)
    return made
