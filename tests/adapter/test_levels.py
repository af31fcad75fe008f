"""Levels as tensors say what levels say."""

from __future__ import annotations

import numpy as np
import torch

from vqaudio.adapter.levels import from_scales, sample_levels, to_scales
from vqaudio.codec.levels import restore_level
from vqaudio.container import PLAIN, Level
from vqaudio.container.levels import MAX_OFFSET, MIN_EXPONENT


def test_levels_come_back_from_scales():
    levels = [Level(3, -5), PLAIN, Level(MIN_EXPONENT, MAX_OFFSET), Level(40, -MAX_OFFSET), Level(0, 1)]
    scales = to_scales([levels, levels[:2]])
    assert scales is not None
    assert scales.shape == (2, 5, 2)
    assert from_scales(scales[0]) == levels
    assert from_scales(scales[1]) == [*levels[:2], PLAIN, PLAIN, PLAIN]
    assert scales[0, 0].tolist() == [8.0, -5 * 8 / 65536]


def test_ordinary_sounds_have_no_scales():
    assert to_scales([[PLAIN, PLAIN], [PLAIN]]) is None


def test_every_sample_has_the_gain_and_the_offset_of_its_place():
    levels = [Level(2, 1000), Level(2, 1000), Level(-3, 0)]
    gains, offsets = sample_levels(levels, block_samples=64, hop_length=8)
    coded = np.random.default_rng(0).standard_normal(192).astype(np.float32)
    around = [levels[:1] + levels[:2], levels, [levels[1], levels[2], levels[2]]]
    parts = zip(np.split(coded, 3), around, strict=True)
    expected = np.concatenate([restore_level(part, three, hop_length=8) for part, three in parts])
    np.testing.assert_allclose(coded * gains + offsets, expected, rtol=1e-5, atol=1e-6)
    assert torch.from_numpy(gains).dtype == torch.float32
