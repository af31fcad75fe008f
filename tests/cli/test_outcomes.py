"""What is said of work that is done."""

from __future__ import annotations

import pytest

from vqaudio.cli.outcomes import SoundDone, TableDone, speed, totals


@pytest.mark.parametrize(
    ("seconds", "elapsed", "said"), [(1.0, 20.0, "0.05"), (10.0, 4.0, "2.50"), (99.0, 9.0, "11"), (6000.0, 5.0, "1200")]
)
def test_slow_work_has_a_speed_too(seconds, elapsed, said):
    assert speed(seconds, elapsed) == f"{said} x real time"


def test_lines():
    assert str(SoundDone(2.0, 0.5)) == "2.00 s, 4.00 x real time"
    assert str(SoundDone(2.0, 0.5, 1000)) == "2.00 s, 1000 bytes, 4.00 kb/s, 4.00 x real time"
    assert (
        str(TableDone.of(10, 3, elapsed=2.0, size=15))
        == "10 rows of 3 columns, 15 bytes, 4.00 bits a value, 15 values/s"
    )
    assert str(TableDone.of(10, 3, elapsed=2.0)) == "10 rows of 3 columns, 15 values/s"


def test_totals_of_sounds_and_of_tables():
    done = [
        SoundDone(1.0, 1.0, 100),
        TableDone.of(2, 2, elapsed=1.0, size=8),
        SoundDone(3.0, 1.0, 400),
        TableDone.of(1, 4, elapsed=1.0, size=8),
    ]
    assert totals(done) == [
        "2 sounds: 4.00 s, 500 bytes, 1.00 kb/s, 2.00 x real time",
        "2 tables: 8 values, 16 bytes, 16.00 bits a value, 4 values/s",
    ]
