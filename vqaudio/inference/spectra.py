"""Between waveforms and frames, in numpy: the compressed spectrum, the inverse STFT and the lapped transform.

The transforms are those of :mod:`vqaudio.model.transforms`, where their definitions and sources stand. Frames stand in
rows here, ``(batch, frames, ...)``, as :mod:`vqaudio.inference.layers` takes them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vqaudio.inference.spans import Span

Floats = NDArray[np.float32]
POWER, FLOOR, LOG_SCALE = 0.3, 1e-5, 0.2
"""Of magnitudes in the compressed spectrum: what they are raised to, what is added; and of their logarithms."""
LARGEST_LOG_MAGNITUDE = 6.0


def hann(window: int) -> NDArray[np.float64]:
    """The periodic window, ``(window,)``."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


@lru_cache(maxsize=8)
def analysis_window(window: int) -> Floats:
    """What the samples of a frame are multiplied by before their Fourier transform."""
    taper: Floats = (hann(window) * 2.0 / window**0.5).astype(np.float32)
    return taper


@lru_cache(maxsize=8)
def synthesis_window(window: int, hop: int) -> Floats:
    """What frames are multiplied by before they are added up: the window over the sum of all windows' squares there."""
    taper = hann(window)
    envelope = np.square(taper).reshape(-1, hop).sum(0)
    scaled: Floats = (taper / np.tile(envelope, window // hop)).astype(np.float32)
    return scaled


@lru_cache(maxsize=8)
def mdct_basis(hop: int) -> Floats:
    """``(2 * hop, hop)``, see :func:`vqaudio.model.transforms.mdct_basis`."""
    time, number = np.arange(2 * hop)[:, None], np.arange(hop)
    taper = np.sin(np.pi * (time + 0.5) / (2 * hop))
    waves = np.cos(np.pi * (time + (hop + 1) / 2) * (number + 0.5) / hop)
    basis: Floats = ((2.0 / hop) ** 0.5 * taper * waves).astype(np.float32)
    return basis


def lapped(waveform: Floats, window: int, hop: int, *, padding: Span) -> Floats:
    """``(batch, samples)`` to a view ``(batch, frames, window)``, ``hop`` apart; so many zeros stand outside."""
    if padding != Span():
        waveform = np.pad(waveform, ((0, 0), (padding.left, padding.right)))
    return np.lib.stride_tricks.sliding_window_view(waveform, window, axis=1)[:, ::hop]


def compressed_spectrum(frames: Floats) -> Floats:
    """``(batch, frames, window)`` samples to ``(batch, frames, 3 * bins)``, bins ``window // 2 + 1``.

    See :class:`vqaudio.model.transforms.SpectralAnalysis`.
    """
    window = frames.shape[-1]
    spectrum = np.fft.rfft(frames * analysis_window(window))
    real, imaginary = spectrum.real.astype(np.float32, copy=False), spectrum.imag.astype(np.float32, copy=False)
    bins = spectrum.shape[-1]
    parts = np.empty((*frames.shape[:-1], 3 * bins), np.float32)
    log_magnitude = parts[..., 2 * bins :]
    np.log(np.square(real) + np.square(imaginary) + np.float32(FLOOR**2), out=log_magnitude)
    log_magnitude *= 0.5
    gain = np.exp(np.float32(POWER - 1.0) * log_magnitude)
    np.multiply(real, gain, out=parts[..., :bins])
    np.multiply(imaginary, gain, out=parts[..., bins : 2 * bins])
    log_magnitude *= np.float32(LOG_SCALE)
    return parts


def inverse_stft(spectrum: Floats, window: int, hop: int) -> Floats:
    """``(batch, frames, 2 * bins)``, log-magnitudes and phases, to ``(batch, (frames - 1) * hop + window)``.

    Bins are ``window // 2 + 1``: all samples that any frame reaches. See
    :class:`vqaudio.model.decoder.SpectralDecoder` and :class:`vqaudio.model.transforms.InverseSTFT`.
    """
    bins = window // 2 + 1
    magnitude = np.exp(np.minimum(spectrum[..., :bins], np.float32(LARGEST_LOG_MAGNITUDE)))
    phase = spectrum[..., bins:]
    bent = np.empty(magnitude.shape, np.complex64)
    np.multiply(magnitude, np.cos(phase), out=bent.real)
    np.multiply(magnitude, np.sin(phase), out=bent.imag)
    frames = np.fft.irfft(bent, n=window).astype(np.float32, copy=False)
    frames *= synthesis_window(window, hop)
    return overlap_added(frames, hop)


def overlap_added(frames: Floats, hop: int) -> Floats:
    """``(batch, frames, window)`` to ``(batch, (frames - 1) * hop + window)``; the window is a multiple of ``hop``."""
    batch, count, window = frames.shape
    overlaps = window // hop
    total = np.zeros((batch, count + overlaps - 1, hop), np.float32)
    for index in range(overlaps):
        total[:, index : index + count] += frames[..., index * hop : (index + 1) * hop]
    return total.reshape(batch, -1)
