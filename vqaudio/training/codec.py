"""The training of a codec: crops of sound, reconstruction losses, codebooks, discriminators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from vqaudio.config.reading import dump_json
from vqaudio.config.training import TrainConfig
from vqaudio.files import atomic_write
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder, Reconstruction
from vqaudio.model.bottleneck.base import score_function
from vqaudio.model.checkpoint import Checkpoint
from vqaudio.training.adversarial import Adversary
from vqaudio.training.data import Crops
from vqaudio.training.heard import speakers_in
from vqaudio.training.losses import ReconstructionLoss
from vqaudio.training.prefetch import Prefetch
from vqaudio.training.start import start_from
from vqaudio.training.task import Batch, Extras, Task
from vqaudio.training.validation import summary, validate

DEPTH_GROUPS = 4  # parts of a batch of frozen codes, each from one number of codebooks
WHOLE_SHARE = 0.4  # of them by all codebooks
CODE_COST_SHARE = (
    0.4  # of them ending frames early, where a codebook saves less than up to MAX_CODE_COST of squared distance
)
MAX_CODE_COST = 12.0


class CodecTask(Task):
    """Trains an :class:`vqaudio.model.autoencoder.Autoencoder`.

    Raises:
        VqaudioError: no recordings, or a model to start from that does not fit.
    """

    model: Autoencoder

    def __init__(self, config: TrainConfig, progress: bool):
        if config.speaker_corpora:
            speakers = speakers_in(config.data, config.speaker_corpora, config.model.sample_rate)
            config = config.model_copy(update={"model": config.model.model_copy(update={"speakers": speakers})})
        self.config = config
        self.train_crops = Crops(config.data, config.model, split="train", seed=config.seed, progress=progress)
        self.valid_crops = Crops(config.data, config.model, split="valid", seed=config.seed, progress=progress)
        self.hours = self.train_crops.seconds / 3600.0
        self.loss = ReconstructionLoss(config.loss, config.model.sample_rate)
        self.valid_loss = ReconstructionLoss(config.loss, config.model.sample_rate).eval()  # by all scales
        self.adversary: Adversary | None = None
        self._pair: tuple[Tensor, Tensor] | None = None
        torch.manual_seed(config.seed)
        self.model = Autoencoder(config.model)
        self._codes_of: Checkpoint | None = None
        self._fresh_codebooks = True
        if config.init_from is not None:
            source = checkpoint.load(config.init_from)
            start_from(self.model, source, name=config.init_from)
            start = source.model.bottleneck
            self._fresh_codebooks = source.model.config.bottleneck.kind != config.model.bottleneck.kind
            if "bottleneck" in config.frozen and start.streams == self.model.bottleneck.streams:
                self._codes_of = source
        self._freeze(config.frozen)

    def _freeze(self, parts: Sequence[str]) -> None:
        """Keep these parts' weights, and their codebooks, as they are."""
        for part in parts:
            getattr(self.model, part).requires_grad_(False)
        if "bottleneck" in parts:
            self.model.bottleneck.freeze()

    def setup(self, fabric: Fabric) -> None:
        """See :meth:`Task.setup`."""
        self.device = fabric.device
        self.prefetch = Prefetch(self.train_crops, self.device, workers=self.config.data.workers)
        self.loss.to(self.device)
        self.valid_loss.to(self.device)
        if self.config.compile:
            self.model.encoder.compile()
            self.model.decoder.compile()
        if self.config.adversarial is not None:
            self.adversary = Adversary(self.config, self.config.adversarial, fabric=fabric)

    def extras(self) -> Extras:
        """See :meth:`Task.extras`."""
        if self.adversary is None:
            return Extras()
        modules = {"discriminators": self.adversary.discriminators, "gradient_norms": self.adversary.norms}
        return Extras(modules, {"discriminator_optimizer": self.adversary.optimizer})

    def prepare(self, step: int, fraction: float) -> None:
        """Start codebooks from data after the first steps; slow their averages in the last half of the run."""
        if step == self.config.quantize_after and self._fresh_codebooks:
            batches = [self.train_crops.batch(step, 1000 + index) for index in range(12)]
            with torch.no_grad():
                features = torch.cat([self.model.encoder(batch.source.to(self.device)) for batch in batches])
            self.model.bottleneck.initialise(features)
        if fraction > 0.5:
            self.model.bottleneck.slow_averages(self.config.late_decay)

    def batch(self, network: nn.Module, step: int, *, rank: int, fraction: float) -> Batch:
        """See :meth:`Task.batch`."""
        crops = self.prefetch.batch(step, rank)
        target = crops.target
        latents = self._latents_as_in_files(crops.source) if self._codes_are_frozen else None
        made: Reconstruction = network(
            crops.source, step >= self.config.quantize_after, speaker=crops.speaker, latents=latents
        )
        self._pair = None
        if self.adversary is not None and self.adversary.due(fraction):
            total, terms = self._adversarial(self.adversary, made.waveform, target)
        else:
            total, terms = self.loss(made.waveform, target)
        total = total + made.loss
        if made.log_prob is not None:
            total = total + score_function(self.valid_loss.each(made.waveform, target), made.log_prob)
        logs = {"loss": total, "bottleneck": made.loss, **terms, **made.stats}
        return Batch(total, logs, target.shape[0] * target.shape[-1] / self.config.model.sample_rate)

    @property
    def _codes_are_frozen(self) -> bool:
        return {"encoder", "bottleneck"} <= set(self.config.frozen) and bool(self.model.bottleneck.streams)

    @torch.no_grad()
    def _latents_as_in_files(self, waveform: Tensor) -> Tensor:
        """Latents of codes as files have them: found by search, from few codebooks or many, some with stop codes."""
        bottleneck, found = self.model.bottleneck, []
        every, least = len(bottleneck.streams), bottleneck.min_streams
        groups = min(DEPTH_GROUPS, len(waveform))
        for features in self.model.encoder(waveform).tensor_split(groups):
            some = int(torch.randint(least, every + 1, ()))
            n_streams = every if float(torch.rand(())) < WHOLE_SHARE else some
            cost = MAX_CODE_COST * float(torch.rand(()) ** 2) if float(torch.rand(())) < CODE_COST_SHARE else 0.0
            if cost and bottleneck.has_code_costs:
                tokens = bottleneck.encode_with_cost(features, n_streams, code_cost=cost)
            else:
                tokens = bottleneck.encode(features, n_streams)
            found.append(bottleneck.decode(tokens))
        return torch.cat(found)

    def _adversarial(self, adversary: Adversary, waveform: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """A scalar: the value of the reconstruction loss, the gradient of it and the discriminators' in balance."""
        leaf = waveform.detach().requires_grad_(True)
        loss, terms = self.loss(leaf, target)
        estimate, real = self.loss.trim(leaf), self.loss.trim(target)
        gradient, more = adversary.gradient(loss, leaf, estimate=estimate, target=real)
        self._pair = estimate.detach(), real
        return loss.detach() + ((waveform - leaf.detach()) * gradient).sum(), terms | more

    def after(self, fraction: float) -> dict[str, Tensor]:
        """The discriminators' own step."""
        if self.adversary is None or self._pair is None:
            return {}
        return self.adversary.step(*self._pair, fraction=fraction)

    def keeps_now(self, fraction: float) -> bool:
        """The model from before the discriminators is kept."""
        return self.adversary is not None and self.adversary.due(fraction) and not self.adversary.steps

    def validate(self, model: nn.Module, fabric: Fabric, *, step: int) -> dict[str, float]:
        """See :meth:`Task.validate`."""
        assert isinstance(model, Autoencoder)
        return validate(model, self.valid_loss, crops=self.valid_crops, fabric=fabric, step=step)

    def summary(self, scores: dict[str, float]) -> str:
        """See :meth:`Task.summary`."""
        return summary(scores)

    def save(self, model: nn.Module, path: Path, *, record: dict[str, Any]) -> None:
        """See :meth:`Task.save`."""
        assert isinstance(model, Autoencoder)
        checkpoint.save(model, path, training=record, codes_of=self._codes_of)

    def close(self) -> None:
        """See :meth:`Task.close`."""
        self.prefetch.close()

    def save_extras(self, path: Path) -> None:
        """The discriminators as float16 safetensors, their config in the metadata."""
        if self.adversary is None:
            return
        tensors = {name: t.half().cpu().contiguous() for name, t in self.adversary.discriminators.state_dict().items()}
        with atomic_write(path) as file:
            file.write(to_bytes(tensors, metadata={"config": dump_json(self.adversary.config)}))
