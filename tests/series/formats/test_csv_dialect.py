"""The dialect of a CSV, from its bytes alone."""

from __future__ import annotations

import pytest

from vqaudio.series.formats.csv_dialect import delimiter_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n0,5;1,5\n", ";"),
        ("0,5;1,5\n2,5;3,5\n", ";"),
        ("a,b;c\n1,2;3\n", ","),
        ("a\tb\n1,5\t2\n", "\t"),
        ("a|b,c|d\n1|2|3\n", "|"),
        ("text, and more;x\nplain;1\n", ";"),
        ('"a;b;c",d\n1,2\n', ","),
        ("a\n1\n", ","),
    ],
)
def test_the_delimiter_is_found(text, found):
    assert delimiter_of(text.encode()) == found
