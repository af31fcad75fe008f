"""How far networks see, from their settings alone: blocks of a file need so much context.

A :class:`Span` says what one output column sees: ``left`` and ``right`` input columns beside the ones at its own place.
"""

from __future__ import annotations

from dataclasses import dataclass

from vqaudio.config.bottleneck import BottleneckConfig, HierarchicalConfig
from vqaudio.config.model import (
    DecoderConfig,
    EncoderConfig,
    FramesDecoderConfig,
    FramesEncoderConfig,
    SpectralDecoderConfig,
    SpectralEncoderConfig,
)


@dataclass(frozen=True)
class Span:
    """How far an output column sees to either side, in columns of the input."""

    left: int = 0
    right: int = 0

    def then(self, other: Span, stride: int = 1) -> Span:
        """The span of two layers in a row, where ``stride`` input columns make one column between them."""
        return Span(self.left + other.left * stride, self.right + other.right * stride)


def same_span(kernel_size: int, stride: int = 1) -> Span:
    """What each output of a "same" convolution sees, beside the ``stride`` inputs at its own place."""
    extra = kernel_size - stride
    return Span(extra // 2, extra - extra // 2)


def unit_span(kernel_size: int, look_ahead: int | None = None) -> Span:
    """Of a residual unit; ``look_ahead`` of its kernel's columns lie ahead of a column's own, or half of them."""
    if look_ahead is None:
        return same_span(kernel_size)
    return Span(kernel_size - 1 - look_ahead, look_ahead)


def overlap_span(window: int, hop: int) -> Span:
    """Of windows that are added up: the neighbours, in frames, that reach into a frame's own samples."""
    reach = (window // hop) // 2
    return Span(reach, reach)


def before_upsampling(span: Span, stride: int) -> Span:
    """The columns beside a frame's own that reach, upsampled, the outputs up to ``span`` beside the same frame's.

    Upsampled by a transposed convolution of a kernel of two strides: input ``i`` reaches the outputs
    ``i * stride - stride // 2`` to ``(i + 2) * stride - stride // 2 - 1``.
    """
    half = stride // 2
    return Span((span.left + 2 * stride - half - 1) // stride, (span.right + stride + half - 1) // stride)


def encoder_span(config: EncoderConfig) -> Span:
    """The samples that one frame of features sees to the left and right of its own."""
    if isinstance(config, FramesEncoderConfig):
        return same_span(2 * config.hop, config.hop)
    if isinstance(config, SpectralEncoderConfig):
        span, hop = same_span(config.window, config.hop), config.hop
        ahead = config.look_ahead or (None,) * (config.stem_units + config.units)
        for look_ahead in ahead[: config.stem_units]:
            span = span.then(unit_span(config.kernel_size, look_ahead), hop)
        span, hop = span.then(same_span(2 * config.stride, config.stride), hop), hop * config.stride
        for look_ahead in ahead[config.stem_units :]:
            span = span.then(unit_span(config.kernel_size, look_ahead), hop)
        return span
    span, hop = same_span(config.kernel_size), 1
    for stride in config.strides:
        span, hop = span.then(same_span(2 * stride, stride), hop), hop * stride
        for _ in range(config.units):
            span = span.then(same_span(config.kernel_size), hop)
    return span


def decoder_span(config: DecoderConfig, hop_length: int) -> Span:
    """The latents that one frame's samples depend on, beside its own: in frames."""
    if isinstance(config, FramesDecoderConfig):
        return Span(1, 1)
    unit = same_span(config.kernel_size)
    if isinstance(config, SpectralDecoderConfig):
        span = unit
        for _ in range(config.units):
            span = span.then(unit)
        return span.then(overlap_span(config.window, hop_length))
    span = unit
    for stride in reversed(config.strides):  # from samples back to frames
        for _ in range(config.units):
            span = unit.then(span)
        span = before_upsampling(span, stride)
    return unit.then(span)


def decode_span(config: BottleneckConfig) -> Span:
    """Frames of codes that a frame of latents depends on, before and after itself."""
    span = Span()
    if isinstance(config, HierarchicalConfig):
        for _, stride in config.streams[1:]:
            span = span.then(same_span(config.kernel_size), stride)
    return span


def encode_span(config: BottleneckConfig) -> Span:
    """Frames of features that a code depends on, before and after its own; whole codes of every stream.

    In a hierarchy the longest way is that to the finest codes by the coarsest: all the way down and up again.
    """
    if not isinstance(config, HierarchicalConfig):
        return Span()
    span, stride = decode_span(config), 1
    for _ in range(config.levels - 1):
        span = span.then(same_span(4, 2), stride).then(same_span(config.kernel_size), 2 * stride)
        stride *= 2
    return Span(-(-span.left // stride) * stride, -(-span.right // stride) * stride)
