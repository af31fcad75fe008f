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
from lightning.fabric import Fabric
from lightning.fabric.loggers import CSVLogger, TensorBoardLogger
from lightning.fabric.strategies import DDPStrategy
from torch import Tensor
from tqdm import tqdm

from vqaudio import checkpoint
from vqaudio.autoencoder import Autoencoder
from vqaudio.bottleneck.vq import Codebook
from vqaudio.config import TrainConfig, dump_json
from vqaudio.errors import ModelError, VqaudioError
from vqaudio.training.data import Crops
from vqaudio.training.losses import ReconstructionLoss
from vqaudio.training.state import load_state, save_state
from vqaudio.training.validation import validate


class Trainer:
    """One run: everything that changes from step to step lives here."""

    def __init__(self, config: TrainConfig, minutes: float | None = None, progress: bool = True):
        self.config, self.minutes, self.progress = config, minutes, progress
        self.out = Path(config.out)
        self.fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            strategy=_strategy(config),
            precision=config.precision,
            loggers=[CSVLogger(config.out, name="logs"), TensorBoardLogger(config.out, name="tensorboard")],
        )
        self.fabric.launch()
        self.progress = progress and self.fabric.is_global_zero
        self.step, self.elapsed, self.heard = 0, 0.0, 0.0
        torch.manual_seed(config.seed)
        self.model = self._first_model()
        self.average = _average_of(self.model) if config.weight_ema else None
        self.loss = ReconstructionLoss(config.loss, config.model.sample_rate).to(self.fabric.device)
        optimizer = torch.optim.AdamW(
            _parameter_groups(self.model, config.weight_decay), lr=config.learning_rate, betas=config.betas
        )
        if config.compile:
            self.model.encoder.compile()
            self.model.decoder.compile()
        self.network, self.optimizer = self.fabric.setup(self.model, optimizer)
        rate = config.model.sample_rate
        self.train_crops = Crops(config.data, rate, "train", config.seed, self.progress)
        self.valid_crops = Crops(config.data, rate, "valid", config.seed, self.progress)

    def _first_model(self) -> Autoencoder:
        if self.config.init_from is None:
            return Autoencoder(self.config.model)
        start = checkpoint.load(self.config.init_from).model
        if start.config != self.config.model:
            raise ModelError(f"init_from: {self.config.init_from} has another model config than this run; copy its values")
        return start.requires_grad_(True)

    # ------------------------------------------------------------------------------------------------------- the run

    def run(self, resume: bool = False) -> Path:
        """Train to the end of the schedule; returns the path of the trained model.

        Raises:
            VqaudioError: the loss is not finite, or the disk is full; the last resume state stays as it was.
        """
        if resume and self.state_path.is_file():
            self._load()
        self._write_config()
        total = None if self.minutes else self.config.steps
        bar = tqdm(total=total, initial=self.step, desc="training", unit="step", disable=not self.progress)
        started, saved = time.monotonic() - self.elapsed, time.monotonic()
        try:
            while self.fraction < 1.0:
                logs = self._train_step()
                self.step += 1
                self.elapsed = self._agree(time.monotonic() - started)
                bar.update()
                if self.step % self.config.log_every == 0:
                    self._log(logs, bar)
                if self.step % self.config.valid_every == 0:
                    self._validate()
                if self._agree(time.monotonic() - saved) > 60.0 * self.config.save_every_minutes:
                    self.save()
                    saved = time.monotonic()
        except KeyboardInterrupt:
            self.save()
            raise
        finally:
            bar.close()
        self.save()
        self._validate()
        return self.export()

    @property
    def fraction(self) -> float:
        """How much of the schedule is over, from 0 to 1: by time where ``minutes`` is given, else by steps."""
        if self.minutes:
            return min(1.0, self.elapsed / (60.0 * self.minutes))
        return min(1.0, self.step / self.config.steps)

    def _train_step(self) -> dict[str, float]:
        config, device = self.config, self.fabric.device
        rank = self.fabric.global_rank
        torch.manual_seed(config.seed + 1_000_003 * self.step + rank)
        target = self.train_crops.batch(self.step, rank).to(device)
        self._prepare_codebooks()
        rate = self._learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        made = self.network(target, quantize=self.step >= config.quantize_after)
        total, terms = self.loss(made.waveform, target)
        total = total + made.loss
        self._refuse_nan(total)
        self.optimizer.zero_grad()
        self.fabric.backward(total)
        norm = self.fabric.clip_gradients(self.network, self.optimizer, max_norm=config.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            _update_average(self.average, self.model, config.weight_ema)
        self.heard += target.shape[0] * target.shape[-1] / config.model.sample_rate * self.fabric.world_size
        logs = {"loss": total, "bottleneck": made.loss, "gradient_norm": norm, **terms, **made.stats}
        return {"learning_rate": rate} | {name: float(value.detach()) for name, value in logs.items() if value is not None}

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

    def _learning_rate(self) -> float:
        """Linear warm-up, then a cosine to ``final_learning_rate`` (Loshchilov & Hutter, "SGDR", 2017, eq. 5)."""
        top, last = self.config.learning_rate, self.config.final_learning_rate
        warm = min(1.0, (self.step + 1) / max(1, self.config.warmup_steps))
        return warm * (last + 0.5 * (top - last) * (1.0 + math.cos(math.pi * self.fraction)))

    def _agree(self, seconds: float) -> float:
        """One clock for all ranks, or they would leave the loop at different steps."""
        if self.fabric.world_size == 1:
            return seconds
        return float(self.fabric.broadcast(seconds))

    def _refuse_nan(self, loss: Tensor) -> None:
        if not bool(torch.isfinite(loss)):
            raise VqaudioError(
                f"the loss became {float(loss)} at step {self.step}; the state of the last save is kept in {self.out}: "
                "lower learning_rate or clip_norm and --resume"
            )

    # --------------------------------------------------------------------------------------------------- what remains

    @property
    def state_path(self) -> Path:
        """The resume state's file."""
        return self.out / "resume.safetensors"

    def _modules(self) -> dict[str, Any]:
        return {"model": self.model} | ({"average": self.average} if self.average is not None else {})

    def save(self) -> None:
        """Write the resume state (rank 0)."""
        if self.fabric.is_global_zero:
            numbers = {"step": self.step, "elapsed": self.elapsed, "heard": self.heard}
            save_state(self.state_path, self._modules(), {"optimizer": self.optimizer}, numbers)
        self.fabric.barrier()

    def _load(self) -> None:
        numbers = load_state(self.state_path, self._modules(), {"optimizer": self.optimizer})
        self.step, self.elapsed, self.heard = numbers["step"], numbers["elapsed"], numbers["heard"]

    def _write_config(self) -> None:
        if self.fabric.is_global_zero:
            self.out.mkdir(parents=True, exist_ok=True)
            (self.out / "config.json").write_text(dump_json(self.config) + "\n", encoding="utf-8")

    @property
    def best(self) -> Autoencoder:
        """The model to judge and keep: the average where there is one, else the last weights."""
        return self.average if self.average is not None else self.model

    def export(self) -> Path:
        """Write the model for use (rank 0); returns its path."""
        path = self.out / "model.safetensors"
        if self.fabric.is_global_zero:
            record = {
                "steps": self.step,
                "hours_heard": round(self.heard / 3600.0, 2),
                "hours_of_recordings": round(self.train_crops.seconds / 3600.0, 2),
                "minutes": round(self.elapsed / 60.0, 1),
                "device": str(self.fabric.device),
                "processes": self.fabric.world_size,
            }
            checkpoint.save(self.best, path, record)
        self.fabric.barrier()
        return path

    def _log(self, logs: dict[str, float], bar: tqdm[Any]) -> None:
        logs["audio_seconds_per_second"] = self.heard / max(self.elapsed, 1e-9)
        self.fabric.log_dict({f"train/{name}": value for name, value in logs.items()}, self.step)
        shown = {name: f"{logs[name]:.3f}" for name in ("loss", "mel", "complex") if name in logs}
        shown["audio"] = f"{logs['audio_seconds_per_second']:.0f}x"
        if self.minutes:
            shown["done"] = f"{self.fraction:.0%}"
        bar.set_postfix(shown)

    def _validate(self) -> None:
        if self.fabric.is_global_zero:
            with torch.random.fork_rng(devices=[]):
                validate(self.best, self.loss, self.valid_crops, self.fabric, self.step)
            self.fabric.loggers[0].save()  # type: ignore[attr-defined]
            self.export_quietly()
        self.fabric.barrier()

    def export_quietly(self) -> None:
        """Keep a usable model beside the resume state while the run goes on."""
        checkpoint.save(self.best, self.out / "latest.safetensors", {"steps": self.step})


def _strategy(config: TrainConfig) -> Any:
    if config.devices == 1:
        return "auto"
    return DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)


def _parameter_groups(model: Autoencoder, weight_decay: float) -> list[dict[str, Any]]:
    """Decay for matrices only: not for biases, norms and scales."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _average_of(model: Autoencoder) -> Autoencoder:
    copy = Autoencoder(model.config)
    copy.load_state_dict(model.state_dict())
    return copy.eval().requires_grad_(False)


@torch.no_grad()
def _update_average(average: Autoencoder, model: Autoencoder, decay: float) -> None:
    """Weights and codebooks are averaged together: averaging one without the other would mismatch them."""
    for mean, now in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now.to(mean.device), 1.0 - decay)
        else:
            mean.copy_(now)
