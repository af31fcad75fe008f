"""Building blocks that see a bounded stretch of time, and say how long it is.

Nothing here looks across time except finite convolutions: normalisation acts on the channels of one frame. That is
what lets a file be coded in blocks with the receptive field as context.

A :class:`Span` says what one output column sees: ``left`` and ``right`` input columns beside the ones at its own place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Span:
    """How far an output column sees to either side, in columns of the input."""

    left: int = 0
    right: int = 0

    def then(self, other: Span, stride: int = 1) -> Span:
        """The span of two layers in a row, where ``stride`` input columns make one column between them."""
        return Span(self.left + other.left * stride, self.right + other.right * stride)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each frame, for ``(batch, channels, frames)`` tensors.

    Source: Ba et al., "Layer Normalization", 2016, eq. 4; never across time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, frames)`` in and out."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,  # x Φ(x) (Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016)
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),  # the same to 0.001, and four times slower on a CPU
}


class ResidualUnit(nn.Module):
    """A residual unit: depthwise convolution over time, then two dense layers over channels.

    Source: Liu et al., "A ConvNet for the 2020s", 2022, fig. 4, in one dimension as in Vocos (Siuzdak, 2023).
    Shapes: ``(batch, channels, frames)`` in and out.

    With ``condition_dim`` a condition scales and shifts each channel after its normalisation (FiLM: Perez et al.,
    "FiLM: Visual reasoning with a general conditioning layer", 2018, eq. 2).

    ``look_ahead`` is how many of the kernel's frames lie ahead of a frame's own; None: half of them.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        *,
        expansion: int,
        depth: int,
        activation: str = "gelu",
        condition_dim: int = 0,
        look_ahead: int | None = None,
    ):
        super().__init__()
        self.kernel_size, self.activation = kernel_size, ACTIVATIONS[activation]
        self.look_ahead = look_ahead
        self.mix_time = nn.Conv1d(channels, channels, kernel_size, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, expansion * channels)
        self.contract = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 1.0 / depth))
        nn.init.trunc_normal_(self.expand.weight, std=0.02)
        nn.init.trunc_normal_(self.contract.weight, std=0.02)
        nn.init.zeros_(self.expand.bias)
        nn.init.zeros_(self.contract.bias)
        self.film = nn.Linear(condition_dim, 2 * channels) if condition_dim else None
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    @property
    def span(self) -> Span:
        """What a frame sees beside itself."""
        if self.look_ahead is None:
            return same_span(self.kernel_size)
        return Span(self.kernel_size - 1 - self.look_ahead, self.look_ahead)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """``(batch, channels, frames)`` in and out; the condition is ``(batch, condition_dim)``."""
        span = self.span
        mixed: Tensor = self.mix_time(functional.pad(x, (span.left, span.right))).transpose(1, 2)
        mixed = self.norm(mixed)
        if self.film is not None and condition is not None:
            scale, shift = self.film(condition)[:, None].chunk(2, dim=-1)
            mixed = torch.addcmul(shift, mixed, 1.0 + scale)
        mixed = self.contract(self.activation(self.expand(mixed)))
        return torch.addcmul(x, self.scale[:, None], mixed.transpose(1, 2))


def full_precision(x: Tensor) -> torch.autocast:
    """A context in which autocast leaves float32 alone: for codebooks and heads, which bf16 would blur."""
    return torch.autocast(x.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    """bfloat16 and float16 to float32; float32 and float64 as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def same_span(kernel_size: int, stride: int = 1) -> Span:
    """What each output of a "same" convolution sees, beside the ``stride`` inputs at its own place."""
    extra = kernel_size - stride
    return Span(extra // 2, extra - extra // 2)


class SameConv1d(nn.Conv1d):
    """A convolution whose output has ``frames / stride`` columns; zeros stand outside the input.

    Errors: ``kernel_size`` must be at least ``stride``, or inputs would be skipped.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel_size: int, stride: int = 1):
        if kernel_size < stride:
            raise ValueError(f"kernel_size {kernel_size} is below the stride {stride}: samples would be skipped")
        super().__init__(in_channels, out_channels, kernel_size, stride)

    @property
    def span(self) -> Span:
        """In columns of the input."""
        return same_span(self.kernel_size[0], self.stride[0])

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, frames)`` to ``(batch, channels, frames / stride)``."""
        if self.kernel_size == self.stride == (1,):  # the same as a matrix product, which needs no copy of its input
            return functional.linear(x.transpose(1, 2), self.weight[..., 0], self.bias).transpose(1, 2)
        return super().forward(functional.pad(x, (self.span.left, self.span.right)))


class SpectralAnalysis(nn.Module):
    """A strided convolution with a fixed Fourier basis: the short-time spectrum, compressed.

    ``(batch, 1, samples)`` to ``(batch, 3 * (window // 2 + 1), samples / hop)``: real and imaginary part of
    ``|X|^0.3 exp(i arg X)``, then ``log |X|``. Samples must be a multiple of ``hop``. Column ``t`` is centred on the
    middle of its own ``hop`` samples. The sum over the window is taken by an FFT, which is the same sum.

    The 0.3 follows the magnitude compression of Wilson et al., "Exploring tradeoffs in models for low-latency speech
    enhancement", 2018.
    """

    power = 0.3
    floor = 1e-5
    taper: Tensor

    def __init__(self, window: int, hop: int):
        super().__init__()
        self.window, self.hop = window, hop
        self.register_buffer("taper", torch.hann_window(window), persistent=False)
        self.out_channels = 3 * (window // 2 + 1)

    @property
    def span(self) -> Span:
        """In samples."""
        return same_span(self.window, self.hop)

    def forward(self, waveform: Tensor) -> Tensor:
        """``(batch, 1, samples)`` to ``(batch, 3 * (window // 2 + 1), samples / hop)``."""
        padded = functional.pad(waveform[:, 0].to(self.taper.dtype), (self.span.left, self.span.right))
        frames = padded.unfold(-1, self.window, self.hop) * (self.taper * (2.0 / self.window**0.5))
        spectrum = torch.fft.rfft(frames)
        log_magnitude = 0.5 * (spectrum.real.square() + spectrum.imag.square() + self.floor**2).log()
        gain = torch.exp((self.power - 1.0) * log_magnitude)
        parts = (spectrum.real * gain, spectrum.imag * gain, 0.2 * log_magnitude)
        return torch.cat(parts, dim=-1).transpose(1, 2)


class InverseSTFT(nn.Module):
    """The inverse short-time Fourier transform as a transposed convolution with a fixed basis.

    ``(batch, window // 2 + 1, frames)`` complex to ``(batch, 1, frames * hop)``, windows overlapped and added with
    "same" alignment (frame ``t`` is centred on its own ``hop`` samples), divided by the windows' summed squares as
    they stand in the middle of a signal: the ends of a finite signal fade, and nothing depends on where they are.
    """

    taper: Tensor
    inverse_envelope: Tensor

    def __init__(self, window: int, hop: int):
        super().__init__()
        self.window, self.hop = window, hop
        taper = torch.hann_window(window)
        self.register_buffer("taper", taper, persistent=False)
        envelope = taper.square().reshape(-1, hop).sum(0)
        self.register_buffer("inverse_envelope", 1.0 / envelope, persistent=False)

    @property
    def span(self) -> Span:
        """In frames: the neighbours whose windows reach into a frame's own samples."""
        reach = (self.window // self.hop) // 2
        return Span(reach, reach)

    def forward(self, spectrum: Tensor) -> Tensor:
        """``(batch, window // 2 + 1, frames)`` complex to ``(batch, 1, frames * hop)``."""
        overlaps = self.window // self.hop
        frames = torch.fft.irfft(spectrum.transpose(1, 2), n=self.window) * self.taper
        batch, count = frames.shape[:2]
        pieces = frames.reshape(batch, count, overlaps, self.hop)
        total = pieces.new_zeros(batch, count + overlaps - 1, self.hop)
        for index in range(overlaps):
            total[:, index : index + count] += pieces[:, :, index]
        waveform: Tensor = (total * self.inverse_envelope).flatten(1)
        start = (self.window - self.hop) // 2
        return waveform[:, None, start : start + count * self.hop]


class MDCT(nn.Module):
    """Frames of a waveform as coordinates in an orthonormal basis whose functions fade into their neighbours'.

    ``(batch, 1, samples)`` to ``(batch, hop, samples / hop)``: a frame is ``2 * hop`` samples under half a sine,
    centred on its own ``hop``, along as many cosines as its hop has samples: the modified discrete cosine transform.
    Samples must be a multiple of ``hop``, and ``hop`` even. Source: Malvar, "Lapped transforms for efficient
    transform/subband coding", 1990; Princen, Johnson & Bradley, "Subband/transform coding using filter bank designs
    based on time domain aliasing cancellation", 1987.
    """

    basis: Tensor

    def __init__(self, hop: int):
        super().__init__()
        self.hop = hop
        self.register_buffer("basis", mdct_basis(hop), persistent=False)

    @property
    def span(self) -> Span:
        """In samples."""
        return same_span(2 * self.hop, self.hop)

    def forward(self, waveform: Tensor) -> Tensor:
        """``(batch, 1, samples)`` to ``(batch, hop, samples / hop)``."""
        padded = functional.pad(waveform[:, 0].to(self.basis.dtype), (self.span.left, self.span.right))
        frames: Tensor = padded.unfold(-1, 2 * self.hop, self.hop) @ self.basis
        return frames.transpose(1, 2)


class InverseMDCT(nn.Module):
    """The inverse of :class:`MDCT`: ``(batch, hop, frames)`` to ``(batch, 1, frames * hop)``.

    Each half hop is the sum of two frames' fades, which mirror it in time in opposite senses. At either end of a signal
    one of them is missing, and half a hop is not what it was.
    """

    basis: Tensor

    def __init__(self, hop: int):
        super().__init__()
        self.hop = hop
        self.register_buffer("basis", mdct_basis(hop).T.contiguous(), persistent=False)

    @property
    def span(self) -> Span:
        """In frames: the neighbours whose windows reach into a frame's own samples."""
        return Span(1, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """``(batch, hop, frames)`` to ``(batch, 1, frames * hop)``."""
        first, second = (frames.transpose(1, 2) @ self.basis).chunk(2, dim=-1)
        total = functional.pad(first, (0, 0, 0, 1)) + functional.pad(second, (0, 0, 1, 0))
        start = self.hop // 2
        waveform: Tensor = total.flatten(1)[:, None, start : start + frames.shape[-1] * self.hop]
        return waveform


def mdct_basis(hop: int) -> Tensor:
    """``(2 * hop, hop)``: ``sqrt(2 / M) sin(π (n + 1/2) / 2M) cos(π (n + (M + 1) / 2) (k + 1/2) / M)``, M the hop."""
    time, number = torch.arange(2 * hop, dtype=torch.float64)[:, None], torch.arange(hop, dtype=torch.float64)
    taper = torch.sin(torch.pi * (time + 0.5) / (2 * hop))
    waves = torch.cos(torch.pi * (time + (hop + 1) / 2) * (number + 0.5) / hop)
    basis: Tensor = (2.0 / hop) ** 0.5 * taper * waves
    return basis.float()
