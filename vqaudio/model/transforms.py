"""Fixed transforms between waveforms and frames: the compressed spectrum, its inverse, and the lapped transform.

They have no weights, and see a bounded stretch of time like all :mod:`vqaudio.model.layers`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.inference.spans import Span, overlap_span, same_span
from vqaudio.inference.spectra import FLOOR, LOG_SCALE, POWER


class SpectralAnalysis(nn.Module):
    """A strided convolution with a fixed Fourier basis: the short-time spectrum, compressed.

    ``(batch, 1, samples)`` to ``(batch, 3 * (window // 2 + 1), samples / hop)``: real and imaginary part of
    ``|X|^0.3 exp(i arg X)``, then ``log |X|``. Samples must be a multiple of ``hop``. Column ``t`` is centred on the
    middle of its own ``hop`` samples. The sum over the window is taken by an FFT, which is the same sum.

    The 0.3 follows the magnitude compression of Wilson et al., "Exploring tradeoffs in models for low-latency speech
    enhancement", 2018.
    """

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
        log_magnitude = 0.5 * (spectrum.real.square() + spectrum.imag.square() + FLOOR**2).log()
        gain = torch.exp((POWER - 1.0) * log_magnitude)
        parts = (spectrum.real * gain, spectrum.imag * gain, LOG_SCALE * log_magnitude)
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
        return overlap_span(self.window, self.hop)

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
