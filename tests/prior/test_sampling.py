"""Codes that are sampled: seeds, settings, prompts, stop codes, guidance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from priors import (
    BOB,
    STREAMS,
    dice_prior,
    places,
    random_codes,
    same,
    tiny_integer_prior,
    walked,
)

from vqaudio.errors import VqaudioError
from vqaudio.intnet.intervals import Integers
from vqaudio.prior.base import NONE
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.sampling import Sampling, guided, sample, sample_code, weights_of


@pytest.mark.parametrize("how", [Sampling(seed=3), Sampling(temperature=0.7, top_k=9, top_p=0.9, guidance=2, seed=3)])
def test_a_seed_gives_the_same_codes_beside_any_number_of_sequences(how):
    few, many = (
        sample(dice_prior(), 12, n_streams=3, batch_size=batch_size, condition=BOB, how=how) for batch_size in (2, 5)
    )
    assert [part.shape for part in many] == [(5, 6), (5, 12), (5, 12)]
    assert same(few, [part[:2] for part in many])
    assert len({sequence.tobytes() for sequence in many[1]}) == 5
    other = sample(dice_prior(), 12, n_streams=3, batch_size=2, condition=BOB, how=Sampling(seed=4))
    assert not same(few, other)


def likeliest(prior: IntegerPrior, n_frames: int, condition: str = NONE, given: int = 0) -> list[Integers]:
    """The code of the largest logit at each step after ``given`` frames, by a walk of our own; ``(1, codes)`` each."""
    codes = random_codes(STREAMS, 1, n_frames)
    for stream, at in places(STREAMS, n_frames)[len(places(STREAMS, given)) :]:
        codes[stream][0, at] = walked(prior, codes, condition, ask="logits")[stream][0, at].argmax()
    return codes


@pytest.mark.parametrize("how", [Sampling(temperature=0), Sampling(top_k=1, seed=5), Sampling(top_p=1 / 65536, seed=6)])
def test_the_likeliest_codes_where_nothing_else_can_be_drawn(how):
    found = sample(dice_prior(), 9, n_streams=3, batch_size=2, condition=BOB, how=how)
    expected = likeliest(dice_prior(), 9, BOB)
    assert same([part[:1] for part in found], expected)
    assert same([part[1:] for part in found], expected)
    assert len(np.unique(expected[1])) > 1


@pytest.mark.parametrize("given", [1, 4, 7])
def test_a_prompt_is_as_if_its_codes_had_been_drawn(given):
    whole = likeliest(dice_prior(), 12, given=given)
    prompt = [part[0, : stream.codes_in(given)] for part, stream in zip(whole, STREAMS, strict=True)]
    expected = [part[:, stream.codes_in(given) :] for part, stream in zip(whole, STREAMS, strict=True)]
    assert same(sample(dice_prior(), 12 - given, n_streams=3, how=Sampling(temperature=0), prompt=prompt), expected)
    assert not same(sample(dice_prior(), 12 - given, n_streams=3, how=Sampling(temperature=0)), expected)


@pytest.mark.parametrize("temperature", [0.0, 1.0, 10.0])
def test_stop_codes_are_not_sampled(temperature):
    """Half of each alphabet; the rest is drawn as ever, where no stop code would have been."""
    prior = tiny_integer_prior()
    stop_codes = [np.arange(stream.alphabet // 2) for stream in prior.streams]
    how = Sampling(temperature=temperature, seed=4)
    found = sample(prior, 12, n_streams=len(prior.streams), batch_size=3, how=how, stop_codes=stop_codes)
    assert all(part.min() >= len(codes) for part, codes in zip(found, stop_codes, strict=True))
    free = sample(prior, 12, n_streams=len(prior.streams), batch_size=3, how=how)
    assert any(part.min() < len(codes) for part, codes in zip(free, stop_codes, strict=True))
    nothing = [np.zeros(0, np.int64) for _ in prior.streams]
    again = sample(prior, 12, n_streams=len(prior.streams), batch_size=3, how=how, stop_codes=nothing)
    assert all(np.array_equal(one, other) for one, other in zip(free, again, strict=True))


def test_each_frame_is_reported_but_not_those_of_the_prompt():
    reported: list[int] = []
    prompt = [part[0] for part in random_codes(STREAMS, 1, 4)]
    sample(dice_prior(), 5, n_streams=3, batch_size=2, prompt=prompt, done=reported.append)
    assert reported == [1] * 5


def chi_square(codes: Integers, weights: Integers) -> float:
    """Pearson's statistic over the codes that are expected five times or more, a degree of freedom each; about 1."""
    expected = len(codes) * weights / weights.sum()
    found = np.bincount(codes, minlength=len(weights))
    often = expected >= 5
    return float(((found - expected)[often] ** 2 / expected[often]).sum() / often.sum())


@pytest.mark.parametrize("how", [Sampling(), Sampling(temperature=2), Sampling(top_k=3), Sampling(top_p=0.8)])
def test_codes_come_as_often_as_they_should(how):
    prior, batch_size = dice_prior(), 1500
    stepper = prior.begin(1, 3)
    weights = weights_of(prior.softmax, stepper.logits(0), how)[0]
    codes = sample(prior, 1, n_streams=3, batch_size=batch_size, how=how)[0][:, 0]
    assert chi_square(codes, weights) < 3
    assert chi_square((codes + 1) % 11, weights) > 10  # so the bound tells right from wrong
    assert not np.bincount(codes, minlength=11)[weights == 0].any()
    if how == Sampling():
        assert chi_square(codes, stepper.frequencies(0)[0]) < 3


def test_weights_worked_by_hand():
    prior = dice_prior()
    logits = np.array([[64, 0, 96, 32]], np.float32)  # 2, 0, 3 and 1 nats

    def shares(how: Sampling) -> list[float]:
        weights = weights_of(prior.softmax, logits, how)[0]
        return (weights / weights.max()).tolist()

    def powers(*nats: float) -> object:
        return pytest.approx([math.exp(-one) for one in nats], rel=1e-3)

    assert shares(Sampling()) == powers(1, 3, 0, 2)
    assert shares(Sampling(temperature=2)) == powers(0.5, 1.5, 0, 1)
    assert shares(Sampling(temperature=0.5)) == powers(2, 6, 0, 4)
    assert shares(Sampling(temperature=0)) == [0, 0, 1, 0]
    assert shares(Sampling(top_k=2)) == powers(1, math.inf, 0, math.inf)
    # Probabilities 0.237, 0.032, 0.644 and 0.087: the fewest that come to 0.6, 0.7 and 0.9 together.
    assert shares(Sampling(top_p=0.6)) == [0, 0, 1, 0]
    assert shares(Sampling(top_p=0.7)) == powers(1, math.inf, 0, math.inf)
    assert shares(Sampling(top_p=0.9)) == powers(1, math.inf, 0, 2)


def test_the_next_64_bits_draw_in_proportion():
    class Bits:
        def __init__(self, share: float):
            self.share = share

        def random_raw(self) -> int:
            return int(self.share * 2**64)

    weights = np.array([0, 2, 1, 0, 1])
    assert [sample_code(weights, Bits(share)) for share in (0, 0.49, 0.5, 0.74, 0.75, 0.999)] == [1, 1, 2, 2, 4, 4]


def test_guidance_pushes_towards_the_condition():
    prior = dice_prior()
    steppers = [prior.begin(1, 3, condition=BOB), prior.begin(1, 3)]
    under, without = (stepper.logits(0) for stepper in steppers)
    pull = (under - without)[0]
    assert np.ptp(pull) > 10
    for guidance in (0, 1, 2.5):
        assert np.array_equal(guided(steppers, 0, guidance), without + np.floor(guidance * (under - without)))
    means = []
    for guidance in (0, 1, 2, 4):
        codes = sample(prior, 1, n_streams=3, batch_size=300, condition=BOB, how=Sampling(guidance=guidance))[0][:, 0]
        means.append(pull[codes].mean())
    assert means == sorted(means)
    assert means[-1] > means[1] + 1


def test_no_guidance_is_as_without_the_condition():
    found = sample(dice_prior(), 10, n_streams=3, batch_size=2, condition=BOB, how=Sampling(guidance=0))
    assert same(found, sample(dice_prior(), 10, n_streams=3, batch_size=2, condition=NONE, how=Sampling(guidance=1)))
    assert same(
        found, sample(dice_prior(), 10, n_streams=3, batch_size=2, condition=NONE, how=Sampling(guidance=7))
    )  # nothing to push towards


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("temperature", -0.1, "0 to 10"),
        ("temperature", math.nan, "0 to 10"),
        ("top_k", -1, "0 to 65536"),
        ("top_p", 0, "1.52588e-05 to 1"),
        ("top_p", 1.1, "1.52588e-05 to 1"),
        ("guidance", -1, "0 to 20"),
        ("guidance", math.inf, "0 to 20"),
        ("seed", -1, "0 to"),
    ],
)
def test_settings_out_of_range_are_refused(name, value, expected):
    with pytest.raises(VqaudioError, match=f"{name} is {value}, expected {expected}"):
        Sampling(**{name: value})
