"""How far values are off, exactly, and bounds from text."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest

from vqaudio.errors import SeriesError
from vqaudio.series import Bounds, MaxError, Prd, Psnr, RelativeError
from vqaudio.series.encodings.bounds import within, within_share


def test_the_exact_difference_decides_where_the_rounded_one_cannot():
    # 0.07 - 0.06 as floats is more than 0.01, 0.03 - 0.02 is less; both differ by 0.01 in rounded arithmetic or nearly.
    pairs = [(0.07, 0.06), (0.03, 0.02), (1e300, 1e300 + 1e284), (1.0, 1.0 + 2**-52), (1e308, -1e308)]
    for one, other in pairs:
        for bound in (0.01, abs(one - other), 2**-52):
            if np.isfinite(bound):
                wanted = abs(Fraction(one) - Fraction(other)) <= Fraction(bound)
                assert within(np.array([one]), np.array([other]), bound=bound)[0] == wanted


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1%%", "x", "", "%"])
def test_bounds_that_are_none_are_refused(text):
    with pytest.raises(SeriesError, match="expected a number above 0"):
        MaxError.parse(text)


def parsed(*texts: str, **others: list[str]) -> Bounds:
    kinds = {"relative": RelativeError, "psnr": Psnr, "prd": Prd}
    found = Bounds.parse({MaxError: list(texts)} | {kinds[key]: given for key, given in others.items()})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("texts", "names", "wanted"),
    [
        (["0.05"], ["a", "b"], ["0.05", "0.05"]),
        (["1%,temperature=0.1"], ["temperature", "b"], ["0.1", "1% of the range"]),
        (["a=0.1,b=2%"], ["a", "b", "c"], ["0.1", "2% of the range", "None"]),
        (["1%", "a=0"], ["a", "b"], ["None", "1% of the range"]),
        (["a,b=0.1", "a=b=0.2"], ["a,b", "a=b"], ["0.1", "0.2"]),
        (["a=1,b=0.5"], ["a=1,b"], ["0.5"]),
        (["a=1,b=0.5"], ["a", "b"], ["1", "0.5"]),
        (["a=1e-3"], ["a", "a"], ["0.001", "0.001"]),
    ],
)
def test_names_have_bounds_of_their_own_whatever_they_hold(texts, names, wanted):
    assert list(map(str, parsed(*texts).of_columns(names))) == wanted


def test_each_option_has_names_and_a_default_and_they_may_stand_together():
    found = parsed("a=0.1", relative=["1e-3"], psnr=["b=60"], prd=["c=2%"]).of_columns(["a", "b", "c", "d"])
    assert found == [MaxError(0.1), Psnr(60.0), Prd(2.0), RelativeError(0.001)]
    assert Bounds.parse({MaxError: [], Psnr: ()}) is None


@pytest.mark.parametrize(
    ("texts", "others", "message"),
    [
        (["1%", "2%"], {}, "all columns have two bounds, 1% of the range and 2% of the range"),
        (["1%"], {"psnr": ["40"]}, "all columns have two bounds, 1% of the range and PSNR of 40 dB"),
        (["a=1"], {"prd": ["a=1"]}, "column 'a' has two bounds, 1 and PRD of 1 %: expected one"),
        (["1,"], {}, "expected a number above 0"),
        (["a=1,b"], {}, "expected a number above 0"),
        (["=1,"], {}, "expected a number above 0"),
        ([], {"relative": ["1"]}, "--max-relative-error 1: expected a share of each value above 0 and below 1"),
        ([], {"relative": ["a=0"]}, "--max-relative-error 0: expected a share"),
        ([], {"psnr": ["-3"]}, "--psnr -3: expected decibels above 0"),
        ([], {"psnr": ["301"]}, "--psnr 301: expected decibels"),
        ([], {"prd": ["100"]}, "--prd 100: expected a percentage above 0 and below 100"),
    ],
)
def test_what_contradicts_or_is_no_number_is_one_sentence(texts, others, message):
    with pytest.raises(SeriesError, match=re.escape(message)):
        parsed(*texts, **others).of_columns(["a", "b"])


def test_a_name_that_no_column_has_is_refused_with_those_near_it():
    with pytest.raises(SeriesError, match="'temprature', and there is no such column: did you mean temperature"):
        parsed("temprature=1").of_columns(["temperature", "pressure"])


def test_amounts_of_python_are_numbers_texts_or_by_name():
    assert Bounds.of_amounts({MaxError: "1%"}) == Bounds(MaxError(0.01, relative=True))
    found = Bounds.of_amounts({MaxError: {"a": 0.1, "b": 0, None: "1%"}, Psnr: {"c": 60}})
    assert found is not None
    assert found.of_columns(list("abcd")) == [MaxError(0.1), None, Psnr(60.0), MaxError(0.01, relative=True)]
    assert Bounds.of_amounts({}) is None
    with pytest.raises(SeriesError, match="expected a number above 0"):
        Bounds.of_amounts({MaxError: 0})


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_shares_are_never_found_smaller_than_they_are(dtype):
    random = np.random.default_rng(0)
    values = random.normal(size=400).astype(dtype) * np.array([1, 1e-3, 60, 0.01], dtype)[random.integers(0, 4, 400)]
    near = (values * (1 + random.normal(size=400) * 0.01)).astype(dtype)
    for share in (0.002, 0.01, 0.02):
        found = within_share(near, values, share=share)
        texts = [Fraction(str(value)) for value in near]
        exact = [
            abs(text - Fraction(float(value))) <= Fraction(share) * abs(Fraction(float(value)))
            for text, value in zip(texts, values, strict=True)
        ]
        assert not (found & ~np.array(exact) & (near != values)).any()
        assert found.sum() > 50
