"""Names with numbers or choices in braces."""

from __future__ import annotations

import pytest

from vqaudio.corpora.sources.braces import expanded, is_pattern
from vqaudio.errors import CorpusError


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("{8..11}.tar", ["8.tar", "9.tar", "10.tar", "11.tar"]),
        ("s3://b/{000..001}/{a,b,}.tar", [f"s3://b/{n}/{c}.tar" for n in ("000", "001") for c in ("a", "b", "")]),
        ("{a}", ["{a}"]),
    ],
)
def test_names_in_their_order(pattern, names):
    assert list(expanded(pattern)) == names
    assert is_pattern(pattern) == (len(names) > 1)


@pytest.mark.parametrize("pattern", ["{3..1}.tar", "{0..1000000}.tar", f"{{0..{10**30}}}"])
def test_too_many_or_down_is_refused(pattern):
    with pytest.raises(CorpusError, match=r"expected \{FIRST\.\.LAST\}, up and at most 1000000 numbers, found \{"):
        next(expanded(pattern))
