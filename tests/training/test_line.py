"""What workers on a cluster tell the command that started them, and what they hear of it."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm

from vqaudio.training import line as lines
from vqaudio.training.interruption import Interruption
from vqaudio.training.line import Line, Switchboard


class HereAndNow:
    """Ray's part, without Ray: a call of an actor's method is the call itself."""

    def __init__(self, switchboard: Switchboard):
        self.tell = self
        self._switchboard = switchboard

    def remote(self, *given: Any) -> bool:
        return self._switchboard.tell(*given)

    @staticmethod
    def get(value: bool) -> bool:
        return value


def made(*, terminal: bool = False) -> tuple[Switchboard, Line, Interruption]:
    switchboard, interruption = Switchboard(), Interruption()
    ray = HereAndNow(switchboard)
    return switchboard, Line(ray, ray, terminal=terminal, interruption=interruption), interruption


def test_messages_arrive_in_order_after_what_was_written_before_them():
    switchboard, line, _ = made()
    print("step 3: well", file=line)
    line.tell_of("failed", "the disk is full")
    line.write("and")
    line.write(" more")
    line.hang_up()
    heard, silence = switchboard.hear()
    assert heard == [("text", "step 3: well\n"), ("failed", "the disk is full"), ("text", "and more")]
    assert 0.0 <= silence < 5.0
    assert switchboard.hear()[0] == []


def test_a_wish_to_stop_reaches_the_worker_with_what_it_tells_next():
    switchboard, line, interruption = made()
    switchboard.ask_to_stop()
    assert not interruption.asked
    line.tell_of("begin")
    assert interruption.asked


def test_an_open_line_forwards_by_itself(monkeypatch):
    monkeypatch.setattr(lines, "TELL_SECONDS", 0.01)
    switchboard, line, interruption = made()
    line.open()
    line.write("by itself")
    switchboard.ask_to_stop()
    deadline = time.monotonic() + 10.0
    while not interruption.asked and time.monotonic() < deadline:
        time.sleep(0.01)
    line.hang_up()
    assert interruption.asked
    assert ("text", "by itself") in switchboard.hear()[0]


def test_bars_are_drawn_where_the_command_has_a_terminal_and_nowhere_else(monkeypatch):
    for terminal in (True, False):
        switchboard, line, _ = made(terminal=terminal)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", line)
            with tqdm(total=4, desc="training", disable=None) as bar:
                bar.update(4)
        line.hang_up()
        said = "".join(text for _, text in switchboard.hear()[0])
        assert ("training: 100%" in said) is terminal
