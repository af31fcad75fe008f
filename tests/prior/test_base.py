"""The contract of priors: one for all of them, and conditions."""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil

import numpy as np
import pytest
from priors import (
    BOB,
    STREAMS,
    TABLE,
    conditions,
    made,
    places,
    random_codes,
    same,
    tiny_integer_prior,
    walked,
)

import vqaudio.prior
from vqaudio.errors import ModelError
from vqaudio.intnet.intervals import TOTAL
from vqaudio.prior.base import NONE, Prior
from vqaudio.prior.context import ContextPrior
from vqaudio.prior.sampling import sample

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
    type("Forgotten", (ContextPrior,), {"__module__": "vqaudio.prior.forgotten"})
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
        if name != "order 0, learned" and number < len(order) // 2:  # that one never looks back
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
    assert made("order 0").labels(NONE).tolist() == []


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
    for refuse in (
        prior.labels,
        lambda one: prior.begin(1, 3, condition=one),
        lambda one: sample(prior, 1, n_streams=3, condition=one),
    ):
        with pytest.raises(ModelError) as caught:
            refuse(condition)
        assert said in str(caught.value)


@pytest.mark.parametrize("name", TABLE)
def test_every_prior_refuses_what_it_does_not_know(name):
    prior, codes = made(name), random_codes(STREAMS, 1, 2)
    known = "speaker, digit" if prior.fields else "nothing"
    for refuse in (prior.begin, prior.intervals):
        with pytest.raises(ModelError, match=f"a prior that knows {known}: give FIELD=LABEL"):
            refuse(*([1, 3] if refuse == prior.begin else [codes]), condition="accent=welsh")
