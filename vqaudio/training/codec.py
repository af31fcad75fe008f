"""The training of a codec: crops of sound, reconstruction losses, codebooks, discriminators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.config.reading import dump_json
from vqaudio.config.training import TrainConfig
from vqaudio.errors import ModelError
from vqaudio.files import atomic_write
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder, Reconstruction
from vqaudio.model.bottleneck.base import score_function
from vqaudio.model.checkpoint import Checkpoint
from vqaudio.model.layers import ResidualUnit, Span
from vqaudio.registry import encoder_remedy
from vqaudio.training.adversarial import Adversary
from vqaudio.training.data import Crops, speakers_in
from vqaudio.training.losses import ReconstructionLoss
from vqaudio.training.prefetch import Prefetch
from vqaudio.training.task import Batch, Extras, Task
from vqaudio.training.validation import summary, validate

DEPTH_GROUPS = 4  # parts of a batch of frozen codes, each from one number of codebooks
WHOLE_SHARE = 0.4  # of them by all codebooks
COSTLY_SHARE = 0.4  # of them ending frames early, where a codebook saves less than up to MOST_COST of squared distance
MOST_COST = 12.0


class CodecTask(Task):
    """Trains an :class:`vqaudio.model.autoencoder.Autoencoder`.

    Raises:
        VqaudioError: no recordings, or a model to start from that does not fit.
    """

    model: Autoencoder

    def __init__(self, config: TrainConfig, progress: bool):
        if config.speaker_corpora:
            speakers = speakers_in(config.data, config.speaker_corpora)
            config = config.model_copy(update={"model": config.model.model_copy(update={"speakers": speakers})})
        self.config = config
        self.train_crops = Crops(config.data, config.model, "train", config.seed, progress)
        self.valid_crops = Crops(config.data, config.model, "valid", config.seed, progress)
        self.ahead = Prefetch(self.train_crops)
        self.hours = self.train_crops.seconds / 3600.0
        self.loss = ReconstructionLoss(config.loss, config.model.sample_rate)
        self.judge = ReconstructionLoss(config.loss, config.model.sample_rate).eval()  # by all scales
        self.adversary: Adversary | None = None
        self._pair: tuple[Tensor, Tensor] | None = None
        self._fresh_codebooks = config.init_from is None
        torch.manual_seed(config.seed)
        self.model = Autoencoder(config.model)
        self._codes_of: Checkpoint | None = None
        if config.init_from is not None:
            self._start_from(config.init_from)
        self._freeze(config.frozen)

    def _freeze(self, parts: Sequence[str]) -> None:
        """Keep these parts' weights, and their codebooks, as they are."""
        for part in parts:
            getattr(self.model, part).requires_grad_(False)
        if "bottleneck" in parts:
            self.model.bottleneck.freeze()

    def _start_from(self, path: str) -> None:
        """Take the weights of another model; speakers, more codebooks and a bottleneck of another kind start afresh."""
        source = checkpoint.load(path)
        start = source.model
        if start.decode_only:
            raise ModelError(
                f"init_from: {path} decodes only, and there is no encoder to start from: "
                f"{encoder_remedy(source.fingerprint, '--set init_from=')}"
            )
        new = ("decoder.speaker_embedding.", ".film.") if start.config.speakers != self.config.model.speakers else ()
        self._fresh_codebooks = start.config.bottleneck.kind != self.config.model.bottleneck.kind
        if self._fresh_codebooks:
            new = (*new, "bottleneck.")
        count = len(start.bottleneck.streams)  # codebooks beyond these are dead at first, and re-seeded from data
        for stream in range(count, len(self.model.bottleneck.streams)):
            new = (*new, *(f"bottleneck.{name}" for name in self.model.bottleneck.stream_tensors(stream)))
        known = {name: value for name, value in start.state_dict().items() if not any(part in name for part in new)}
        for part in ("encoder", "decoder"):
            known = _fitted(known, part, getattr(start, part).layers, getattr(self.model, part).layers)
        own = {name: value for name, value in self.model.state_dict().items() if any(part in name for part in new)}
        try:
            self.model.load_state_dict(known | own)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise ModelError(f"init_from: {path} does not fit this run's model ({reason}); copy its config") from None
        if "bottleneck" in self.config.frozen and start.bottleneck.streams == self.model.bottleneck.streams:
            self._codes_of = source

    def setup(self, fabric: Fabric) -> None:
        """See :meth:`Task.setup`."""
        self.device = fabric.device
        self.train_crops.to(self.device)
        self.valid_crops.to(self.device)
        self.loss.to(self.device)
        self.judge.to(self.device)
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

    def batch(self, network: nn.Module, step: int, rank: int, fraction: float) -> Batch:
        """See :meth:`Task.batch`."""
        crops = self.ahead.batch(step, rank, self.device)
        target = crops.target
        latents = self._searched(crops.source) if self._codes_are_frozen else None
        made: Reconstruction = network(
            crops.source, step >= self.config.quantize_after, speaker=crops.speaker, latents=latents
        )
        self._pair = None
        if self.adversary is not None and self.adversary.due(fraction):
            total, terms = self._steered(self.adversary, made.waveform, target)
        else:
            total, terms = self.loss(made.waveform, target)
        total = total + made.loss
        if made.log_prob is not None:
            total = total + score_function(self.judge.each(made.waveform, target), made.log_prob)
        logs = {"loss": total, "bottleneck": made.loss, **terms, **made.stats}
        return Batch(total, logs, target.shape[0] * target.shape[-1] / self.config.model.sample_rate)

    @property
    def _codes_are_frozen(self) -> bool:
        return {"encoder", "bottleneck"} <= set(self.config.frozen) and bool(self.model.bottleneck.streams)

    @torch.no_grad()
    def _searched(self, waveform: Tensor) -> Tensor:
        """Latents of codes as files have them: found by search, from few codebooks or many, some with stop codes."""
        bottleneck, found = self.model.bottleneck, []
        every, least = len(bottleneck.streams), bottleneck.min_streams
        groups = min(DEPTH_GROUPS, len(waveform))
        for features in self.model.encoder(waveform).tensor_split(groups):
            drawn = int(torch.randint(least, every + 1, ()))
            n_streams = every if float(torch.rand(())) < WHOLE_SHARE else drawn
            cost = MOST_COST * float(torch.rand(()) ** 2) if float(torch.rand(())) < COSTLY_SHARE else 0.0
            if cost and bottleneck.has_code_costs:
                tokens = bottleneck.encode_with_cost(features, n_streams, code_cost=cost)
            else:
                tokens = bottleneck.encode(features, n_streams)
            found.append(bottleneck.decode(tokens))
        return torch.cat(found)

    def _steered(self, adversary: Adversary, waveform: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
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

    def keep_now(self, fraction: float) -> bool:
        """The model from before the discriminators is kept."""
        return self.adversary is not None and self.adversary.due(fraction) and not self.adversary.steps

    def validate(self, model: nn.Module, fabric: Fabric, step: int) -> dict[str, float]:
        """See :meth:`Task.validate`."""
        assert isinstance(model, Autoencoder)
        return validate(model, self.judge, self.valid_crops, fabric, step)

    def summary(self, scores: dict[str, float]) -> str:
        """See :meth:`Task.summary`."""
        return summary(scores)

    def save(self, model: nn.Module, path: Path, record: dict[str, Any]) -> None:
        """See :meth:`Task.save`."""
        assert isinstance(model, Autoencoder)
        checkpoint.save(model, path, training=record, codes_of=self._codes_of)

    def save_critics(self, path: Path) -> None:
        """The discriminators as float16 safetensors, their config in the metadata."""
        if self.adversary is None:
            return
        tensors = {name: t.half().cpu().contiguous() for name, t in self.adversary.discriminators.state_dict().items()}
        with atomic_write(path) as file:
            file.write(to_bytes(tensors, metadata={"config": dump_json(self.adversary.config)}))


def _fitted(tensors: dict[str, Tensor], part: str, start: nn.Sequential, end: nn.Sequential) -> dict[str, Tensor]:
    """The tensors of a model by the names, and in the shapes, that one with more units, or other look-ahead, has them.

    Units that were added begin with a scale of 0, which leaves the network as it was. Of kernels each tap keeps its
    place in time, or falls away. What differs otherwise stays as it is, and does not fit.
    """
    prefix = f"{part}.layers."
    fitted = {name: value for name, value in tensors.items() if not name.startswith(prefix)}
    old = 0
    for new, layer in enumerate(end):
        before = start[old] if old < len(start) else None
        if isinstance(layer, ResidualUnit) and not isinstance(before, ResidualUnit):
            own = {**layer.state_dict(), "scale": torch.zeros_like(layer.scale)}
        else:
            found = f"{prefix}{old}."
            own = {name[len(found) :]: value for name, value in tensors.items() if name.startswith(found)}
            if isinstance(layer, ResidualUnit) and isinstance(before, ResidualUnit):
                own["mix_time.weight"] = _moved(own["mix_time.weight"], before.span, layer.span)
            old += 1
        fitted |= {f"{prefix}{new}.{name}": value for name, value in own.items()}
    return fitted if old == len(start) else tensors


def _moved(kernel: Tensor, old: Span, new: Span) -> Tensor:
    """A kernel ``(..., taps)`` of another span: zeros are added, or taps taken away, at either end."""
    return functional.pad(kernel, (new.left - old.left, new.right - old.right))
