"""Names that may have been meant."""

from __future__ import annotations

import pytest

from vqaudio.errors import choice


def test_a_few_are_listed():
    assert choice("cat", ("ann", "bob")) == "choose one of ann, bob"
    assert choice("Anne", ("ann", "bob")) == "did you mean ann? There are ann, bob"
    assert choice("cat", ()) == "choose one of none"


@pytest.mark.parametrize(
    ("name", "nearest"), [("p2266", "p226"), ("P300", "p300"), ("speaker p311", "p311"), ("zzz", "p")]
)
def test_of_many_the_nearest_three_are_named(name, nearest):
    known = [f"p{number}" for number in range(226, 400)]
    said = choice(name, known)
    assert said.endswith("? There are 174")
    near = said.removeprefix("did you mean ").partition("?")[0].replace(" or ", ", ").split(", ")
    assert len(near) == 3
    assert set(near) <= set(known)
    assert any(each.startswith(nearest) for each in near)
