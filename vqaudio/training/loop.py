"""The training loop, on Lightning Fabric: CPU, one GPU, or many processes.

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

from vqaudio import checkpoint
from vqaudio.autoencoder import Autoencoder, Reconstruction
from vqaudio.bottleneck.vq import Codebook
from vqaudio.config import TrainConfig
from vqaudio.errors import FileError, ModelError, VqaudioError
from vqaudio.training.data import Crops, data_folder, list_recordings
from vqaudio.training.discriminator import Adversary
from vqaudio.training.folder import RunFolder
from vqaudio.training.interruption import Interruption
from vqaudio.training.journal import Journal
from vqaudio.training.losses import ReconstructionLoss
from vqaudio.training.optimization import Average, learning_rate, make_optimizer, set_rate
from vqaudio.training.processes import Ranks, launch
from vqaudio.training.state import load_state, save_state
from vqaudio.training.validation import validate


class Trainer:
    """One run: everything that changes from step to step lives here.

    Args:
        config: what to train, and how.
        minutes: the length of the run and of its schedule by time, instead of by ``config.steps``.
        resume: go on from the state in the run's folder, if there is one.
        progress: show a bar and validations on standard error.

    Raises:
        VqaudioError: the folder holds a run that is not to be resumed, there are no recordings, or this machine has
            not what the config asks for.
    """

    def __init__(self, config: TrainConfig, minutes: float | None = None, resume: bool = False, progress: bool = True):
        self.config, self.minutes, self.folder = config, minutes, RunFolder(config.out)
        self.folder.claim(resume)
        list_recordings(data_folder(config.data.folder))  # fails before other processes have started
        self.fabric = launch(config)
        self.ranks, self.journal = Ranks(self.fabric), Journal(self.fabric, progress)
        self.train_crops = Crops(config.data, config.model, "train", config.seed, self.journal.progress)
        self.valid_crops = Crops(config.data, config.model, "valid", config.seed, self.journal.progress)
        self.step, self.elapsed, self.heard = 0, 0.0, 0.0  # steps, seconds at work, seconds of sound
        torch.manual_seed(config.seed)
        self.model = self._first_model().to(self.fabric.device)
        self.average = Average(self.model, config.weight_ema) if config.weight_ema else None
        self.loss = ReconstructionLoss(config.loss, config.model.sample_rate).to(self.fabric.device)
        if config.compile:
            self.model.encoder.compile()
            self.model.decoder.compile()
        self.network, self.optimizer = self.fabric.setup(self.model, make_optimizer(self.model, config))
        self.adversary = None if config.adversarial is None else Adversary(config, config.adversarial, self.fabric)
        if resume:
            self._load()

    def _first_model(self) -> Autoencoder:
        model = Autoencoder(self.config.model)
        if self.config.init_from is not None:
            start = checkpoint.load(self.config.init_from).model
            try:
                model.load_state_dict(start.state_dict())
            except RuntimeError as error:
                reason = str(error).splitlines()[-1].strip()
                raise ModelError(
                    f"init_from: {self.config.init_from} does not fit this run's model ({reason}); copy its config"
                ) from None
        return model

    # ------------------------------------------------------------------------------------------------------- the run

    def run(self) -> Path:
        """Train to the end of the schedule; returns the path of the trained model.

        Raises:
            VqaudioError: the loss is not finite, or the disk is full; the last resume state stays as it was.
            KeyboardInterrupt: the run was asked to stop, and has saved its state.
        """
        total = None if self.minutes else self.config.steps
        try:
            with self.journal.open(self.step, total), Interruption() as interruption:
                self.ranks.first(lambda: self.folder.write_config(self.config))
                self._train(interruption)
                self.ranks.first(self._save)
                self.ranks.first(self._validate)
                self.ranks.first(self._export)
        except OSError as error:  # a logger's: what we write ourselves explains itself
            raise FileError(f"{error.filename or self.folder.path}: {error.strerror}; {self.folder.hint}") from None
        return self.folder.model

    def _train(self, interruption: Interruption) -> None:
        config = self.config
        started, saved = time.monotonic() - self.elapsed, time.monotonic()
        while self.fraction < 1.0:
            logs = self._train_step()
            self.step += 1
            now = time.monotonic()
            self.elapsed, unsaved, stop = self.ranks.agree(now - started, now - saved, interruption.asked)
            self.journal.advance()
            if self.step % config.log_every == 0:
                self.ranks.first(lambda: self._log(logs))  # noqa: B023 (called at once)
            if self.step % config.valid_every == 0 and self.fraction < 1.0:
                self.ranks.first(self._validate)
            if stop or unsaved > 60.0 * config.save_every_minutes:
                self.ranks.first(self._save)
                saved = time.monotonic()
            if stop:
                self.journal.say(f"stopped after step {self.step}; {self.folder.hint}")
                raise KeyboardInterrupt

    @property
    def fraction(self) -> float:
        """How much of the schedule is over, from 0 to 1: by time where ``minutes`` is given, else by steps."""
        if self.minutes:
            return min(1.0, self.elapsed / (60.0 * self.minutes))
        return min(1.0, self.step / self.config.steps)

    def _train_step(self) -> dict[str, Tensor | float]:
        config, rank, fraction = self.config, self.fabric.global_rank, self.fraction
        torch.manual_seed(config.seed + 1_000_003 * self.step + rank)
        target = self.train_crops.batch(self.step, rank).to(self.fabric.device)
        self._prepare_codebooks()
        rate = learning_rate(config, self.step, fraction)
        set_rate(self.optimizer, rate)
        made: Reconstruction = self.network(target, quantize=self.step >= config.quantize_after)
        total, terms = self.loss(made.waveform, target)
        total = total + made.loss
        adversary = self._adversary_now()
        if adversary is not None:
            pair = self.loss.trim(made.waveform), self.loss.trim(target)
            total, terms = adversary.add_terms(total, terms, *pair)
        self.optimizer.zero_grad()
        self.fabric.backward(total)
        norm: Any = self.fabric.clip_gradients(
            self.network, self.optimizer, max_norm=config.clip_norm, error_if_nonfinite=False
        )
        self.ranks.first(lambda: self._refuse_nan(float(total.detach()), float(norm)))
        self.optimizer.step()
        if adversary is not None:
            terms |= adversary.step(*pair, fraction)
        if self.average is not None:
            self.average.update(self.model)
        self.heard += target.shape[0] * target.shape[-1] / config.model.sample_rate * self.fabric.world_size
        figures = {"loss": total, "bottleneck": made.loss, "gradient_norm": norm, **terms, **made.stats}
        return {"learning_rate": rate} | {name: value.detach() for name, value in figures.items()}

    def _prepare_codebooks(self) -> None:
        """Start codebooks from data after the first steps; slow their averages in the last half of the run."""
        if self.step == self.config.quantize_after and self.config.init_from is None:
            batches = [self.train_crops.batch(self.step, 1000 + index) for index in range(12)]
            with torch.no_grad():
                features = torch.cat([self.model.encoder(batch.to(self.fabric.device)) for batch in batches])
            self.model.bottleneck.initialise(features)
        if self.fraction > 0.5:
            for module in self.model.modules():
                if isinstance(module, Codebook):
                    module.decay = max(module.decay, self.config.late_decay)

    def _adversary_now(self) -> Adversary | None:
        """The discriminators from their time on; the model from before them is kept."""
        if self.adversary is None or not self.adversary.due(self.fraction):
            return None
        if not self.adversary.started:
            self.ranks.first(lambda: self._keep(self.folder.before_adversarial))
        return self.adversary

    def _refuse_nan(self, loss: float, norm: float) -> None:
        if not math.isfinite(loss + norm):  # the norm is that of all ranks' gradients, so one rank can tell
            raise VqaudioError(
                f"the loss became {loss} and the norm of its gradient {norm} at step {self.step}: lower learning_rate "
                f"or clip_norm; {self.folder.hint}"
            )

    # --------------------------------------------------------------------------------------------------- what remains

    def _parts(self) -> tuple[dict[str, nn.Module], dict[str, Any]]:
        """The modules and the optimisers that a resume state keeps, by name."""
        modules: dict[str, nn.Module] = {"model": self.model}
        optimizers: dict[str, Any] = {"optimizer": self.optimizer}
        if self.average is not None:
            modules["average"] = self.average.model
        if self.adversary is not None:
            modules["discriminators"] = self.adversary.discriminators
            optimizers["discriminator_optimizer"] = self.adversary.optimizer
        return modules, optimizers

    def _save(self) -> None:
        numbers = {"step": self.step, "elapsed": self.elapsed, "heard": self.heard}
        save_state(self.folder.state, *self._parts(), numbers)

    def _load(self) -> None:
        """Go on from the saved state; an average or discriminators that it lacks start where they join in."""
        if not self.fabric.broadcast(self.folder.state.is_file()):
            self.journal.say(f"{self.folder.state}: no such file, so there is nothing to resume: starting anew")
            return
        numbers, new = load_state(self.folder.state, *self._parts(), optional=("average", "discriminators"))
        self.step, self.elapsed, self.heard = numbers["step"], numbers["elapsed"], numbers["heard"]
        if self.average is not None and "average" in new:
            self.average.model.load_state_dict(self.model.state_dict())

    @property
    def best(self) -> Autoencoder:
        """The model to judge and keep: the average where there is one, else the last weights."""
        return self.model if self.average is None else self.average.model

    def _keep(self, path: Path) -> None:
        checkpoint.save(self.best, path, {"steps": self.step})

    def _export(self) -> None:
        record = {
            "steps": self.step,
            "hours_heard": round(self.heard / 3600.0, 2),
            "hours_of_recordings": round(self.train_crops.seconds / 3600.0, 2),
            "minutes": round(self.elapsed / 60.0, 1),
            "device": str(self.fabric.device),
            "processes": self.fabric.world_size,
        }
        checkpoint.save(self.best, self.folder.model, record)

    def _log(self, logs: dict[str, Tensor | float]) -> None:
        figures = {name: float(value) for name, value in logs.items()}
        figures["audio_seconds_per_second"] = self.heard / max(self.elapsed, 1e-9)
        self.journal.train(self.step, figures, self.fraction)

    def _validate(self) -> None:
        scores = validate(self.best, self.loss, self.valid_crops, self.fabric, self.step)
        self.journal.valid(self.step, scores)
        self._keep(self.folder.latest)
