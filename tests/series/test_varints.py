"""Varints of arrays are those of single numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.series.varints import take_varints, varints

NUMBERS = st.lists(st.integers(0, 2**63 - 1) | st.sampled_from([0, 127, 128, 2**14 - 1, 2**14, 2**56]))


@given(NUMBERS, st.binary(max_size=12))
def test_there_and_back(numbers, behind):
    data = varints(np.array(numbers, np.int64))
    assert data == b"".join(map(varint, numbers))
    cursor = Cursor(b"\xff" + data + behind)
    cursor.position = 1
    assert take_varints(cursor, len(numbers)).tolist() == numbers
    assert cursor.position == 1 + len(data)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x00", b"\x01\x80\x80\x00", b"\xff" * 9 + b"\x01", b"\xff" * 20])
def test_what_are_no_numbers_are_damage(data):
    with pytest.raises(DamageError):
        take_varints(Cursor(data), 2 if data.startswith(b"\x01") else 1)
