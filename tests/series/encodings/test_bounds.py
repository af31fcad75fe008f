"""How far values are off, exactly, and bounds from text."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vqaudio.errors import SeriesError
from vqaudio.series import MaxError
from vqaudio.series.encodings.bounds import within


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
