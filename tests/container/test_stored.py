"""What is damaged, in words and as a stretch of seconds or rows."""

from __future__ import annotations

import pytest

from vqaudio.container import Damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Damage("the trailer is missing"), "the trailer is missing"),
        (Damage("its checksum is wrong", 1, 4.98, 9.98), "chunk 1 (4.98-9.98 s): its checksum is wrong"),
        (Damage("it is cut off", 2, 2000, 2500, "rows"), "chunk 2 (rows 2001 to 2500 are lost): it is cut off"),
        (
            Damage("it is cut off", 9, 2e6, 2_345_678, "rows"),
            "chunk 9 (rows 2000001 to 2345678 are lost): it is cut off",
        ),
    ],
)
def test_damage_is_one_sentence(damage, said):
    assert str(damage) == said


def test_damage_counts_where_it_is():
    chunk, whole = Damage("x", 1, 5.0, 10.0), Damage("x")
    assert [chunk.touches(*span) for span in ((0, 5), (0, 5.1), (9.9, 20), (10, 20))] == [False, True, True, False]
    assert whole.touches(0, 1e-9)
