"""Crops at other levels and speeds, in other colours, in rooms and in noise."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tiny_models import RATE, waveforms
from torch import Tensor

from vqaudio.training import augment

SAMPLES = 4000


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def crops(count: int = 6) -> Tensor:
    """``(count, SAMPLES)``: three sines each and a little noise."""
    return waveforms(count, SAMPLES)[:, 0]


def level_db(sound: Tensor) -> Tensor:
    return 10.0 * sound.square().mean(-1).log10()


RANDOM: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "set_level": lambda x, share, random: augment.set_level(x, random, share=share, range_db=(-40.0, -10.0)),
    "equalise": lambda x, share, random: augment.equalise(x, random, share=share, most_db=8.0, sample_rate=RATE),
    "reverberate": lambda x, share, random: augment.reverberate(x, random, share=share, sample_rate=RATE),
    "add_noise": lambda x, share, random: augment.add_noise(x, random, share=share, range_db=(0.0, 30.0)),
}


# ------------------------------------------------------------------------------------------------ what all have alike


@pytest.mark.parametrize("name", RANDOM)
def test_a_share_of_nothing_leaves_every_bit_alone(name):
    assert torch.equal(RANDOM[name](crops(), 0.0, source()), crops())


@pytest.mark.parametrize("name", RANDOM)
def test_a_share_of_all_changes_every_crop(name):
    made = RANDOM[name](crops(), 1.0, source())
    assert made.shape == crops().shape
    assert made.dtype == torch.float32
    assert ((made - crops()).square().mean(-1).sqrt() > 1e-3).all()


@pytest.mark.parametrize("name", RANDOM)
def test_a_share_is_of_the_crops(name):
    made = RANDOM[name](crops(300), 0.3, source())
    changed = ((made - crops(300)).abs().amax(-1) > 1e-4).float().mean()
    assert changed == pytest.approx(0.3, abs=0.08)  # three standard deviations


@pytest.mark.parametrize("name", RANDOM)
def test_the_generator_alone_decides(name):
    torch.manual_seed(1)
    first = RANDOM[name](crops(), 0.5, source(3))
    torch.manual_seed(2)
    assert torch.equal(RANDOM[name](crops(), 0.5, source(3)), first)
    assert not torch.equal(RANDOM[name](crops(), 0.5, source(4)), first)


@pytest.mark.parametrize("name", RANDOM)
def test_silence_stays_finite(name):
    made = RANDOM[name](torch.zeros(4, SAMPLES), 1.0, source())
    assert torch.isfinite(made).all()
    assert made.abs().max() < 1e-3


# --------------------------------------------------------------------------------------------------- level and speed


def test_levels_lie_in_their_range():
    made = level_db(augment.set_level(crops(200), source(), share=1.0, range_db=(-40.0, -20.0)))
    assert ((made > -40.01) & (made < -19.99)).all()
    assert made.min() < -38.0
    assert made.max() > -22.0


def test_only_what_passes_full_scale_is_brought_down():
    sound = torch.tensor([[0.5, -0.25], [2.0, -4.0], [0.0, 0.0]])
    assert augment.limit(sound).tolist() == [[0.5, -0.25], [0.5, -1.0], [0.0, 0.0]]


def test_half_of_the_crops_are_turned_over_and_nothing_else():
    sound = crops(200)
    made = augment.flip(sound, source())
    turned = (made == -sound).all(-1)
    assert ((made == sound).all(-1) ^ turned).all()
    assert turned.float().mean() == pytest.approx(0.5, abs=0.11)


@pytest.mark.parametrize("length", [800, 1001, 1250])
def test_stretching_turns_one_period_into_another(length):
    """Five whole waves are five whole waves at any length, at the same height."""
    waves = torch.sin(2 * math.pi * 5 * torch.arange(length) / length + 0.3)[None]
    expected = torch.sin(2 * math.pi * 5 * torch.arange(1000) / 1000 + 0.3)[None]
    torch.testing.assert_close(augment.stretch(waves, 1000), expected, rtol=0, atol=1e-5)


def test_stretching_to_the_same_length_changes_nothing():
    torch.testing.assert_close(augment.stretch(crops(), SAMPLES), crops(), rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------------------------------------- colour


def test_no_frequency_is_raised_or_lowered_by_more_than_is_allowed():
    """An impulse holds all frequencies alike, so its spectrum is the gain."""
    impulse = torch.zeros(64, 1024)
    impulse[:, 0] = 1.0
    made = augment.equalise(impulse, source(), share=1.0, most_db=6.0, sample_rate=RATE)
    gain_db = 20.0 * torch.fft.rfft(made).abs().log10()
    assert gain_db.abs().max() < 6.001
    assert gain_db.abs().max() > 5.5
    assert (gain_db.std(-1) > 0.2).all()
    assert gain_db.diff(dim=-1).abs().max() < 1.4  # smoothly: bins are 16 Hz apart


# -------------------------------------------------------------------------------------------------------------- rooms


def test_a_room_answers_after_the_sound_and_dies_away():
    impulse = torch.zeros(40, RATE)
    impulse[:, 1000] = 1.0
    echoes = augment.reverberate(impulse, source(), share=1.0, sample_rate=RATE) - impulse
    assert echoes[:, :1000].abs().max() < 1e-5  # nothing comes before it, nor around from the end
    size = echoes.square().sum(-1).sqrt()
    low, high = augment.REVERBERANT_SHARE
    assert ((size > low - 1e-3) & (size < high + 1e-3)).all()
    energy = echoes[:, 1000 : 1000 + 6400].square().reshape(40, 4, 1600).sum((0, 2))
    assert (energy.diff() < 0).all()


def test_a_room_does_not_reach_around_the_end():
    late = torch.zeros(8, 2000)
    late[:, -1] = 1.0
    assert (augment.reverberate(late, source(), share=1.0, sample_rate=RATE) - late)[:, :-1].abs().max() < 1e-5


# -------------------------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("ratio_db", [0.0, 12.0, 30.0])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_noise_is_as_loud_as_asked_for(count, ratio_db):
    sound = crops(count)
    noise = augment.add_noise(sound, source(), share=1.0, range_db=(ratio_db, ratio_db)) - sound
    torch.testing.assert_close(level_db(sound) - level_db(noise), torch.full((count,), ratio_db), rtol=0, atol=0.05)


def likeness(noise: Tensor, sound: Tensor) -> Tensor:
    """The cosine between each noise and a sound that it may be made of."""
    return torch.cosine_similarity(noise, sound, dim=-1).abs()


def test_half_of_the_noise_is_babble_of_other_crops():
    sound = 0.1 * torch.randn(200, SAMPLES, generator=source(99))
    noise = augment.add_noise(sound, source(), share=1.0, range_db=(0.0, 0.0)) - sound
    neighbour = likeness(noise, sound.roll(1, 0))
    assert (neighbour > 0.5).float().mean() == pytest.approx(0.5, abs=0.11)  # one voice of three: 3 ** -0.5
    assert likeness(noise, sound).max() < 0.8  # chance alone where a few low frequencies are most of the noise


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_crop_is_never_its_own_noise(count):
    sound = 0.1 * torch.randn(count, SAMPLES, generator=source(99))
    made = [augment.add_noise(sound, source(seed), share=1.0, range_db=(0.0, 0.0)) - sound for seed in range(8)]
    assert torch.stack([likeness(noise, sound) for noise in made]).mean() < 0.3  # twice itself and its mirror: 0.9
