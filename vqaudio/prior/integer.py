"""A trained WaveNet as an integer network: the same function in arithmetic that has only one result.

Weights and whatever enters a product are int8 (see :mod:`vqaudio.intnet.linear`); tanh, sigmoid and exp are tables that
come with the weights. So the same codes have the same intervals on every machine and with any number of threads, and a
file decodes wherever it is taken.

No torch here: :mod:`vqaudio.wavenet.export` makes the tensors from a :class:`vqaudio.wavenet.WaveNet`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from vqaudio.container import Stream
from vqaudio.errors import ModelError
from vqaudio.intnet.grids import CONDITION, EXACT, GATE, INT8, LARGEST_BIAS, LOGIT, SUM, UNIT
from vqaudio.intnet.intervals import Integers, intervals_of
from vqaudio.intnet.linear import Int8Linear, Numbers, Requantize
from vqaudio.intnet.softmax import Softmax
from vqaudio.prior.base import NONE, Prior, Stepper, n_frames_of
from vqaudio.registry import fingerprint_of

KIND = "integer prior"
"""What the files say they hold."""
FRAMES_AT_ONCE = 256
"""For how many frames of a whole batch :meth:`IntegerPrior.intervals` holds distributions."""


class _Layer:
    def __init__(self, tensors: Mapping[str, NDArray[Any]], name: str, dilation: int, input_exponent: int):
        self.dilation, self.input_quantizer = dilation, Requantize(SUM[0] - input_exponent, INT8)
        self.gates = Int8Linear(tensors, f"{name}.gates", GATE[1])
        self.condition = tensors[f"{name}.condition"].astype(np.int64)
        self.out = Int8Linear(tensors, f"{name}.out", SUM[1])

    def bias(self, condition: Integers) -> Numbers:
        """The gates' bias under a condition ``(condition_channels,)``."""
        total = self.gates.bias.astype(np.int64) + self.condition @ condition
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


class IntegerPrior(Prior):
    """A trained prior whose distributions are the same everywhere.

    Args:
        tensors: by name, as :mod:`vqaudio.wavenet.export` makes them.
        config: streams, fields, dilations and the exponents of grids.

        fingerprint: of the file that both are from; files that this prior codes name it by that.

    Attributes:
        codec: fingerprint of the codec whose codes it knows.
        seconds: length of the crops that it learned from.

    Raises:
        ValueError: sums that float32 may not hold exactly.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]], config: Mapping[str, Any], *, fingerprint: str = ""):
        self.fingerprint = fingerprint
        self.streams = tuple(Stream(alphabet, stride) for alphabet, stride in config["streams"])
        self.fields = {name: tuple(labels) for name, labels in config["fields"].items()}
        self.codec, self.seconds = str(config["codec"]), float(config["seconds"])
        exponents = config["see"]
        self.active_streams = tensors["used"].astype(np.int64)
        self.tables = [tensors[f"labels.{field}"].astype(np.int64) for field in self.fields]
        self.condition_shift = CONDITION[0] - int(exponents["condition"])
        self.embeddings = [tensors[f"entries.{index}"].astype(np.float32) for index in range(len(self.streams))]
        self.embed = Int8Linear(tensors, "embed", SUM[1])
        self.layers = [
            _Layer(tensors, f"layers.{index}", dilation, exponents["layers"][index])
            for index, dilation in enumerate(config["dilations"])
        ]
        if (1 + len(self.layers)) * SUM[1] >= EXACT:
            raise ValueError(f"sums over its {len(self.layers)} layers may reach {EXACT}, where float32 is not exact")
        self.context_quantizer = Requantize(SUM[0] - int(exponents["context"]), INT8)
        self.heads = [Head(tensors, f"heads.{index}", exponents["hidden"][index]) for index in range(len(self.streams))]
        self.tanh, self.sigmoid = (tensors[name].astype(np.float32) for name in ("tanh", "sigmoid"))
        self.softmax = Softmax(tensors["exp"])
        self.unit_quantizer = Requantize(UNIT[0], UNIT[1])

    # ------------------------------------------------------------------------------------------- parts of the network

    def biases(self, n_streams: int, condition: str) -> list[Numbers]:
        """Of each layer's gates, with so many streams in use and under a condition."""
        total = self.active_streams[n_streams - 1].copy()
        for table, label in zip(self.tables, self.labels(condition), strict=True):
            total += table[label]
        half = 1 << self.condition_shift >> 1
        seen = (total + half >> self.condition_shift).clip(-INT8, INT8)
        return [layer.bias(seen) for layer in self.layers]

    def pass_layer(self, layer: _Layer, past: Numbers, seen: Numbers, bias: Numbers) -> tuple[Numbers, Numbers]:
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

    # --------------------------------------------------------------------------------------------------- the contract

    def begin(self, batch_size: int, n_streams: int, *, condition: str = NONE) -> IntegerStepper:
        """See :meth:`Prior.begin`."""
        return IntegerStepper(self, batch_size, n_streams, condition)

    def intervals(self, codes: Sequence[Integers], condition: str = NONE) -> list[tuple[Integers, Integers]]:
        """See :meth:`Prior.intervals`; all frames side by side."""
        found = [(np.zeros_like(known), np.zeros_like(known)) for known in codes]
        batch_size, n_streams = codes[0].shape[0], len(codes)
        sums = self._sums(codes)
        contexts = self._contexts(sums[-1], self.biases(n_streams, condition))
        for index, (known, stream, before) in enumerate(zip(codes, self.streams, sums, strict=False)):
            context, before = contexts[:, :: stream.stride], before[:, :: stream.stride]
            step = max(1, FRAMES_AT_ONCE // batch_size)
            for at in range(0, known.shape[1], step):
                part = slice(at, at + step)
                frequencies = self.softmax.frequencies(self.logits(index, context[:, part], before[:, part]))
                for made, values in zip(found[index], intervals_of(frequencies, known[:, part]), strict=True):
                    made[:, part] = values
        return found

    def _sums(self, codes: Sequence[Integers]) -> list[Numbers]:
        """Sums of the embeddings in view: of no stream, the first, the first two, ...; each ``(batch, frames, D)``."""
        frames = n_frames_of(codes, self.streams)
        total = np.zeros((codes[0].shape[0], frames, self.embeddings[0].shape[1]), np.float32)
        sums = [total]
        for known, embeddings, stream in zip(codes, self.embeddings, self.streams, strict=False):
            total = total + embeddings[known.repeat(stream.stride, axis=1)[:, :frames]]
            sums.append(total)
        return sums

    def _contexts(self, sums: Numbers, biases: list[Numbers]) -> Numbers:
        """What heads see of the past at each frame: ``(batch, frames, skip_channels)``."""
        x = self.embed(later(cut(sums), 1))
        skipped: Numbers = np.zeros(1, np.float32)
        for layer, bias in zip(self.layers, biases, strict=True):
            seen = layer.input_quantizer(x)
            added, part = self.pass_layer(layer, later(seen, layer.dilation), seen, bias)
            x, skipped = x + added, skipped + part
        return self.context(skipped)


class IntegerStepper(Stepper):
    """One column at a time: each layer keeps what its convolution looks back on in a ring."""

    def __init__(self, prior: IntegerPrior, batch_size: int, n_streams: int, condition: str):
        self.prior, self.frame = prior, 0
        self.biases = prior.biases(n_streams, condition)
        width, dim = prior.embed.weight.shape[1], prior.embeddings[0].shape[1]
        self.rings = [np.zeros((layer.dilation, batch_size, width), np.float32) for layer in prior.layers]
        self.embeddings = np.zeros((n_streams, batch_size, dim), np.float32)  # those in view, of each stream
        self.column: Numbers | None = None

    def frequencies(self, stream: int) -> Integers:
        """See :meth:`Stepper.frequencies`."""
        return self.prior.softmax.frequencies(self.logits(stream))

    def logits(self, stream: int) -> Numbers:
        """``(batch, alphabet)``, in steps of 2**-5 nats."""
        return self.prior.logits(stream, self._context(), self.embeddings[:stream].sum(0))

    def accept(self, stream: int, codes: Integers) -> None:
        """See :meth:`Stepper.accept`."""
        self._context()
        self.embeddings[stream] = self.prior.embeddings[stream][codes]

    def advance(self) -> None:
        """See :meth:`Stepper.advance`."""
        self._context()
        self.frame, self.column = self.frame + 1, None

    def _context(self) -> Numbers:
        """What heads see at this frame: made before any of its codes comes into view, asked for or not."""
        if self.column is None:
            self.column = self._next_column()
        return self.column

    def _next_column(self) -> Numbers:
        prior = self.prior
        x = prior.embed(cut(self.embeddings.sum(0)))
        skipped: Numbers = np.zeros(1, np.float32)
        for layer, ring, bias in zip(prior.layers, self.rings, self.biases, strict=True):
            seen, place = layer.input_quantizer(x), self.frame % layer.dilation
            added, part = prior.pass_layer(layer, ring[place], seen, bias)
            ring[place] = seen
            x, skipped = x + added, skipped + part
        return prior.context(skipped)


def cut(sums: Numbers) -> Numbers:
    """Sums of embeddings to int8."""
    made: Numbers = np.minimum(np.maximum(sums, -INT8), INT8)
    return made


def later(x: Numbers, frames: int) -> Numbers:
    """``(batch, frames, width)`` moved on by some frames, zeros before the start."""
    made = np.zeros_like(x)
    made[:, frames:] = x[:, : max(0, x.shape[1] - frames)]
    return made


def load(path: Path) -> IntegerPrior:
    """Read a file that :func:`vqaudio.wavenet.export.save` wrote.

    Raises:
        ModelError: not such a file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("kind") != KIND:
                raise ValueError(f"its kind is {metadata.get('kind')}, expected {KIND}")
            config = json.loads(metadata["config"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return IntegerPrior(tensors, config, fingerprint=fingerprint_of(file, path))
    except (SafetensorError, OSError, AttributeError, KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelError(f"{path}: is not a readable prior ({error})") from None
