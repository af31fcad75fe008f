"""Transforms in numpy are those in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import sound

from vqaudio.inference.spans import Span, same_span
from vqaudio.inference.spectra import compressed_spectrum, inverse_stft, lapped, mdct_basis, overlap_added
from vqaudio.model import transforms

SOUND = sound(960, 2)


@pytest.mark.parametrize(("window", "hop"), [(64, 16), (65, 32), (48, 48)])
def test_the_compressed_spectrum(window: int, hop: int) -> None:
    frames = lapped(SOUND, window, hop, padding=same_span(window, hop))
    found = compressed_spectrum(frames)
    expected = transforms.SpectralAnalysis(window, hop)(torch.from_numpy(SOUND)[:, None]).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.transpose(0, 2, 1), atol=1e-4)


def test_frames_lie_a_hop_apart_and_may_have_zeros_outside() -> None:
    wave = np.arange(1, 9, dtype=np.float32)[None]
    assert lapped(wave, 4, 2, padding=Span()).tolist() == [[[1, 2, 3, 4], [3, 4, 5, 6], [5, 6, 7, 8]]]
    padded = lapped(wave, 4, 2, padding=Span(1, 1))
    assert padded[0, [0, -1]].tolist() == [[0, 1, 2, 3], [6, 7, 8, 0]]


@pytest.mark.parametrize(("window", "hop"), [(128, 32), (96, 32), (15, 5)])
def test_the_inverse_stft(window: int, hop: int) -> None:
    bins = window // 2 + 1
    random = np.random.default_rng(0)
    spectrum = random.normal(0, 4, (2, 12, 2 * bins)).astype(np.float32)  # some above the largest magnitude
    found = inverse_stft(spectrum, window, hop)
    assert found.shape == (2, 11 * hop + window)
    log_magnitude, phase = torch.from_numpy(spectrum).transpose(1, 2).split(bins, dim=1)
    polar = torch.polar(log_magnitude.clamp(max=6.0).exp(), phase)
    expected = transforms.InverseSTFT(window, hop)(polar)[:, 0].numpy()
    start = (window - hop) // 2
    np.testing.assert_allclose(found[:, start : start + 12 * hop], expected, rtol=1e-5, atol=1e-3)


def test_the_lapped_transform_gives_sound_back() -> None:
    basis = mdct_basis(32)
    np.testing.assert_allclose(basis, transforms.mdct_basis(32).numpy(), atol=1e-7)
    frames = lapped(SOUND, 64, 32, padding=same_span(64, 32))
    again = overlap_added(frames @ basis @ basis.T, 32)[:, 16 : 16 + SOUND.shape[1]]
    np.testing.assert_allclose(again[:, 16:-16], SOUND[:, 16:-16], atol=1e-6)
