"""The training of a model of time series: cross-entropy of tokens; quantization-aware in the last part of a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.config.series import SeriesTrainConfig
from vqaudio.errors import ModelError
from vqaudio.intnet import INT8_SUFFIX
from vqaudio.qat.fake_quantize import forget_grids, is_calibrated, quantize, set_quantized
from vqaudio.training import series_network
from vqaudio.training.series_examples import Examples, read_source, training_examples, validation_examples
from vqaudio.training.series_network import SeriesNetwork
from vqaudio.training.task import Batch, Task

CALIBRATION_ROWS = 20_000
VALID_BATCH = 8192


class SeriesTask(Task):
    """Trains a :class:`SeriesNetwork`, and writes its quantized export beside it, which is what codes tables.

    Raises:
        VqaudioError: no tables, tables that cannot be learned from, or a network to start from that does not fit.
    """

    model: SeriesNetwork
    speed = "values_per_second"

    def __init__(self, config: SeriesTrainConfig, progress: bool):
        self.config = config
        sources = [read_source(Path(path)) for path in config.data.tables]
        self.train = training_examples(sources, config.data, config.seed, progress=progress)
        self.valid = {source.name: validation_examples(source, config.data.valid_values) for source in sources}
        torch.manual_seed(config.seed)
        self.model = SeriesNetwork(config.model.hidden)
        if config.init_from is not None:
            start = series_network.load(Path(config.init_from))
            if start.hidden != config.model.hidden:
                raise ModelError(
                    f"init_from: {config.init_from} has hidden layers of {start.hidden}, expected "
                    f"{config.model.hidden}: set model.hidden to that"
                )
            self.model.load_state_dict(start.state_dict())
            forget_grids(self.model)

    def setup(self, fabric: Fabric) -> None:
        """See :meth:`Task.setup`."""
        self.device = fabric.device
        if self.config.compile:
            self.model.compile()

    def prepare(self, step: int, fraction: float) -> None:
        """From ``quantize_from`` on, let all values lie on grids, which follow from the values until then."""
        if fraction < self.config.quantize_from or self.model.logits.quantized:
            return
        features, _ = self._drawn(self.train, CALIBRATION_ROWS, np.random.default_rng([self.config.seed, step]))
        quantize(self.model, lambda: self.model(features))

    def batch(self, network: nn.Module, step: int, *, rank: int, fraction: float) -> Batch:
        """See :meth:`Task.batch`."""
        random, size = np.random.default_rng([self.config.seed, step, rank]), self.config.data.batch_size
        features, tokens = self._drawn(self.train, size, random)
        loss = functional.cross_entropy(network(features), tokens)
        return Batch(loss, {"loss": loss, "bits": loss / math.log(2.0)}, size)

    def _drawn(self, examples: Examples, count: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        return self._moved(examples, random.integers(len(examples), size=count))

    def _moved(self, examples: Examples, rows: Any) -> tuple[Tensor, Tensor]:
        features, tokens = torch.from_numpy(examples.features[rows]), torch.from_numpy(examples.tokens[rows])
        return features.to(self.device).float(), tokens.to(self.device)

    def validate(self, model: nn.Module, fabric: Fabric, *, step: int) -> dict[str, float]:
        """Bits a token on the rows that are held out, of each source and of all, and on as many of the others."""
        set_quantized(model, quantized=self.model.logits.quantized)  # an average of weights has not been told
        bits = {f"valid_{name}_bits": self._bits(model, part) for name, part in self.valid.items()}
        counts = [len(part) for part in self.valid.values()]
        learned = slice(None, None, max(1, len(self.train) // sum(counts)))
        scores = {
            "valid_bits": float(np.average(list(bits.values()), weights=counts)),
            "train_bits": self._bits(model, Examples(self.train.features[learned], self.train.tokens[learned])),
        }
        return scores | bits

    @torch.inference_mode()
    def _bits(self, model: nn.Module, examples: Examples) -> float:
        nats = 0.0
        for at in range(0, len(examples), VALID_BATCH):
            features, tokens = self._moved(examples, slice(at, at + VALID_BATCH))
            nats += float(functional.cross_entropy(model(features), tokens, reduction="sum"))
        return nats / len(examples) / math.log(2.0)

    def summary(self, scores: dict[str, float]) -> str:
        """See :meth:`Task.summary`."""
        each = ", ".join(f"{name} {scores[f'valid_{name}_bits']:.3f}" for name in self.valid)
        return f"{scores['valid_bits']:.3f} bits a token ({each}), learned from {scores['train_bits']:.3f}"

    def record(self, amount: float) -> dict[str, float]:
        """See :meth:`Task.record`."""
        return {"values_seen": int(amount), "values": len(self.train)}

    def save(self, model: nn.Module, path: Path, *, record: dict[str, Any]) -> None:
        """The network, and beside it its quantized export once its values are on grids."""
        assert isinstance(model, SeriesNetwork)
        series_network.save(model, path, training=record)
        if is_calibrated(model):
            series_network.save_export(model, path.with_suffix(INT8_SUFFIX), tables=list(self.valid))
