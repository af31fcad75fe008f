"""Crops of recordings: which crops a step hears is a function of seed, step and rank alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio.config.model import ModelConfig
from vqaudio.config.training import DataConfig
from vqaudio.errors import AudioError, ConfigError, install
from vqaudio.training import augment
from vqaudio.training.heard import Labels, open_heard, source_of

SPEED_GROUPS = 4  # parts of a batch, each with one speed
GRAIN = 128  # samples: lengths of crops at other speeds are multiples, for which a GPU has its Fourier plans ready
COPIED = 1 << 24  # samples that are moved to a device at once
MAX_REDRAWS = 7  # times that silent crops are drawn again


@dataclass(frozen=True)
class CropBatch:
    """Crops side by side.

    Attributes:
        target: float32 ``(size, 1, samples)``, what is to come out.
        source: likewise, what the encoder hears: the same, or the same in other voices or under noise.
        speaker: LongTensor ``(size,)``: 1 and up in the order of the model's speakers, 0 for none of them.
    """

    target: Tensor
    source: Tensor
    speaker: Tensor

    def to(self, device: torch.device) -> CropBatch:
        """The batch on a device, which it may still be on the way to where it is pinned."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=tensor.is_pinned()))

    def pin_memory(self) -> CropBatch:
        """The batch in memory that a GPU can fetch by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, moved: Callable[[Tensor], Tensor]) -> CropBatch:
        target = moved(self.target)
        return CropBatch(target, target if self.source is self.target else moved(self.source), moved(self.speaker))


NO_AUGMENTATION = {
    "speed_probability": 0.0,
    "level_probability": 0.0,
    "equalised": 0.0,
    "reverberant": 0.0,
    "noisy": 0.0,
    "perturbed": 0.0,
    "noise": 0.0,
    "unknown_speaker": 0.0,
}
"""Settings of crops that nothing is varied in."""


class Crops:
    """Batches of crops from the recordings of one split.

    Crops are ``crop_seconds`` long, rounded to a multiple of ``hop_length`` samples. They are cut out of files that all
    processes map into memory, and varied on the CPU; or both on a device, once :meth:`to` has copied all recordings
    there. Only those for training are varied: others are stretches of the recordings, to the sample.
    """

    def __init__(self, config: DataConfig, model: ModelConfig, *, split: str, seed: int = 0, progress: bool = False):
        self.varied = split == "train"
        self.config = config if self.varied else config.model_copy(update=NO_AUGMENTATION)
        if self.config.perturbed and find_spec("librosa") is None:
            raise ConfigError(f"data.perturbed needs librosa: {install('train')}, or set it to 0")
        self.sample_rate, self.seed = model.sample_rate, seed
        self.samples = max(1, round(config.crop_seconds * model.sample_rate / model.hop_length)) * model.hop_length
        heard = open_heard(config, split, self.sample_rate, shared=config.workers > 0, progress=progress)
        self.corpus, self._chosen, lengths, where = heard.corpus, heard.chosen, heard.lengths(), source_of(config)
        if not lengths.any():
            raise AudioError(f"{where}: no recordings in the split {split!r}; add some or set data.folder")
        numbers = {name: number for number, name in enumerate(model.speakers, start=1)}
        known = np.array([numbers.get(name, 0) for name in heard.speakers.names], np.int32)
        self.speakers = known[heard.speakers.numbers]
        self.seconds = float(lengths.sum()) / self.sample_rate
        share = _shares(lengths, heard.corpora, config.weights)
        if not share.any():
            raise AudioError(f"data.weights gives every corpus of {where} ({split}) the share 0; raise one")
        self._cumulative = np.cumsum(share / share.sum())
        self.sound: Tensor | None = None

    def to(self, device: torch.device) -> None:
        """Move all recordings to a device, where crops are then made."""
        self.sound = torch.empty(len(self.corpus.samples), dtype=torch.int16, device=device)
        for begin in range(0, len(self.sound), COPIED):
            self.sound[begin : begin + COPIED] = torch.from_numpy(np.array(self.corpus.samples[begin : begin + COPIED]))

    @property
    def n_bytes(self) -> int:
        """Of all recordings."""
        return self.corpus.samples.nbytes

    def batch(self, step: int, rank: int = 0, *, size: int | None = None) -> CropBatch:
        """The crops of one step, always the same for the same seed, step and rank (on one kind of device)."""
        with nullcontext() if self.sound is not None else _one_thread():
            return self._batch(step, rank, size)

    def _batch(self, step: int, rank: int, size: int | None) -> CropBatch:
        config, random = self.config, np.random.default_rng([self.seed, step, rank])
        size = size or config.batch_size
        groups = [len(part) for part in np.array_split(np.arange(size), min(SPEED_GROUPS, size))]
        crops, speakers = zip(*(self._cut(count, random) for count in groups), strict=True)
        source = torch.Generator().manual_seed(int(random.integers(2**62)))
        share, rate = config.level_probability, self.sample_rate
        varied = augment.set_level(torch.cat(crops), source, share=share, range_db=config.level_db)
        varied = augment.equalise(varied, source, share=config.equalised, most_db=config.equaliser_db, sample_rate=rate)
        varied = augment.reverberate(varied, source, share=config.reverberant, sample_rate=rate)
        varied = augment.add_noise(varied, source, share=config.noisy, range_db=config.noise_db)
        varied = augment.flip(augment.limit(varied), source) if self.varied else varied
        heard = varied
        if config.perturbed:
            heard = self._perturbed(varied, random)
        if config.noise:
            heard = self._noisy(heard, source)
        told = random.random(size) >= config.unknown_speaker
        speaker = torch.from_numpy(np.concatenate(speakers) * told).to(varied.device)
        target = varied[:, None]
        return CropBatch(target, target if heard is varied else heard[:, None], speaker)

    def _perturbed(self, crops: Tensor, random: np.random.Generator) -> Tensor:
        """A share of the crops with other pitch, formants and colour: codes cannot tell whose they were.

        Source: Choi et al., "Neural analysis and synthesis", 2021, section 2.1.
        """
        import librosa  # takes seconds, and is not needed where nothing is perturbed

        most_db, moved, gains_db, which = self.config.equaliser_db, [], [], []
        for index, crop in enumerate(crops.cpu().numpy()):
            if random.random() >= self.config.perturbed:
                continue
            steps = random.uniform(*self.config.pitch_semitones)
            moved.append(
                librosa.effects.pitch_shift(crop, sr=self.sample_rate, n_steps=steps, n_fft=1024, res_type="soxr_mq")
            )
            gains_db.append(random.uniform(-most_db, most_db, augment.EQUALISER_BANDS))
            which.append(index)
        if not which:
            return crops
        sounds, gains = (torch.from_numpy(np.stack(part)).float().to(crops.device) for part in (moved, gains_db))
        heard = crops.clone()
        heard[which] = augment.apply_gains(sounds, gains, sample_rate=self.sample_rate)
        return heard

    def _noisy(self, crops: Tensor, source: torch.Generator) -> Tensor:
        """Crops with white noise: ``x + w r n``, w the configured weight, r the crop's RMS level, n of variance 1.

        Source: Vincent et al., "Extracting and composing robust features with denoising autoencoders", 2008, section
        2.3: what is to come out stays clean.
        """
        noise = torch.randn(crops.shape, generator=source).to(crops.device)
        return crops + self.config.noise * crops.square().mean(-1, keepdim=True).sqrt() * noise

    def _cut(self, count: int, random: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
        """Random stretches of random recordings, ``(count, samples)``, perhaps at another speed; and who speaks.

        What is silent is mostly drawn again. At another speed it is nobody's voice.
        """
        speed = random.uniform(*self.config.speed_range) if random.random() < self.config.speed_probability else 1.0
        wanted = max(1, round(self.samples * speed / GRAIN)) * GRAIN if speed != 1.0 else self.samples
        index = self._pick(count, random)
        crops = self._stretches(index, wanted, random)
        for _ in range(MAX_REDRAWS):
            silent = (level_db(crops) <= self.config.silence_db).cpu().numpy()
            if not silent.any():
                break
            index[silent] = self._pick(int(silent.sum()), random)
            crops[torch.from_numpy(silent).to(crops.device)] = self._stretches(index[silent], wanted, random)
        if speed == 1.0:
            return crops, self.speakers[index].astype(np.int64)
        return augment.stretch(crops, self.samples), np.zeros(count, np.int64)

    def _pick(self, count: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of recordings; longer ones more often."""
        last = len(self._cumulative) - 1
        return np.searchsorted(self._cumulative, random.random(count), side="right").clip(max=last)

    def _stretches(self, index: NDArray[np.int64], wanted: int, random: np.random.Generator) -> Tensor:
        """``wanted`` samples from somewhere in each recording, or up to an eighth beyond its ends, where zeros are."""
        beyond = wanted // 8
        number = index if self._chosen is None else self._chosen[index].astype(np.int64)
        first = self.corpus.offsets[number]
        length = self.corpus.offsets[number + 1] - first
        begin = random.integers(-beyond, np.maximum(length - wanted + beyond, 1 - beyond))
        if self.sound is None:
            found = self._copied(first, length, begin, wanted)
        else:
            found = _gathered(self.sound, first, length, begin, wanted)
        return found.float() / 32768.0

    def _copied(
        self, first: NDArray[np.int64], length: NDArray[np.int64], begin: NDArray[np.int64], wanted: int
    ) -> Tensor:
        """Stretches of recordings in files, or in memory."""
        made = np.zeros((len(first), wanted), np.int16)
        inside = np.stack([begin.clip(min=0), np.minimum(begin + wanted, length)], 1)
        for crop, start, at, (low, high) in zip(made, first, begin, inside, strict=True):
            if low < high:
                crop[low - at : high - at] = self.corpus.samples[start + low : start + high]
        return torch.from_numpy(made)


def _gathered(
    held: Tensor, first: NDArray[np.int64], length: NDArray[np.int64], begin: NDArray[np.int64], wanted: int
) -> Tensor:
    """Stretches of recordings that are on a device, all at once."""
    start, size, at = (torch.from_numpy(part).to(held.device)[:, None] for part in (first, length, begin))
    place = at + torch.arange(wanted, device=held.device)
    inside = (place >= 0) & (place < size)
    return torch.where(inside, held[(start + place).clamp(0, len(held) - 1)], 0)


def _shares(lengths: NDArray[np.int64], corpora: Labels, weights: Mapping[str, float]) -> NDArray[np.float64]:
    """How often each recording is drawn: a corpus as its weight says, or by its duration; in it, by theirs."""
    shares = np.zeros(len(lengths))
    for number, corpus in enumerate(corpora.names):
        own = corpora.numbers == number
        duration = lengths[own].sum()
        if duration:
            weight = weights.get(corpus, duration / lengths.sum())
            shares[own] = weight * lengths[own] / duration
    return shares


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: what it makes at the edges of threads' shares is rounded otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def level_db(crops: Tensor) -> Tensor:
    """The RMS level of each of ``(batch, samples)``, dB re full scale."""
    return 10.0 * (crops.square().mean(-1) + 1e-12).log10()
