"""What is said while a run goes on."""

from __future__ import annotations

import pytest

from vqaudio.tokenization import progress
from vqaudio.tokenization.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A time that tests set."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_off_terminals_a_line_a_minute_tells_shards_hours_speed_and_time_left(clock, capsys):
    with Progress(10, 30, quiet=False) as shown:
        for at in range(1, 6):
            clock[0] = 20.0 * at
            shown.add(720.0)
    said = capsys.readouterr().err.splitlines()
    assert said == ["13/30 shards, 0.60 h of sound, 36 x real time, 05:40 left"]


def test_quiet_runs_say_nothing(clock, capsys):
    with Progress(0, 2, quiet=True) as shown:
        clock[0] = 1000.0
        shown.add(1.0)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_it_is_a_bar(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    with Progress(0, 2, quiet=False) as shown:
        clock[0] = 36.0
        shown.add(3600.0)
    assert "1.00 h of sound, 100 x real time, 00:36 left" in capsys.readouterr().err
