"""The training of a prior: cross-entropy over crops of tokens; quantization-aware in the last part of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.config.prior import PriorTrainConfig
from vqaudio.errors import ModelError
from vqaudio.intnet import INT8_SUFFIX
from vqaudio.intnet.intervals import bits_of
from vqaudio.model import checkpoint
from vqaudio.prior.base import Prior
from vqaudio.prior.context import ContextPrior
from vqaudio.prior.entropy import PRIORS
from vqaudio.qat.fake_quantize import forget_grids, is_calibrated, quantize, set_quantized
from vqaudio.tokens import Origin
from vqaudio.training.crops import Codes, Rows, TokenBatch, TokenCrops, stacked
from vqaudio.training.task import Batch, Task
from vqaudio.training.texts import Texts
from vqaudio.wavenet import export, saved
from vqaudio.wavenet.network import WaveNet

CALIBRATION_BATCHES = 24
VALID_BATCH = 32
COUNTED = 100_000
"""Rows that counts are learned from, at most twice as many."""


class PriorTask(Task):
    """Trains a :class:`vqaudio.wavenet.WaveNet`, and writes its quantized export beside it.

    Raises:
        VqaudioError: no tokens, tokens of another codec, or a prior to start from that does not fit.
    """

    model: WaveNet

    def __init__(self, config: PriorTrainConfig, progress: bool):
        self.config = config
        codec = checkpoint.load(config.codec)
        self.codec, self.frame_rate = codec.fingerprint, codec.model.config.frame_rate
        streams = codec.model.bottleneck.streams
        origin = Origin(codec.fingerprint, streams, self.frame_rate)
        self.crops = TokenCrops(
            config.data,
            origin,
            config.fields,
            config.field_corpora,
            seed=config.seed,
            text=config.text,
            codebooks=config.codebooks,
        )
        self.hours = self.crops.seconds / 3600.0
        torch.manual_seed(config.seed)
        alphabet = None if self.crops.texts is None else self.crops.texts.alphabet
        self.model = WaveNet(config.model, self.crops.streams, self.crops.fields, alphabet=alphabet)
        books = codec.model.bottleneck.additive_codebooks()
        if len(books) == len(streams) and all(book.shape[1] == config.model.code_dim for book in books):
            self.model.start_from(books)
        if config.init_from is not None:
            self._start_from(network_of(config.init_from))
        self._baselines: dict[str, float] | None = None

    def _start_from(self, path: Path) -> None:
        """Take another prior's weights; what it lacks for codebooks beyond its own starts as for its last one.

        A text and labels that it does not know start from nothing.
        """
        start, own = saved.load(path).net, self.model.state_dict()
        known, last = start.state_dict(), start.n_codebooks - 1
        in_view = ("symbols_in_view.", "ages_in_view.")
        of_streams = ("heads.", "embeddings.", "active_streams.", "labels.", *in_view)
        taken = {name: value for name, value in known.items() if not name.startswith(of_streams)}
        sources = [min(level, last) for level in range(self.model.n_codebooks)]
        for level, source in enumerate(sources):
            taken |= {f"heads.{level}.{name}": value for name, value in start.heads[source].state_dict().items()}
            name = f"embeddings.{level}"
            taken[name] = known[name] if level == source else own[name]
        if self.model.alphabet is not None:
            same = self.model.alphabet == start.alphabet
            sources.append(len(start.heads) - 1 if same else last)
            head = f"heads.{self.model.n_codebooks}."
            of_text = {name: value for name, value in own.items() if name.startswith((head, *in_view))}
            if same:
                of_text |= {f"{head}{name}": value for name, value in start.heads[-1].state_dict().items()}
                of_text |= {name: value for name, value in known.items() if name.startswith(in_view)}
            taken |= of_text
        taken["active_streams.weight"] = known["active_streams.weight"][sources]
        for index, (field, labels) in enumerate(self.model.fields.items()):
            name = f"labels.{index}.weight"
            taken[name] = own[name].clone()
            if field in start.fields:
                theirs = known[f"labels.{list(start.fields).index(field)}.weight"]
                taken[name][0] = theirs[0]
                for row, label in enumerate(start.fields[field], start=1):
                    if label in labels:
                        taken[name][1 + labels.index(label)] = theirs[row]
        try:
            self.model.load_state_dict(taken)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise ModelError(f"init_from: {path} does not fit this run's prior ({reason}); copy its config") from None
        forget_grids(self.model)

    def setup(self, fabric: Fabric) -> None:
        """See :meth:`Task.setup`."""
        self.device = fabric.device
        if self.config.compile:
            self.model.compile()

    # ------------------------------------------------------------------------------------------------------- a step

    def prepare(self, step: int, fraction: float) -> None:
        """From ``quantize_from`` on, let all values lie on grids, which follow from the values until then."""
        if fraction < self.config.quantize_from or self.model.embed.quantized:
            return
        batches = (self._moved(self.crops.batch(step, 1000 + index)) for index in range(CALIBRATION_BATCHES))
        quantize(self.model, lambda: [self._logits(self.model, batch) for batch in batches])

    def _moved(self, batch: TokenBatch) -> TokenBatch:
        codes = [known.to(self.device) for known in batch.codes]
        return TokenBatch(codes, batch.labels.to(self.device), batch.inside.to(self.device))

    def _logits(self, network: nn.Module, batch: TokenBatch) -> list[Tensor]:
        heard = None
        if self.config.data.frame_dropout and network.training:
            heard = (torch.rand_like(batch.inside) >= self.config.data.frame_dropout).float()
        logits: list[Tensor] = network(batch.codes, batch.labels, heard)
        return logits

    def batch(self, network: nn.Module, step: int, *, rank: int, fraction: float) -> Batch:
        """See :meth:`Task.batch`."""
        batch = self._moved(self.crops.batch(step, rank))
        bits = [sums / counts for sums, counts in code_bits(self._logits(network, batch), batch, self.model)]
        of_codes, of_text = bits[: self.model.n_codebooks], bits[self.model.n_codebooks :]
        mean = torch.stack(of_codes).mean()
        loss = mean + self.config.text_weight * sum(of_text)
        logs = {"loss": loss * math.log(2.0), "bits": mean}
        logs |= {f"bits_{index + 1}": value for index, value in enumerate(of_codes)}
        logs |= dict(zip(("text_bits",), of_text, strict=False))
        return Batch(logs["loss"], logs, float(batch.inside.sum()) / self.frame_rate)

    # --------------------------------------------------------------------------------------------------- validation

    def validate(self, model: nn.Module, fabric: Fabric, *, step: int) -> dict[str, float]:
        """Bits a code on unseen recordings, and on as many that were learned from, beside counts."""
        assert isinstance(model, WaveNet)
        training = model.training
        model.eval()
        set_quantized(model, quantized=self.model.embed.quantized)  # an average of weights has not been told
        scores: dict[str, float] = {}
        for count in self.crops.counts:
            for split, rows in self._chosen(count).items():
                per_stream = self._score(model, rows)
                scores |= self._named(per_stream, f"{split}_{count}")
                if self.crops.texts is not None and count == len(self.crops.streams):
                    scores |= self._score_told(model, self.crops.texts, rows, split)
        model.train(training)
        if self._baselines is None:
            self._baselines = self._counted()
        return scores | self._baselines

    def _chosen(self, count: int) -> dict[str, Rows]:
        """Rows for validation, and as many of those for training."""
        crops = self.crops
        corpus = crops.tokens.columns["corpus"]
        valid = crops.valid[crops.n_streams[crops.valid] == count]
        learned = self._coded_with(count)
        learned = learned[(crops.tokens.versions[learned] == 0) & np.isin(corpus[learned], np.unique(corpus[valid]))]
        return {"valid": valid, "train": learned[:: max(1, len(learned) // max(1, len(valid)))]}

    def _coded_with(self, count: int) -> Rows:
        """Rows to train on with so many codebooks."""
        train = self.crops.train
        rows: Rows = train[self.crops.n_streams[train] == count]
        return rows

    @torch.inference_mode()
    def _score(self, model: WaveNet, rows: Rows) -> NDArray[np.float64]:
        """Mean bits a code of each codebook."""
        return self._mean_bits(model, self._batches(rows))

    @torch.inference_mode()
    def _score_told(self, model: WaveNet, texts: Texts, rows: Rows, split: str) -> dict[str, float]:
        """The same, of the beginnings of rows whose text is known, and of the text in step with them."""
        known = sorted(filter(texts.knows, rows.tolist()), key=lambda row: int(self.crops.tokens.lengths[row, 0]))
        if not known:
            return {}
        together = (known[begin : begin + VALID_BATCH] for begin in range(0, len(known), VALID_BATCH))
        batches = (
            self._moved(self.crops.told(texts, some, [self.crops.labels(row) for row in some])) for some in together
        )
        *of_codes, of_text = self._mean_bits(model, batches)
        return self._named(np.array(of_codes), f"{split}_told") | {f"{split}_text_bits": float(of_text)}

    def _mean_bits(self, model: WaveNet, batches: Iterable[TokenBatch]) -> NDArray[np.float64]:
        """Mean bits a code of each stream in use."""
        total: NDArray[np.float64] = np.zeros((2, 0))
        for batch in batches:
            found = code_bits(model(batch.codes, batch.labels), batch, model)
            values = torch.tensor([[float(sums), float(counts)] for sums, counts in found]).double().numpy().T
            total = values if not total.size else total + values
        means: NDArray[np.float64] = total[0] / total[1]
        return means

    def _batches(self, rows: Rows) -> Iterator[TokenBatch]:
        found = self.crops.shortest_first(rows)
        for begin in range(0, len(found), VALID_BATCH):
            some = found[begin : begin + VALID_BATCH]
            codes = [self._crop(*each) for each in some]
            streams = self.model.streams[: len(codes[0])]
            frames = max(len(crop[0]) for crop in codes) * streams[0].stride
            yield self._moved(stacked(codes, [self.crops.labels(row) for row, _ in some], streams, frames))

    def _crop(self, row: int, at: int) -> list[Codes]:
        return self.crops.crop(row, at, self.model.n_codebooks)

    def _named(self, bits: NDArray[np.float64], name: str) -> dict[str, float]:
        rates = [self.frame_rate / stream.stride for stream in self.model.streams[: len(bits)]]
        scores = {f"{name}_bits_{index + 1}": float(value) for index, value in enumerate(bits)}
        scores[f"{name}_bits"] = float(np.average(bits, weights=rates))
        scores[f"{name}_bits_per_second"] = float(np.dot(bits, rates))
        return scores

    def _counted(self) -> dict[str, float]:
        """Bits a code by counts of order 0 and 1, learned from the same recordings, of very many from some."""
        scores: dict[str, float] = {}
        for count in self.crops.counts:
            streams = self.model.streams[:count]
            learned = self._coded_with(count)
            learned = learned[:: max(1, len(learned) // COUNTED)].tolist()
            valid = self.crops.shortest_first(self._chosen(count)["valid"])
            for order in (0, 1):
                prior = ContextPrior(streams, order)
                prior.learn(self._codes_of(learned, index) for index in range(count))
                bits = counted_bits(prior, (self._crop(row, at) for row, at in valid))
                scores |= self._named(bits, f"valid_{count}_order_{order}")
        return scores

    def _codes_of(self, rows: Sequence[int], stream: int) -> Iterator[NDArray[np.int64]]:
        return (self.crops.tokens.codes(row)[stream].astype(np.int64) for row in rows)

    def summary(self, scores: dict[str, float]) -> str:
        """See :meth:`Task.summary`."""
        parts = []
        for count in self.crops.counts:
            uniform = np.mean([math.log2(stream.alphabet) for stream in self.model.streams[:count]])
            names = ("valid_{}_bits", "train_{}_bits", "valid_{}_order_0_bits", "valid_{}_order_1_bits")
            valid, learned, zero, one = (scores[name.format(count)] for name in names)
            each = " ".join(f"{scores[f'valid_{count}_bits_{index + 1}']:.2f}" for index in range(count))
            parts.append(
                f"{count} codebooks: {valid:.3f} bits a code ({each}), learned from {learned:.3f}, order 0 {zero:.2f}, "
                f"order 1 {one:.2f}, uniform {uniform:.2f}"
            )
        if "valid_told_bits" in scores:
            told = "told the text {valid_told_bits:.3f}, learned from {train_told_bits:.3f}"
            parts.append((told + ", the text {valid_text_bits:.3f} bits a frame").format(**scores))
        return "; ".join(parts)

    def save(self, model: nn.Module, path: Path, *, record: dict[str, Any]) -> None:
        """The network, and beside it its quantized export once its values are on grids."""
        assert isinstance(model, WaveNet)
        saved.save(model, path, codec=self.codec, training=record)
        if is_calibrated(model):
            seconds = self.config.data.crop_seconds
            export.save(model, path.with_suffix(INT8_SUFFIX), codec=self.codec, seconds=seconds)


def network_of(name_or_path: str) -> Path:
    """A prior's network in floating point: a path, or that of a shipped model's name, which checkouts alone have."""
    shipped = PRIORS / f"{name_or_path}.safetensors"
    return shipped if shipped.is_file() and not Path(name_or_path).exists() else Path(name_or_path)


def code_bits(logits: Sequence[Tensor], batch: TokenBatch, model: WaveNet) -> list[tuple[Tensor, Tensor]]:
    """For each stream the bits of all codes inside the recordings, and how many these are."""
    found = []
    for values, known, stream in zip(logits, batch.codes, model.streams, strict=False):
        inside = batch.inside[:, :: stream.stride]
        nats = functional.cross_entropy(values.flatten(0, 1), known.flatten(), reduction="none")
        found.append(((nats * inside.flatten()).sum() / math.log(2.0), inside.sum()))
    return found


def counted_bits(prior: Prior, crops: Iterable[Sequence[Codes]]) -> NDArray[np.float64]:
    """Mean bits a code of each stream in use by a prior that may be slow; crops of one length follow one another."""
    sums, counts = np.zeros(len(prior.streams)), np.zeros(len(prior.streams))
    for _, group in groupby(crops, lambda crop: len(crop[0])):
        while some := list(islice(group, VALID_BATCH)):
            known = [np.stack(parts).astype(np.int64) for parts in zip(*some, strict=True)]
            for index, (_, frequencies) in enumerate(prior.intervals(known)):
                sums[index] += bits_of(frequencies).sum()
                counts[index] += frequencies.size
    used = counts > 0
    means: NDArray[np.float64] = sums[used] / counts[used]
    return means
