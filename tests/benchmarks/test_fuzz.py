"""Mutated files of every kind that is read: a short run of the benchmark, which notices whatever it looks for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from benchmarks import fuzz
from benchmarks.fuzzing import worker
from benchmarks.fuzzing.subjects import INTACT, Codes, Subject, Tables, WrongError, kinds, subject
from benchmarks.fuzzing.worker import REFUSED, Found, run
from vqaudio.errors import AudioError, VqaudioError

INPUTS = 60
ROOT = Path(__file__).parents[2]


def outcome(chosen: Subject, data: bytes, forged: bool) -> str:
    try:
        return chosen.check(data, forged)
    except VqaudioError:
        return REFUSED


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind != "vq-decoded"])
def test_mutated_files_are_read_or_refused(kind):
    chosen = subject(kind)
    assert {outcome(chosen, data, False) for data in chosen.files} == {INTACT}
    found = [outcome(chosen, *chosen.make(Random(f"test/{kind}/{index}"))) for index in range(INPUTS)]
    assert REFUSED in found
    assert set(found) <= set(fuzz.OUTCOMES)


@pytest.mark.slow
def test_many_more_of_them(tmp_path, capsys):
    assert fuzz.main(["--inputs", "3000", "--out", str(tmp_path / "failed")]) == 0
    assert capsys.readouterr().out.count("\n") == 2 + len(kinds())
    assert not (tmp_path / "failed").exists()


def test_what_was_never_written_is_noticed():
    codes = Codes()
    data, other = codes.files[0], codes.files[1]
    codes._said.clear()
    with pytest.raises(WrongError, match="chunk 0 has codes that were never written"):
        codes.check(data, False)
    assert codes.check(other, True) == INTACT
    tables = Tables()
    tables._tables.pop(0)
    with pytest.raises(WrongError, match="cells that were never written"):
        tables.check(tables.files[0], False)


class Treacherous(Subject):
    """Fails in every way that there is, each at an input of its own."""

    def make(self, random: Random) -> tuple[bytes, bool]:
        self.index = int(random.seeded.rpartition("/")[2])  # type: ignore[attr-defined]
        return b"x", False

    def check(self, data: bytes, forged: bool) -> str:
        if self.index == 1:
            raise AudioError("refused")
        if self.index == 2:
            raise KeyError("not ours")
        if self.index == 3:
            os.abort()
        while self.index == 4:
            pass
        self.held = bytearray(10**9 if self.index == 5 else 1)
        return INTACT


class Seeded(Random):
    """Random numbers that know where they began."""

    def __init__(self, seed: str):
        super().__init__(seed)
        self.seeded = seed


def treacherous(kind: str) -> Subject:
    worker.Random, worker.MOST_SECONDS = Seeded, 1.0  # type: ignore[misc, assignment]
    return Treacherous()


@pytest.mark.slow
def test_every_way_to_fail_is_noticed():
    found = Found()
    for part in run("any", 0, 0, 8, treacherous):
        found.add(part)
    reasons = dict(found.failures)
    assert "ends the process (-6)" in reasons[3]
    assert "HangError" in reasons[4]
    assert "MB" in reasons[5]
    assert found.outcomes[worker.LOST] == 3  # what came before the crash, the refusal and the exception among it
    assert found.outcomes[INTACT] == 2
    assert found.next == 8


@pytest.mark.slow
@pytest.mark.parametrize("name", ["compress", "tokenize", "train"])
def test_commands_that_are_killed_lose_nothing(name):
    """In a process of its own: a fork of this one would have its threads in whatever state they are."""
    command = [sys.executable, "-m", "benchmarks.kill", "--works", name, "--times", "12"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    row = [cell.strip() for cell in done.stdout.splitlines()[-1].strip("|").split("|")]
    assert (row[0], row[1], row[4]) == (name, "12", "0")
    assert row[3] == "0" or not hasattr(os, "O_TMPFILE")
