"""Crops at other levels and speeds, in other colours, in rooms and in noise: ``(batch, samples)`` in and out.

Everything is made on the device that the crops are on; what is random depends on a generator on the CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor

EQUALISER_BANDS = 8
ROOM_SECONDS = 0.4  # of a room's response
DECAY_SECONDS = (0.05, 0.35)  # range of the time in which a room's sound falls by 60 dB
REVERBERANT_SHARE = (0.05, 0.5)  # range of a room's level over the direct sound's


def stretch(crops: Tensor, samples: int) -> Tensor:
    """Crops of another length as ``samples`` samples, played slower or faster: resampled as one period of a signal."""
    stretched: Tensor = torch.fft.irfft(torch.fft.rfft(crops, norm="forward"), samples, norm="forward")
    return stretched


def set_level(crops: Tensor, random: torch.Generator, *, share: float, range_db: tuple[float, float]) -> Tensor:
    """A ``share`` of the crops at an RMS level sampled from ``range_db`` (dB re full scale)."""
    low, high = range_db
    level = 10.0 ** ((low + (high - low) * _uniform(crops, 1, random)) / 20.0)
    return torch.where(_selected(crops, share, random) > 0, crops * (level / _rms(crops)), crops)


def limit(crops: Tensor) -> Tensor:
    """Crops that pass full scale brought down to it."""
    return crops / crops.abs().amax(-1, keepdim=True).clamp(min=1.0)


def flip(crops: Tensor, random: torch.Generator) -> Tensor:
    """Half of the crops upside down."""
    return crops * (1.0 - 2.0 * _selected(crops, 0.5, random))


def equalise(crops: Tensor, random: torch.Generator, *, share: float, most_db: float, sample_rate: int) -> Tensor:
    """A ``share`` of the crops with their bands raised or lowered by up to ``most_db`` (dB), smoothly."""
    if not share:
        return crops
    gains_db = (2.0 * _uniform(crops, EQUALISER_BANDS, random) - 1.0) * most_db * _selected(crops, share, random)
    return apply_gains(crops, gains_db, sample_rate=sample_rate)


def apply_gains(crops: Tensor, gains_db: Tensor, *, sample_rate: int) -> Tensor:
    """Crops with gains ``(batch, EQUALISER_BANDS)`` in dB, and between the bands' centres what lies between."""
    bins = crops.shape[-1] // 2 + 1
    frequencies = torch.linspace(0.0, sample_rate / 2, bins, device=crops.device)
    place = (1.0 + frequencies / 300.0).log2()  # as the ear has it: linear below some hundred Hz
    place = place / place[-1] * (EQUALISER_BANDS - 1)
    low = place.floor().clamp(max=EQUALISER_BANDS - 2).long()
    part = place - low
    curve_db = gains_db[:, low] * (1.0 - part) + gains_db[:, low + 1] * part
    equalised: Tensor = torch.fft.irfft(torch.fft.rfft(crops) * 10.0 ** (curve_db / 20.0), crops.shape[-1])
    return equalised


def reverberate(crops: Tensor, random: torch.Generator, *, share: float, sample_rate: int) -> Tensor:
    """A ``share`` of the crops with the echoes of a room: noise that decays exponentially (Moorer, 1979)."""
    if not share:
        return crops
    length = round(ROOM_SECONDS * sample_rate)
    time = torch.arange(length, device=crops.device) / sample_rate
    decay, level = (low + (high - low) * _uniform(crops, 1, random) for low, high in (DECAY_SECONDS, REVERBERANT_SHARE))
    noise = _normal(crops, length, random)
    response = noise * torch.exp(-6.9 * time / decay)
    response = response / response.square().sum(-1, keepdim=True).sqrt() * level * _selected(crops, share, random)
    size = crops.shape[-1] + length
    echoes: Tensor = torch.fft.irfft(torch.fft.rfft(crops, size) * torch.fft.rfft(response, size), size)
    return crops + echoes[..., : crops.shape[-1]]


def add_noise(crops: Tensor, random: torch.Generator, *, share: float, range_db: tuple[float, float]) -> Tensor:
    """A ``share`` of the crops with noise, the speech's level over its own sampled from ``range_db`` (dB).

    Half of it falls with frequency by 0 to 6 dB an octave, half is other crops of the batch, where it has four: babble.
    """
    if not share:
        return crops
    n_samples = crops.shape[-1]
    white = _normal(crops, n_samples, random)
    bins = torch.arange(n_samples // 2 + 1, device=crops.device).clamp(min=4)
    tilt = bins ** -_uniform(crops, 1, random)
    coloured = torch.fft.irfft(torch.fft.rfft(white) * tilt, n_samples)
    babble = crops.roll(1, 0) + crops.roll(2, 0) + crops.roll(3, 0).flip(-1)
    noise = torch.where(_uniform(crops, 1, random) < (0.5 if len(crops) > 3 else 1.0), coloured, babble)
    low, high = range_db
    ratio_db = low + (high - low) * _uniform(crops, 1, random)
    level = _rms(crops) / _rms(noise) * 10.0 ** (-ratio_db / 20.0)
    return crops + noise * level * _selected(crops, share, random)


def _uniform(crops: Tensor, count: int, random: torch.Generator) -> Tensor:
    return torch.rand(len(crops), count, generator=random, device=random.device).to(crops.device)


def _normal(crops: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Made on the crops' own device, where millions of values take no time."""
    seed = int(torch.randint(2**62, (), generator=random))
    own = torch.Generator(crops.device).manual_seed(seed)
    return torch.randn(len(crops), count, generator=own, device=crops.device)


def _selected(crops: Tensor, share: float, random: torch.Generator) -> Tensor:
    return (_uniform(crops, 1, random) < share).to(crops.dtype)


def _rms(crops: Tensor) -> Tensor:
    return crops.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-4)
