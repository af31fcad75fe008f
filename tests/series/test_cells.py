"""Which cells hold a value: four ways to say it, of which the shortest is taken."""

from __future__ import annotations

import numpy as np
import pytest

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.series.cells import ALL_VALUES, AS_EARLIER, AS_NUMBERS, RUNS, decode_cells, encode_cells
from vqaudio.series.table import NAN, NULL, VALUE

RANDOM = np.random.default_rng(0)
FEW = np.repeat(np.array([VALUE, NULL, NAN, VALUE], np.uint8), (100, 5, 1, 894))
MANY = RANDOM.choice(np.array([VALUE, NULL], np.uint8), 1000)


@pytest.mark.parametrize(
    ("cells", "earlier", "kind"),
    [
        (np.zeros(1000, np.uint8), [], ALL_VALUES),
        (FEW, [], RUNS + 3),
        (FEW, [MANY, FEW], AS_EARLIER),
        (MANY, [FEW], AS_NUMBERS),
        (np.full(1000, NULL, np.uint8), [], RUNS),
        (np.full(1, NAN, np.uint8), [], RUNS),
    ],
)
def test_there_and_back(cells, earlier, kind):
    data = encode_cells(cells, earlier)
    assert data[0] == kind
    cursor = Cursor(data)
    assert (decode_cells(cursor, len(cells), earlier) == cells).all()
    assert cursor.position == len(data)


def test_random_gaps_take_about_a_bit_each():
    assert len(encode_cells(MANY, [])) < 220


@pytest.mark.parametrize(
    "data",
    [
        b"",
        varint(AS_EARLIER) + varint(1),
        varint(RUNS + 10),
        varint(RUNS) + varint(3 * 9),
        varint(RUNS) + varint(3 * 11),
        varint(RUNS + 1) + varint(3 * 2**60) * 2,
        varint(AS_NUMBERS),
    ],
)
def test_what_are_no_cells_are_damage(data):
    with pytest.raises(DamageError):
        decode_cells(Cursor(data), 10, [np.zeros(10, np.uint8)])
