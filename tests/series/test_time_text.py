"""Times by patterns: which patterns there are, and texts both ways, against Python's own."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqaudio.series import time_text

PATTERNS = ("%d/%m/%Y", "%-d/%-m/%y", "%d/%m/%Y %H:%M", "%b %-d %Y %I:%M:%S %p", "%H.%M.%S", "%-m-%d-%YT%-I.%M %P")
EPOCH = datetime(1970, 1, 1)


def parsed(texts, pattern):
    offsets = np.cumsum([0, *(len(text.encode()) for text in texts)])
    return time_text.parse(np.frombuffer("".join(texts).encode(), np.uint8), offsets, pattern)


def rendered(values, pattern):
    data, offsets = time_text.render(values, pattern)
    return [data[start:end].tobytes().decode() for start, end in pairwise(offsets)]


@given(st.sampled_from(PATTERNS), st.lists(st.datetimes(datetime(1969, 1, 1), datetime(2068, 12, 31)), min_size=1))
def test_times_are_what_python_makes_of_them_and_come_back(pattern, times):
    plain = pattern.replace("%P", "%p")
    texts = [time.strftime(plain) for time in times]
    texts = [text.replace("AM", "am").replace("PM", "pm") if "%P" in pattern else text for text in texts]
    values, fits = parsed(texts, pattern)
    assert fits.all()
    unit = 86400 if time_text.dtype_of(pattern) == "date32" else 1
    expected = [datetime.strptime(text, plain.replace("%-", "%")) for text in texts]
    seconds = [int((time.replace(tzinfo=None) - EPOCH).total_seconds()) for time in expected]
    seconds = [second % 86400 for second in seconds] if "%d" not in pattern.replace("-", "") else seconds
    assert values.tolist() == [second // unit for second in seconds]
    assert rendered(values, pattern) == texts


@given(st.sampled_from(PATTERNS), st.lists(st.text("0123456789/:. -TAPMJan", max_size=20), min_size=1))
def test_whatever_fits_comes_back_to_the_letter(pattern, texts):
    values, fits = parsed(texts, pattern)
    found = rendered(values, pattern)
    assert all(one == other for one, other, fit in zip(texts, found, fits, strict=True) if fit)


@pytest.mark.parametrize("text", ["31/04/2007", "30/02/2008", "29/02/2007", "00/01/2007", "1/13/2007", "1/1/2007"])
def test_days_that_no_calendar_has_and_missing_zeros_do_not_fit(text):
    assert parsed([text, "29/02/2008"], "%d/%m/%Y")[1].tolist() == [False, True]


@pytest.mark.parametrize("text", ["24:00:00", "23:60:00", "23:59:60", "9:00:00", "23:59:59 ", "23:59"])
def test_hours_that_no_day_has_do_not_fit(text):
    assert parsed([text, "23:59:59"], "%H:%M:%S")[1].tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("16/12/2006", "%d/%m/%Y"),
        ("16/12/2006", "%-d/%-m/%Y"),
        ("18.00.00", "%H.%M.%S"),
        ("1/22/20", "%-m/%-d/%y"),
        ("01/01/2018 00:15", "%d/%m/%Y %H:%M"),
        ("Jan 3 2020", "%b %-d %Y"),
        ("12/31/2011 3:05:07 am", "%m/%d/%Y %-I:%M:%S %P"),
    ],
)
def test_patterns_are_suggested_by_a_text(text, pattern):
    assert pattern in time_text.candidates(text)
    assert all(map(time_text.is_pattern, time_text.candidates(text)))


@pytest.mark.parametrize("text", ["hello", "14", "-200", "", "1/2/3/4", "?"])
def test_other_texts_suggest_none(text):
    assert not time_text.candidates(text)


@pytest.mark.parametrize("text", ["", "%d", "%d/%m", "%H:%M:%S:%H", "%I:%M", "%H %p", "%q", "%", "%-Y%m%d", "%d%m%Y\n"])
def test_what_says_no_time_wholly_is_no_pattern(text):
    assert not time_text.is_pattern(text)
