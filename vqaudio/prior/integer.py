"""A trained prior whose distributions are the same everywhere, of all frames at once or frame by frame.

So the same codes have the same intervals on every machine and with any number of threads, and a file decodes wherever
it is taken. What the network computes is in :mod:`vqaudio.prior.network`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from vqaudio.errors import ModelError
from vqaudio.intnet.intervals import Integers, intervals_of
from vqaudio.intnet.linear import Numbers
from vqaudio.prior.base import NONE, n_frames_of
from vqaudio.prior.network import IntegerNetwork, cut
from vqaudio.prior.stepping import IntegerStepper, NumpyStepper
from vqaudio.prior.text import in_view, view_of
from vqaudio.registry import fingerprint_of

if TYPE_CHECKING:
    from vqaudio.prior.onnx_stepper import Sessions

KIND = "integer prior"
"""What the files say they hold."""
FRAMES_AT_ONCE = 64
"""For how many frames of a whole batch :meth:`IntegerPrior.intervals` holds distributions."""


class IntegerPrior(IntegerNetwork):
    """A trained prior: see :class:`IntegerNetwork` for its arguments."""

    def begin(self, batch_size: int, n_streams: int, *, condition: str = NONE) -> IntegerStepper:
        """See :meth:`Prior.begin`."""
        if self._sessions is None:
            return NumpyStepper(self, batch_size, n_streams, condition=condition)
        return self._sessions.begin(batch_size, n_streams, condition=condition)

    @cached_property
    def _sessions(self) -> Sessions | None:
        """ONNX Runtime's, made when a first walk begins; None where they would not be exact."""
        from vqaudio.prior.onnx_stepper import Sessions  # who walks not at all need not wait for ONNX Runtime

        try:
            return Sessions(self)
        except ValueError:
            return None

    def intervals(self, codes: Sequence[Integers], condition: str = NONE) -> list[tuple[Integers, Integers]]:
        """See :meth:`Prior.intervals`; all frames side by side."""
        found = [(np.zeros_like(known), np.zeros_like(known)) for known in codes]
        batch_size, n_streams = codes[0].shape[0], len(codes)
        sums = self._sums(codes)
        biases = [bias[None] for bias in self.biases(n_streams, condition)]
        if n_streams > self.n_codebooks:
            view = view_of(*in_view(later(codes[-1], 1)))
            biases = [bias[0, view] for bias in biases]
        contexts = self._contexts(sums[-1], biases)
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
        for known, embeddings, stream in zip(codes[: self.n_codebooks], self.embeddings, self.streams, strict=False):
            total = total + embeddings[known.repeat(stream.stride, axis=1)[:, :frames]]
            sums.append(total)
        return sums

    def _contexts(self, sums: Numbers, biases: list[Numbers]) -> Numbers:
        """What heads see of the past at each frame: ``(batch, frames, skip_channels)``.

        Biases are ``(batch or 1, frames or 1, 2 * channels)``.
        """
        x = self.embed(later(cut(sums), 1))
        skipped: Numbers = np.zeros(1, np.float32)
        for layer, bias in zip(self.layers, biases, strict=True):
            seen = layer.input_quantizer(x)
            added, part = self.pass_layer(layer, later(seen, layer.dilation), seen, bias)
            x, skipped = x + added, skipped + part
        return self.context(skipped)


def later(x: NDArray[Any], frames: int) -> NDArray[Any]:
    """``(batch, frames, ...)`` moved on by some frames, zeros before the start."""
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
