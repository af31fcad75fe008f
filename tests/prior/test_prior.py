"""Priors: one contract for all of them, codes to bytes and back, counts worked by hand, and codes that are sampled."""

from __future__ import annotations

import gc
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from priors import BOB, STREAMS, dice_prior, places, random_codes, tiny_integer_prior, walked

import vqaudio.prior
from vqaudio.container import Stream
from vqaudio.errors import ModelError, VqaudioError
from vqaudio.intnet.intervals import TOTAL, Integers, bits_of
from vqaudio.prior.base import NONE, Prior
from vqaudio.prior.coding import decode, encode
from vqaudio.prior.context import ContextPrior
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.sampling import Sampling, guided, sample, sample_code, weights_of
from vqaudio.prior.uniform import UniformPrior


def learned(order: int) -> ContextPrior:
    prior = ContextPrior(STREAMS, order)
    prior.learn([list(part) for part in random_codes(STREAMS, 3, 40, seed=9)])
    return prior


TABLE: dict[str, Callable[[], Prior]] = {
    "uniform": lambda: UniformPrior(STREAMS),
    "order 0": lambda: ContextPrior(STREAMS, order=0),
    "order 1": lambda: ContextPrior(STREAMS, order=1),
    "order 0, learned": lambda: learned(0),
    "order 1, learned": lambda: learned(1),
    "wavenet": tiny_integer_prior,
    "thrown": dice_prior,
}


@cache
def made(name: str) -> Prior:
    return TABLE[name]()


def conditions(prior: Prior) -> list[str]:
    return [NONE, BOB] if prior.fields else [NONE]


def same(found: list[Integers], expected: list[Integers]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


# ------------------------------------------------------------------------------------------------------- the contract


def missing_from_table() -> set[str]:
    """Names of the package's concrete priors that :data:`TABLE` lacks."""
    package = vqaudio.prior
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    found, waiting = set(), [Prior]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("vqaudio.") and not inspect.isabstract(kind):
            found.add(kind)
    return {kind.__name__ for kind in found - {type(made(name)) for name in TABLE}}


def test_every_prior_is_in_the_table():
    gc.collect()  # the class of the next test, where that one ran first
    assert missing_from_table() == set()


def test_a_prior_outside_the_table_is_noticed():
    type("Forgotten", (UniformPrior,), {"__module__": "vqaudio.prior.forgotten"})
    assert "Forgotten" in missing_from_table()


@pytest.mark.parametrize("n_streams", [2, 3])
@pytest.mark.parametrize("name", TABLE)
def test_frequencies_fill_the_total(name, n_streams):
    prior = made(name)
    for condition in conditions(prior):
        found = walked(prior, random_codes(STREAMS[:n_streams], 3, 9), condition)
        assert [frequencies.shape for frequencies in found] == [
            (3, s.codes_in(9), s.alphabet) for s in STREAMS[:n_streams]
        ]
        for frequencies in found:
            assert frequencies.dtype == np.int64
            assert frequencies.min() >= 1
            assert (frequencies.sum(-1) == TOTAL).all()


@pytest.mark.parametrize("n_frames", [1, 150])  # more than are held side by side at once
@pytest.mark.parametrize("n_streams", [2, 3])
@pytest.mark.parametrize("name", TABLE)
def test_side_by_side_is_the_same_as_step_by_step(name, n_streams, n_frames):
    prior = made(name)
    codes = random_codes(STREAMS[:n_streams], 2, n_frames, seed=n_frames)
    for condition in conditions(prior):
        found = prior.intervals(codes, condition)
        for pair, stepped in zip(found, Prior.intervals(prior, codes, condition), strict=True):
            assert same(list(pair), list(stepped))


@pytest.mark.parametrize("n_streams", [2, 3])
@pytest.mark.parametrize("name", TABLE)
def test_a_code_has_no_say_in_what_comes_before_it(name, n_streams):
    """Sequence i has code i at one place: its intervals fill the total, those before are equal, later ones differ."""
    prior, streams = made(name), STREAMS[:n_streams]
    order = places(streams, 7)
    for number, (stream, at) in enumerate(order):
        alphabet = streams[stream].alphabet
        codes = [part.repeat(alphabet, axis=0) for part in random_codes(streams, 1, 7, seed=3)]
        codes[stream][:, at] = np.arange(alphabet)
        found = prior.intervals(codes)
        starts, frequencies = (part[:, at] for part in found[stream])
        assert np.array_equal(starts, frequencies.cumsum() - frequencies)
        assert frequencies.sum() == TOTAL
        unmoved = [all((part[:, j] == part[0, j]).all() for part in found[i]) for i, j in order]
        assert all(unmoved[:number])
        if name not in ("uniform", "order 0, learned") and number < len(order) // 2:  # those two never look back
            assert not all(unmoved[number + 1 :])


@pytest.mark.parametrize("name", TABLE)
def test_frequencies_need_not_be_asked_for(name):
    """A prompt is walked along without a look at what was likely."""
    prior, codes = made(name), random_codes(STREAMS, 2, 9)
    stepper, asked = prior.begin(2, 3), walked(prior, codes)
    for stream, at in places(STREAMS, 9):
        if at == STREAMS[stream].codes_in(9) - 1:
            assert np.array_equal(stepper.frequencies(stream), asked[stream][:, at])
        stepper.accept(stream, codes[stream][:, at])
        if stream == len(STREAMS) - 1:
            stepper.advance()


@pytest.mark.parametrize("name", TABLE)
def test_sequences_do_not_touch(name):
    prior = made(name)
    codes = random_codes(STREAMS, 4, 12, seed=5)
    together = prior.intervals(codes)
    for sequence in range(4):
        alone = prior.intervals([part[sequence : sequence + 1] for part in codes])
        for (starts, frequencies), (start, frequency) in zip(together, alone, strict=True):
            assert same([starts[sequence : sequence + 1], frequencies[sequence : sequence + 1]], [start, frequency])


@pytest.mark.parametrize("name", ["wavenet", "thrown"])
def test_conditions_and_the_number_of_streams_matter(name):
    prior, codes = made(name), random_codes(STREAMS, 1, 12)
    ways = [(3, NONE), (2, NONE), (3, "speaker=ann"), (3, "speaker=bob"), (3, "digit=two"), (3, BOB)]
    firsts = {prior.intervals(codes[:n_streams], condition)[0][1].tobytes() for n_streams, condition in ways}
    assert len(firsts) == len(ways)


# --------------------------------------------------------------------------------------------------------- conditions


def test_labels_are_counted_from_one_for_each_field():
    prior = tiny_integer_prior()
    assert prior.labels(NONE).tolist() == [0, 0]
    assert prior.labels("speaker=ann").tolist() == [1, 0]
    assert prior.labels("digit=two").tolist() == [0, 3]
    assert prior.labels("speaker=bob,digit=two").tolist() == prior.labels("digit=two,speaker=bob").tolist() == [2, 3]
    assert made("uniform").labels(NONE).tolist() == []


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("speaker=eve", "speaker 'eve' is not known; choose one of ann, bob"),
        ("speaker=ann,digit=ten", "digit 'ten' is not known; choose one of zero, one, two"),
        ("accent=welsh", "'accent=welsh' does not fit a prior that knows speaker, digit"),
        ("bob", "'bob' does not fit a prior that knows speaker, digit: give FIELD=LABEL"),
        ("speaker=", "choose one of ann, bob"),
    ],
)
def test_unknown_conditions_are_refused_with_what_there_is(condition, said):
    prior = tiny_integer_prior()
    for refuse in (prior.labels, lambda one: prior.begin(1, 3, one), lambda one: sample(prior, 1, 3, condition=one)):
        with pytest.raises(ModelError) as caught:
            refuse(condition)
        assert said in str(caught.value)


@pytest.mark.parametrize("name", TABLE)
def test_every_prior_refuses_what_it_does_not_know(name):
    prior, codes = made(name), random_codes(STREAMS, 1, 2)
    known = "speaker, digit" if prior.fields else "nothing"
    for refuse in (prior.begin, prior.intervals):
        with pytest.raises(ModelError, match=f"a prior that knows {known}: give FIELD=LABEL"):
            refuse(*([1, 3] if refuse == prior.begin else [codes]), "accent=welsh")


# ------------------------------------------------------------------------------------------------- codes to bytes


@settings(max_examples=12, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9)), max_size=4),
    n_streams=st.integers(2, 3),
    seed=st.integers(0, 2**32),
    conditioned=st.booleans(),
)
@pytest.mark.parametrize("name", TABLE)
def test_payloads_decode_alone_and_side_by_side(name, shapes, n_streams, seed, conditioned):
    prior = made(name)
    condition = conditions(prior)[-1] if conditioned else NONE
    codes = [
        random_codes(STREAMS[:n_streams], batch_size, frames, seed + i) for i, (batch_size, frames) in enumerate(shapes)
    ]
    payloads = [encode(prior, one, condition) for one in codes]
    batch_sizes, frames = [one for one, _ in shapes], [one for _, one in shapes]
    together = decode(prior, payloads, batch_sizes, frames, n_streams, condition)
    assert len(together) == len(codes)
    for found, expected, payload, shape in zip(together, codes, payloads, shapes, strict=True):
        assert same(found, expected)
        assert same(decode(prior, [payload], [shape[0]], [shape[1]], n_streams, condition)[0], expected)


@pytest.mark.parametrize("name", TABLE)
def test_a_payload_is_as_long_as_its_codes_cost(name):
    prior, codes = made(name), random_codes(STREAMS, 2, 40)
    bits = sum(bits_of(frequencies).sum() for _, frequencies in prior.intervals(codes))
    assert abs(len(encode(prior, codes)) - bits / 8) <= 2


@pytest.mark.parametrize("name", TABLE)
def test_damaged_payloads_decode_to_codes_of_the_alphabet(name):
    prior, codes = made(name), random_codes(STREAMS, 2, 20)
    payload = encode(prior, codes)
    spoilt = bytes([payload[0] ^ 0x10]) + payload[1:]
    for data in (b"", payload[: len(payload) // 2], b"\xff" * 9, spoilt):
        found = decode(prior, [payload, data], [2, 2], [20, 20], 3)
        assert same(found[0], codes)  # damage stays with its payload
        assert not same(found[1], codes)
        for part, stream in zip(found[1], STREAMS, strict=True):
            assert part.shape == (2, stream.codes_in(20))
            assert 0 <= part.min() <= part.max() < stream.alphabet


def test_the_uniform_prior_costs_log2_of_the_alphabet():
    codes = random_codes(STREAMS, 2, 8)
    for (_, frequencies), stream in zip(made("uniform").intervals(codes), STREAMS, strict=True):
        np.testing.assert_allclose(bits_of(frequencies), math.log2(stream.alphabet), atol=1e-4)


# ------------------------------------------------------------------------------------------------------------- counts


def test_counts_within_a_sequence_worked_by_hand():
    codes = [np.array([[0, 0, 0]])]
    alone, paired = (walked(ContextPrior([Stream(2)], order), codes)[0][0].tolist() for order in (0, 1))
    assert alone == [[524288, 524288], [699051, 349525], [786432, 262144]]  # 1:1, 2:1, 3:1
    assert paired == [[524288, 524288], [699051, 349525], [838861, 209715]]  # the pair 0 0 adds one more: 4:1


def test_learned_counts_worked_by_hand():
    alone, paired = ContextPrior([Stream(2)], order=0), ContextPrior([Stream(2)], order=1)
    for prior in (alone, paired):
        prior.learn([[np.array([0, 0]), np.array([0, 1])]])
    # Three of four codes are 0: 1 + 1024 * 2 * 3 / 4, and so on.
    assert alone.expected(0, None).tolist() == alone.expected(0, 0).tolist() == paired.expected(0, None).tolist()
    assert alone.expected(0, None).tolist() == [1537, 513]
    # The pairs 0 0 and 0 1 came once each, 1024 apiece, on top of 16 times the above; the recordings do not touch.
    assert paired.expected(0, 0).tolist() == [1 + 24592 + 1024, 1 + 8208 + 1024]
    assert paired.expected(0, 1).tolist() == [1 + 24592, 1 + 8208]


def test_learned_counts_do_not_adapt_but_others_do():
    codes = [np.full((1, 200), 3)]
    fixed, adaptive = ContextPrior([Stream(16)], 0), ContextPrior([Stream(16)], 0)
    fixed.learn([[np.arange(16)]])
    assert len(set(fixed.intervals(codes)[0][1][0].tolist())) == 1
    costs = bits_of(adaptive.intervals(codes)[0][1])[0]
    assert (np.diff(costs) < 0).all()
    assert costs[0] == pytest.approx(4, abs=1e-3)
    assert costs[-1] < 0.2


def test_order_one_pays_where_codes_follow_each_other():
    codes = [np.arange(160)[None] % 16]
    costs = [bits_of(ContextPrior([Stream(16)], order).intervals(codes)[0][1]).sum() for order in (0, 1)]
    assert costs[1] < 0.5 * costs[0]


# ----------------------------------------------------------------------------------------------------------- sampling


@pytest.mark.parametrize("how", [Sampling(seed=3), Sampling(temperature=0.7, top_k=9, top_p=0.9, guidance=2, seed=3)])
def test_a_seed_gives_the_same_codes_beside_any_number_of_sequences(how):
    few, many = (sample(dice_prior(), 12, 3, batch_size, BOB, how) for batch_size in (2, 5))
    assert [part.shape for part in many] == [(5, 6), (5, 12), (5, 12)]
    assert same(few, [part[:2] for part in many])
    assert len({sequence.tobytes() for sequence in many[1]}) == 5
    other = sample(dice_prior(), 12, 3, 2, BOB, Sampling(seed=4))
    assert not same(few, other)


def likeliest(prior: IntegerPrior, n_frames: int, condition: str = NONE, given: int = 0) -> list[Integers]:
    """The code of the largest logit at each step after ``given`` frames, by a walk of our own; ``(1, codes)`` each."""
    codes = random_codes(STREAMS, 1, n_frames)
    for stream, at in places(STREAMS, n_frames)[len(places(STREAMS, given)) :]:
        codes[stream][0, at] = walked(prior, codes, condition, ask="logits")[stream][0, at].argmax()
    return codes


@pytest.mark.parametrize("how", [Sampling(temperature=0), Sampling(top_k=1, seed=5), Sampling(top_p=1 / 65536, seed=6)])
def test_the_likeliest_codes_where_nothing_else_can_be_drawn(how):
    found, expected = sample(dice_prior(), 9, 3, 2, BOB, how), likeliest(dice_prior(), 9, BOB)
    assert same([part[:1] for part in found], expected)
    assert same([part[1:] for part in found], expected)
    assert len(np.unique(expected[1])) > 1


@pytest.mark.parametrize("given", [1, 4, 7])
def test_a_prompt_is_as_if_its_codes_had_been_drawn(given):
    whole = likeliest(dice_prior(), 12, given=given)
    prompt = [part[0, : stream.codes_in(given)] for part, stream in zip(whole, STREAMS, strict=True)]
    expected = [part[:, stream.codes_in(given) :] for part, stream in zip(whole, STREAMS, strict=True)]
    assert same(sample(dice_prior(), 12 - given, 3, how=Sampling(temperature=0), prompt=prompt), expected)
    assert not same(sample(dice_prior(), 12 - given, 3, how=Sampling(temperature=0)), expected)


@pytest.mark.parametrize("temperature", [0.0, 1.0, 10.0])
def test_stop_codes_are_not_sampled(temperature):
    """Half of each alphabet; the rest is drawn as ever, where no stop code would have been."""
    prior = tiny_integer_prior()
    stop_codes = [np.arange(stream.alphabet // 2) for stream in prior.streams]
    how = Sampling(temperature=temperature, seed=4)
    found = sample(prior, 12, len(prior.streams), 3, how=how, stop_codes=stop_codes)
    assert all(part.min() >= len(codes) for part, codes in zip(found, stop_codes, strict=True))
    free = sample(prior, 12, len(prior.streams), 3, how=how)
    assert any(part.min() < len(codes) for part, codes in zip(free, stop_codes, strict=True))
    nothing = [np.zeros(0, np.int64) for _ in prior.streams]
    again = sample(prior, 12, len(prior.streams), 3, how=how, stop_codes=nothing)
    assert all(np.array_equal(one, other) for one, other in zip(free, again, strict=True))


def test_each_frame_is_reported_but_not_those_of_the_prompt():
    reported: list[int] = []
    prompt = [part[0] for part in random_codes(STREAMS, 1, 4)]
    sample(dice_prior(), 5, 3, 2, prompt=prompt, done=reported.append)
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
    codes = sample(prior, 1, 3, batch_size, how=how)[0][:, 0]
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
    steppers = [prior.begin(1, 3, BOB), prior.begin(1, 3)]
    under, without = (stepper.logits(0) for stepper in steppers)
    pull = (under - without)[0]
    assert np.ptp(pull) > 10
    for guidance in (0, 1, 2.5):
        assert np.array_equal(guided(steppers, 0, guidance), without + np.floor(guidance * (under - without)))
    means = []
    for guidance in (0, 1, 2, 4):
        codes = sample(prior, 1, 3, 300, BOB, Sampling(guidance=guidance))[0][:, 0]
        means.append(pull[codes].mean())
    assert means == sorted(means)
    assert means[-1] > means[1] + 1


def test_no_guidance_is_as_without_the_condition():
    found = sample(dice_prior(), 10, 3, 2, BOB, Sampling(guidance=0))
    assert same(found, sample(dice_prior(), 10, 3, 2, NONE, Sampling(guidance=1)))
    assert same(found, sample(dice_prior(), 10, 3, 2, NONE, Sampling(guidance=7)))  # nothing to push towards


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
