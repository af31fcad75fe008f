"""What the codec asks of a model, whatever runs its networks: arrays in, arrays out.

::

    waveform (B, 1, samples) ──features──▶ (B, D, frames) ──encode──▶ codes: int64 (B, frames / stride) per stream
    windows of any lengths ──────────────encode_windows─────────────▶ codes of each
    codes ──decode──▶ waveform (B, 1, frames * hop_length)

All numbers are float32, full scale 1.0. Two backends: :class:`vqaudio.inference.onnx_networks.OnnxNetworks`, and
:class:`vqaudio.model.torch_networks.TorchNetworks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.config.bottleneck import BottleneckConfig
from vqaudio.config.model import ModelConfig
from vqaudio.container import Stream
from vqaudio.inference.spans import Span, decode_span, decoder_span, encode_span, encoder_span

NO_CONTEXT = Span()
Floats = NDArray[np.float32]
Tokens = NDArray[np.int64]
CodeSearch = Callable[[Floats, Floats, int], list[Tokens]]
"""Features ``(batch, D, frames)`` and the waveform they are of ``(batch, 1, samples)`` to codes, by another search.

Only codes of the first so many frames are wanted.
"""
Choice = tuple[int | None, float]
"""How codes are chosen: of how many streams, and at which cost of each; see :meth:`Quantizer.encode`."""
MOST_AHEAD = 600.0
"""Seconds of windows that are held at once."""


Key = tuple[int, ...]


@dataclass(frozen=True)
class Heard:
    """A window of one channel, as the encoder hears it, whose codes are wanted.

    Attributes:
        key: what the caller knows it by.
        waveform: ``(samples,)``, samples a multiple of ``hop_length``.
        choices: the ways to choose its codes.
    """

    key: Key
    waveform: Floats
    choices: Sequence[Choice]


Found = tuple[Key, list[list[Tokens]]]
"""A window's key, and for each of its choices int64 codes ``(1, frames / stride)`` per stream."""


def inner(columns: Floats, context: Span, *, per_frame: int = 1) -> Floats:
    """``(..., frames * per_frame)`` without the frames of context at either end."""
    return columns[..., context.left * per_frame : columns.shape[-1] - context.right * per_frame]


class Quantizer(ABC):
    """A bottleneck in use: which code stands for features, and what stands for codes.

    Attributes:
        streams: alphabet and stride (in frames) of each stream of codes; a bottleneck without is not storable.
        min_streams: the fewest of the first streams that latents can be made from.
        encode_span: frames of features that a code depends on, before and after those that it stands for.
        decode_span: frames of codes that a frame of latents depends on, before and after itself.
        has_code_costs: whether codes can be given a cost, see :meth:`encode`.
    """

    min_streams: int = 1
    has_code_costs: bool = False

    def __init__(self, config: BottleneckConfig):
        self.streams = tuple(Stream(*pair) for pair in config.streams)
        self.encode_span, self.decode_span = encode_span(config), decode_span(config)

    @abstractmethod
    def encode(self, features: Floats, n_streams: int | None = None, *, code_cost: float = 0.0) -> list[Tokens]:
        """``(batch, D, frames)`` features to int64 codes ``(batch, frames / stride)`` per stream.

        Args:
            features: what the encoder made.
            n_streams: how many streams are wanted, ``min_streams`` or more; the codes are chosen so that they serve
                best without the others.
            code_cost: by how much a code has to bring the squared distance to the features down; where none does, the
                stop code is taken, so that frames that gain little end early.

        Raises:
            ValueError: a cost, and ``has_code_costs`` is false.
        """

    @abstractmethod
    def decode(self, tokens: Sequence[NDArray[Any]]) -> Floats:
        """Integer codes, of all streams or of the first ``min_streams`` or more, to latents ``(batch, D, frames)``."""

    def additive_codebooks(self) -> list[Floats]:
        """Codebooks ``(alphabet, D)`` whose embeddings add up to latents, one per stream; none where they do not."""
        return []

    def stop_codes(self) -> list[NDArray[np.intp]]:
        """For each stream of :meth:`additive_codebooks` the codes whose embeddings are zeros, often none.

        With such a code a frame may end, and nothing is added to it.
        """
        return [np.flatnonzero((codebook == 0).all(1)) for codebook in self.additive_codebooks()]


class Networks(ABC):
    """A model's encoder and decoder, loaded, and its quantizer.

    Attributes:
        config: the model's settings.
        quantizer: the model's bottleneck, over arrays.
        decode_only: whether the encoder was left out; then :meth:`features` raises ModelError.
        precision: of the encoder's products.
    """

    precision = "float32"

    def __init__(self, config: ModelConfig, quantizer: Quantizer, *, decode_only: bool = False):
        self.config, self.quantizer, self.decode_only = config, quantizer, decode_only

    @abstractmethod
    def features(self, waveform: Floats, *, context: Span = NO_CONTEXT) -> Floats:
        """``(batch, 1, samples)``, samples a multiple of ``hop_length``, to ``(batch, D, frames)``.

        The first ``context.left`` and the last ``context.right`` frames are heard, but not among those: a backend may
        save the work that only they would need.
        """

    def encode(self, features: Floats, n_streams: int | None = None, *, code_cost: float = 0.0) -> list[Tokens]:
        """See :meth:`Quantizer.encode`."""
        return self.quantizer.encode(features, n_streams, code_cost=code_cost)

    @property
    def side_by_side(self) -> bool:
        """Whether several windows take less time in one call of :meth:`encode_windows` than in one each."""
        return False

    def encode_windows(
        self, windows: Iterable[Heard], *, context: Span = NO_CONTEXT, ahead: float = MOST_AHEAD
    ) -> Iterator[Found]:
        """Windows of any lengths to codes, in any order, each once its codes are known.

        What a window's codes are does not depend on which others there are. No more windows are taken than ``ahead``
        seconds, but one at least. ``context`` as for :meth:`features`: of those frames there are no codes.
        """
        for window in windows:
            yield window.key, self.encode_window(window, context=context)

    def encode_window(self, window: Heard, *, context: Span) -> list[list[Tokens]]:
        """One window to codes, by itself: see :meth:`encode_windows`."""
        features = self.features(window.waveform[None, None], context=context)
        return [self.encode(features, count, code_cost=cost) for count, cost in window.choices]

    @abstractmethod
    def decode(self, tokens: Sequence[NDArray[Any]], speaker: int = 0, *, context: Span = NO_CONTEXT) -> Floats:
        """Integer codes ``(batch, codes)`` per stream to ``(batch, 1, frames * hop_length)``.

        ``speaker`` is 1 and up in the order of the config's speakers, 0 for none of them. The first ``context.left``
        and the last ``context.right`` frames are seen, but their sound is not returned, as with :meth:`features`.
        """

    @property
    def encoder_context(self) -> int:
        """Frames of sound that a frame's codes depend on, to either side of its own."""
        span = encoder_span(self.config.encoder).then(self.quantizer.encode_span, self.config.hop_length)
        return -(-max(span.left, span.right) // self.config.hop_length)

    @property
    def decoder_context(self) -> int:
        """Frames of codes that a frame's sound depends on, to either side of its own."""
        span: Span = decoder_span(self.config.decoder, self.config.hop_length).then(self.quantizer.decode_span)
        return max(span.left, span.right)
