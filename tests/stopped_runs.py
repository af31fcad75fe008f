"""Runs that are stopped in the middle and resumed, beside runs that were not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import logged

from vqaudio.config.training import RunConfig
from vqaudio.training.loop import Trainer


class Stopped(Exception):
    """What ends a run in the middle."""


def stopped_and_resumed(whole: RunConfig, config: RunConfig, last: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a dozen steps: one as a whole, one stopped before step ``last`` and resumed, leave the very same.

    They save their state after every step, and an export in integers in the end.
    """
    Trainer(whole, progress=False).run()
    step = Trainer._train_step

    def stopped(self: Trainer) -> Any:
        if self.step == last:
            raise Stopped
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_train_step", stopped)
        with pytest.raises(Stopped):
            Trainer(config, progress=False).run()
    resumed = Trainer(config, resume=True, progress=False)
    assert resumed.step == last
    resumed.run()

    expected, found = logged(whole.out), logged(config.out) | logged(config.out, 1)
    assert sorted(found) == sorted(expected) == list(range(1, 13))
    for number, figures in expected.items():
        assert found[number] == pytest.approx(figures, rel=1e-6, abs=1e-9), number
    for name in ("model.safetensors", "model.int8.safetensors"):
        ours, theirs = (load_file(Path(out) / name) for out in (config.out, whole.out))
        assert sorted(ours) == sorted(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
