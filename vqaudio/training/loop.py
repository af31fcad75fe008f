"""The training loop, on Lightning Fabric: CPU, one GPU, or many processes, whatever is trained.

What a step hears and draws depends on the seed, the step and the rank alone, so a run that was killed and resumed goes
on as if nothing had happened.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vqaudio.config.prior import PriorTrainConfig
from vqaudio.config.series import SeriesTrainConfig
from vqaudio.config.training import RunConfig, TrainConfig
from vqaudio.errors import FileError, VqaudioError
from vqaudio.training.codec import CodecTask
from vqaudio.training.folder import RunFolder
from vqaudio.training.heard import check_source
from vqaudio.training.interruption import Interruption
from vqaudio.training.journal import Journal
from vqaudio.training.optimization import WeightAverage, learning_rate, make_optimizer, set_rate
from vqaudio.training.prior import PriorTask
from vqaudio.training.processes import RayEnvironment, launch
from vqaudio.training.ranks import Ranks
from vqaudio.training.series import SeriesTask
from vqaudio.training.state import load_state, save_state
from vqaudio.training.task import Task


class Trainer:
    """One run: everything that changes from step to step lives here, or in its task.

    Args:
        config: what to train, and how.
        minutes: the length of the run and of its schedule by time, instead of by ``config.steps``.
        resume: go on from the state in the run's folder, if there is one.
        progress: show a bar and validations on standard error.
        environment: tells of the run's processes where Ray has started them.

    Raises:
        VqaudioError: the folder holds a run that is not to be resumed, there is nothing to train on, or this machine
            has not what the config asks for.
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        minutes: float | None = None,
        resume: bool = False,
        progress: bool = True,
        environment: RayEnvironment | None = None,
    ):
        self.config, self.minutes, self.folder = config, minutes, RunFolder(config.out)
        self.folder.claim(resume)
        if isinstance(config, TrainConfig):
            check_source(config.data)  # fails before other processes have started
        self.fabric = launch(config, environment)
        self.ranks = Ranks(self.fabric, lambda: self.folder.hint)
        self.journal = Journal(self.fabric, progress)
        self.step, self.elapsed, self.heard = 0, 0.0, 0.0  # steps, seconds at work, what was learned from
        with self.ranks.together():
            self.ranks.all_see(self.folder.path)
            self.task = make_task(config, self.journal.progress)
            self.model = self.task.model.to(self.fabric.device)
            self.average = WeightAverage(self.model, config.weight_ema) if config.weight_ema else None
            self.task.setup(self.fabric)
            self.network, self.optimizer = self.fabric.setup(self.model, make_optimizer(self.model, config))
            if resume:
                self._load()

    # ------------------------------------------------------------------------------------------------------- the run

    def run(self, interruption: Interruption | None = None) -> Path:
        """Train to the end of the schedule; returns the path of the trained model.

        ``interruption`` is asked between steps whether to stop, in place of this process's signals.

        Raises:
            VqaudioError: the loss is not finite, the disk is full, or memory is; the last resume state stays as it was.
            KeyboardInterrupt: the run was asked to stop, and has saved its state.
        """
        total = None if self.minutes else self.config.steps
        try:
            with self.ranks.together(), self.journal.open(self.step, total), interruption or Interruption() as asked:
                self.ranks.on_rank_zero(lambda: self.folder.write_config(self.config))
                self._train(asked)
                self.ranks.on_rank_zero(self._save)
                self.ranks.on_rank_zero(self._validate)
                self.ranks.on_rank_zero(self._export)
        except OSError as error:  # a logger's: what we write ourselves explains itself
            raise FileError(f"{error.filename or self.folder.path}: {error.strerror}; {self.folder.hint}") from None
        finally:
            self.task.close()
        return self.folder.model

    def _train(self, interruption: Interruption) -> None:
        config = self.config
        started, saved = time.monotonic() - self.elapsed, time.monotonic()
        while self.fraction < 1.0:
            logs = self._train_step()
            self.step += 1
            now = time.monotonic()
            self.elapsed, unsaved, stop = self.ranks.max_over_ranks(now - started, now - saved, interruption.asked)
            self.journal.advance()
            if self.step % config.log_every == 0:
                self.ranks.on_rank_zero(lambda: self._log(logs))  # noqa: B023 (called at once)
            if self.step % config.valid_every == 0 and self.fraction < 1.0:
                self.ranks.on_rank_zero(self._validate)
            if stop or unsaved > 60.0 * config.save_every_minutes:
                self.ranks.on_rank_zero(self._save)
                saved = time.monotonic()
            if stop:
                self.journal.say(f"stopped after step {self.step}; {self.folder.hint}")
                raise KeyboardInterrupt if self.fabric.is_global_zero else SystemExit(130)  # said once

    @property
    def fraction(self) -> float:
        """How much of the schedule is over, from 0 to 1: by time where ``minutes`` is given, else by steps."""
        if self.minutes:
            return min(1.0, self.elapsed / (60.0 * self.minutes))
        return min(1.0, self.step / self.config.steps)

    def _train_step(self) -> dict[str, Tensor | float]:
        config, rank, fraction = self.config, self.fabric.global_rank, self.fraction
        torch.manual_seed(config.seed + 1_000_003 * self.step + rank)
        self.task.prepare(self.step, fraction)
        if self.task.keeps_now(fraction):
            self.ranks.on_rank_zero(lambda: self._keep(self.folder.before_adversarial))
        rate = learning_rate(config, self.step, fraction=fraction)
        set_rate(self.optimizer, rate)
        made = self.task.batch(self.network, self.step, rank=rank, fraction=fraction)
        self.optimizer.zero_grad()
        self.fabric.backward(made.loss)
        norm: Any = self.fabric.clip_gradients(
            self.network, self.optimizer, max_norm=config.clip_norm, error_if_nonfinite=False
        )
        self.ranks.on_rank_zero(lambda: self._refuse_nan(float(made.loss.detach()), float(norm)))
        self.optimizer.step()
        more = self.task.after(fraction)
        if self.average is not None:
            self.average.update(self.model)
        self.heard += made.amount * self.fabric.world_size
        figures = {**made.logs, "gradient_norm": norm, **more}
        return {"learning_rate": rate} | {name: value.detach() for name, value in figures.items()}

    def _refuse_nan(self, loss: float, norm: float) -> None:
        if not math.isfinite(loss + norm):  # the norm is that of all ranks' gradients, so one rank can tell
            raise VqaudioError(
                f"the loss became {loss} and the norm of its gradient {norm} at step {self.step}: lower learning_rate "
                f"or clip_norm; {self.folder.hint}"
            )

    # --------------------------------------------------------------------------------------------------- what remains

    def _parts(self) -> tuple[dict[str, nn.Module], dict[str, Any]]:
        """The modules and the optimisers that a resume state keeps, by name."""
        extras = self.task.extras()
        modules: dict[str, nn.Module] = {"model": self.model, **extras.modules}
        if self.average is not None:
            modules["average"] = self.average.model
        return modules, {"optimizer": self.optimizer, **extras.optimizers}

    def _save(self) -> None:
        numbers = {"step": self.step, "elapsed": self.elapsed, "heard": self.heard}
        modules, optimizers = self._parts()
        save_state(self.folder.state, modules, optimizers=optimizers, numbers=numbers)
        self._keep(self.folder.latest)

    def _load(self) -> None:
        """Go on from the saved state; an average, or what learns beside the model, starts anew where it is missing."""
        if not self.fabric.broadcast(self.folder.state.is_file()):
            self.journal.say(f"{self.folder.state}: no such file, so there is nothing to resume: starting anew")
            return
        modules, optimizers = self._parts()
        optional = ("average", *self.task.extras().modules)
        numbers, new = load_state(self.folder.state, modules, optimizers=optimizers, optional=optional)
        self.step, self.elapsed, self.heard = numbers["step"], numbers["elapsed"], numbers["heard"]
        if self.average is not None and "average" in new:
            self.average.model.load_state_dict(self.model.state_dict())

    @property
    def best(self) -> nn.Module:
        """The model to judge and keep: the average where there is one, else the last weights."""
        return self.model if self.average is None else self.average.model

    def _keep(self, path: Path) -> None:
        self.task.save(self.best, path, record={"steps": self.step})

    def _export(self) -> None:
        record = {
            "steps": self.step,
            **self.task.record(self.heard),
            "minutes": round(self.elapsed / 60.0, 1),
            "device": str(self.fabric.device),
            "processes": self.fabric.world_size,
        }
        self.task.save(self.best, self.folder.model, record=record)
        self.task.save_extras(self.folder.discriminators)

    def _log(self, logs: dict[str, Tensor | float]) -> None:
        figures = {name: float(value) for name, value in logs.items()}
        figures[self.task.speed] = self.heard / max(self.elapsed, 1e-9)
        self.journal.train(self.step, figures, fraction=self.fraction)

    def _validate(self) -> None:
        scores = self.task.validate(self.best, self.fabric, step=self.step)
        self.journal.valid(self.step, scores, summary=self.task.summary(scores))


def make_task(config: RunConfig, progress: bool) -> Task:
    """What a config asks to train."""
    if isinstance(config, TrainConfig):
        return CodecTask(config, progress)
    if isinstance(config, SeriesTrainConfig):
        return SeriesTask(config, progress)
    assert isinstance(config, PriorTrainConfig)
    return PriorTask(config, progress)
