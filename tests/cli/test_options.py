"""Values that options of several commands take."""

from __future__ import annotations

import click
import pytest

from vqaudio.cli.options import Listed, Seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("83.5", 83.5), ("1:23.5", 83.5), ("61:00", 3660.0), ("1:02:03.25", 3723.25)]
)
def test_times_are_seconds_or_minutes_and_hours(text, seconds):
    assert Seconds(0).convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-1", "1:60", "1.5:00", "1:-1", "-1:30", "1:2:3:4", "11"])
def test_what_is_no_time_or_too_long_is_refused(text):
    with pytest.raises(click.BadParameter):
        Seconds(0, 10).convert(text, None, None)


def test_lists_have_commas():
    assert Listed(click.INT).convert("1, 3,9", None, None) == [1, 3, 9]
    with pytest.raises(click.BadParameter):
        Listed(click.IntRange(1)).convert("1,", None, None)
