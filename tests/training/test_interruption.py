"""Ctrl-C between steps, twice, and where it is ignored."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import logged, numbers, toy_config, written

from vqaudio.train import main
from vqaudio.training.interruption import Interruption
from vqaudio.training.loop import Trainer


@pytest.fixture
def interactive() -> Iterator[None]:
    """Ctrl-C as in a terminal; a background job, as the tests may be, ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interactive")
def test_ctrl_c_finishes_the_step_and_saves(tmp_path, capsys, monkeypatch):
    step = Trainer._train_step

    def interrupted(self: Trainer) -> Any:
        if self.step == 3:
            signal.raise_signal(signal.SIGINT)
        return step(self)

    monkeypatch.setattr(Trainer, "_train_step", interrupted)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    config = toy_config(tmp_path)
    assert main([written(config, tmp_path)]) == 130
    said = capsys.readouterr().err
    assert "stopped after step 4; the last state is kept in" in said
    assert "--resume" in said
    assert numbers(config.out)["step"] == 4
    assert sorted(logged(config.out)) == [1, 2, 3, 4]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


@pytest.mark.usefixtures("interactive")
def test_a_second_ctrl_c_acts_at_once(tmp_path, monkeypatch):
    def impatient(self: Trainer) -> Any:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "_train_step", impatient)
    config = toy_config(tmp_path)
    assert main([written(config, tmp_path)]) == 130
    assert not (Path(config.out) / "resume.safetensors").exists()


def test_an_ignored_ctrl_c_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
        assert not interruption.asked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interactive")
def test_under_torchrun_a_ctrl_c_that_it_passes_on_changes_nothing(monkeypatch):
    """A terminal sends it to all processes, and torchrun to its own once more."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run7")
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        for name in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(name)
        assert interruption.asked
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
