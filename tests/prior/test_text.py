"""Text in step with codes: alphabets, the symbol in view, what is said, and what was."""

from __future__ import annotations

import numpy as np
import pytest
from priors import BOB, in_numpy, same, tiny_integer_prior, walked
from text_priors import COARSE, CODEBOOKS, WORDS, all_texts, text_codes, text_prior

from vqaudio.errors import ModelError
from vqaudio.intnet.intervals import intervals_of
from vqaudio.prior.base import NONE
from vqaudio.prior.sampling import Sampling
from vqaudio.prior.text import AGES, HOLD, Alphabet, in_view
from vqaudio.prior.text_sampling import say
from vqaudio.prior.text_search import search_text

LETTERS = Alphabet((" ", "'", "a", "b"), "character")
END = WORDS.end

# ----------------------------------------------------------------------------------------------------------- alphabets


@pytest.mark.parametrize(
    ("alphabet", "text", "numbers"),
    [
        (WORDS, "one two", (1, 2)),
        (WORDS, "  Two, one!\n", (2, 1)),
        (WORDS, "one - two", (1, 2)),
        (LETTERS, "a  b", (3, 1, 4)),
        (LETTERS, "A'B.", (3, 2, 4)),
    ],
)
def test_texts_are_read(alphabet, text, numbers):
    assert alphabet.read(text) == numbers


def test_texts_are_spelled():
    assert WORDS.spell((2, 1)) == "two one"
    assert LETTERS.spell((3, 1, 4)) == "a b"
    assert WORDS.stream.alphabet == 4  # nothing, two words, the end


@pytest.mark.parametrize(
    ("alphabet", "text", "said"),
    [
        (WORDS, "one tow", "the word 'tow' is not known; did you mean two"),
        (WORDS, "ninety", "the word 'ninety' is not known"),
        (WORDS, " . ", "says nothing"),
        (WORDS, "", "says nothing"),
        (LETTERS, "abz", "the character 'z' is not known"),
    ],
)
def test_what_cannot_be_said_is_one_sentence(alphabet, text, said):
    with pytest.raises(ModelError, match=said):
        alphabet.read(text)


def test_an_alphabet_goes_through_a_config():
    assert Alphabet.from_config(LETTERS.to_config()) == LETTERS
    assert Alphabet.from_config(None) is None


def test_the_last_symbol_stays_in_view():
    symbols, ages = in_view(np.array([[0, 2, 0, 0, 1, 1, 0], [1, 0, 0, 0, 0, 0, 2]]))
    assert symbols.tolist() == [[0, 2, 2, 2, 1, 1, 1], [1, 1, 1, 1, 1, 1, 2]]
    assert ages.tolist() == [[0, 0, 1, 2, 0, 0, 1], [0, 1, 2, 3, 4, 5, 0]]
    assert in_view(np.zeros((1, 50), int))[1].max() == AGES - 1


# ------------------------------------------------------------------------------------------------- the integer network


@pytest.mark.parametrize("condition", [NONE, BOB])
def test_intervals_are_those_of_a_walk_by_numpy_and_by_onnx(condition):
    codes, prior = text_codes(4, 17), text_prior()
    found = prior.intervals(codes, condition)
    for stepping in (prior, in_numpy(prior)):
        for (starts, sizes), frequencies, part in zip(found, walked(stepping, codes, condition), codes, strict=True):
            for known, expected in zip((starts, sizes), intervals_of(frequencies, part), strict=True):
                assert np.array_equal(known, expected)


def test_codes_without_the_text_are_as_a_prior_without_one_has_them():
    """Files are coded so: the text costs them nothing."""
    codes, prior = text_codes(3, 12)[:2], text_prior()
    assert prior.codebooks == CODEBOOKS
    for (starts, sizes), frequencies, part in zip(prior.intervals(codes), walked(prior, codes), codes, strict=True):
        assert np.array_equal(sizes, intervals_of(frequencies, part)[1])
        assert np.array_equal(starts, intervals_of(frequencies, part)[0])


def test_a_symbol_changes_what_comes_after_it_and_nothing_before():
    codes, prior = text_codes(1, 12), text_prior()
    codes[-1][:] = HOLD
    codes[-1][0, 2] = 2
    other = [part.copy() for part in codes]
    other[-1][0, 5] = 2  # once more, which is not the same
    one, two = (walked(prior, known, ask="logits") for known in (codes, other))
    for stream in range(3):
        assert np.array_equal(one[stream][:, :6], two[stream][:, :6])
        assert all((one[stream][0, frame] != two[stream][0, frame]).any() for frame in range(6, 12))


@pytest.mark.parametrize("in_which", [lambda prior: prior, in_numpy], ids=["onnx", "numpy"])
def test_rows_that_are_selected_go_on_as_they_were(in_which):
    prior, codes = in_which(text_prior()), text_codes(3, 14)
    rows = np.array([2, 0, 2, 1])
    stepper = prior.begin(3, 3)
    for frame in range(7):
        for stream in range(3):
            stepper.accept(stream, codes[stream][:, frame])
        stepper.advance()
    stepper.select(rows)
    chosen = [part[rows] for part in codes]
    expected = walked(prior, chosen, ask="logits")
    for frame in range(7, 14):
        for stream in range(3):
            assert np.array_equal(stepper.logits(stream), expected[stream][:, frame])
            stepper.accept(stream, chosen[stream][:, frame])
        stepper.advance()


# ------------------------------------------------------------------------------------------------------ what is said


TEXTS = ["one", "two one one", "two two"]


@pytest.mark.parametrize("how", [Sampling(seed=3), Sampling(temperature=0.8, top_p=0.9, guidance=2, seed=3)])
def test_a_seed_says_a_text_alike_beside_any_others_as_far_as_they_stand_before(how):
    few, many = (say(text_prior(), texts, condition=BOB, how=how, longest=9) for texts in (TEXTS[:2], TEXTS))
    for one, other in zip(few, many, strict=False):
        assert same(one.codes, other.codes)
        assert one.starts == other.starts
    again = say(text_prior(), TEXTS[:1], condition=BOB, how=Sampling(seed=4), longest=9)
    assert [part.tolist() for part in again[0].codes] != [part.tolist() for part in few[0].codes]


def test_every_word_comes_in_its_turn_and_the_sound_ends_with_the_last():
    told: list[int] = []
    found = say(text_prior(), TEXTS, longest=5, done=told.append)
    for text, spoken in zip(TEXTS, found, strict=True):
        assert len(spoken.starts) == len(text.split())
        assert (np.diff([0, *spoken.starts, len(spoken.codes[0])]) <= 5).all()
        assert {len(part) for part in spoken.codes} == {len(spoken.codes[0])}
    assert len(told) == max(len(spoken.codes[0]) for spoken in found)


def test_what_is_said_has_whole_codes_of_coarse_streams():
    for seed in range(4):
        for spoken in say(text_prior(codebooks=COARSE), TEXTS, how=Sampling(seed=seed), longest=5):
            coarse, fine = spoken.codes
            assert 2 * len(coarse) == len(fine) >= spoken.starts[-1]
            assert (np.diff([0, *spoken.starts]) <= 5).all()


def test_codes_are_those_that_the_likeliest_walk_with_these_symbols_has():
    """At temperature 0 codes follow from the symbols, whose times are still drawn."""
    (spoken,) = say(text_prior(), ["two one"], how=Sampling(temperature=0, seed=1), longest=30)
    text = np.zeros(len(spoken.codes[0]), np.int64)
    text[[start - 1 for start in spoken.starts]] = WORDS.read("two one")
    text[-1] = END
    walk = walked(text_prior(), [*(part[None] for part in spoken.codes), text[None]], ask="logits")
    for part, logits in zip(spoken.codes, walk, strict=False):
        assert np.array_equal(part, logits[0].argmax(-1))


def test_who_knows_no_text_says_so():
    with pytest.raises(ModelError, match="the prior knows no text"):
        say(tiny_integer_prior(), ["one"], longest=9)
    with pytest.raises(ModelError, match="the prior knows no text"):
        search_text(tiny_integer_prior(), [np.zeros(3, np.int64)] * 3)


# ---------------------------------------------------------------------------------------------------- what was said


def one_sound(n_frames: int, seed: int) -> list[np.ndarray]:
    return [part[0] for part in text_codes(1, n_frames, seed)[:2]]


@pytest.mark.parametrize("condition", [NONE, BOB])
def test_where_text_tells_nothing_of_codes_bits_are_sums_over_all_times(condition):
    """Then ways to one text differ in nothing but their probability, and what the beam adds up is exact."""
    prior, codes = text_prior(deaf=True), one_sound(5, 3)
    expected = all_texts(prior, codes, condition)
    found = search_text(prior, codes, condition=condition, beam=1000)
    assert len(found) > 20
    assert [one.bits for one in found] == sorted(one.bits for one in found)
    for one in found:
        assert one.bits == pytest.approx(expected[WORDS.read(one.text) if one.text else ()], abs=1e-3)


def test_texts_are_found_in_codes_of_several_strides():
    prior = text_prior(deaf=True, codebooks=COARSE)
    codes = [part[0] for part in text_codes(1, 6, 3, COARSE)[:2]]
    expected = all_texts(prior, codes)
    found = search_text(prior, codes, beam=1000)
    assert len(found) > 20
    for one in found[:10]:  # of the others, ways that are very unlikely are given up
        assert one.bits == pytest.approx(expected[WORDS.read(one.text) if one.text else ()], abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_finds_what_trying_all_texts_finds(seed):
    codes = one_sound(6, seed)
    expected = all_texts(text_prior(), codes)
    best = search_text(text_prior(), codes, beam=200)[0]
    likeliest = sorted(expected.values())
    text = WORDS.read(best.text) if best.text else ()
    assert (
        expected[text] <= likeliest[2]
    )  # ways that join have one state from there on, so that it may miss by a little
    assert best.bits == pytest.approx(expected[text], rel=0.02)


def test_bits_with_a_text_are_of_when_its_symbols_come_and_not_of_which():
    prior, codes = text_prior(deaf=True), one_sound(5, 6)
    every = all_texts(prior, codes)
    told = search_text(prior, codes, text="two")
    assert [one.text for one in told] == ["two"]
    assert told[0].bits < every[WORDS.read("two")]
    assert search_text(prior, codes, text="two", beam=1) == told
    assert search_text(prior, codes, text="one " * 9) == []  # more words than frames


def test_a_text_has_its_bits_however_unlikely_it_is():
    """Of a word in each frame, all beginnings are less likely than silence."""
    prior = text_prior()
    for n_frames in (8, 40):
        text = " ".join(["one", "two"] * n_frames)[: 4 * (n_frames - 1)]
        (told,) = search_text(prior, one_sound(n_frames, 2), text=text)
        assert (told.text, np.isfinite(told.bits)) == (text.strip(), True)
