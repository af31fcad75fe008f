"""Recordings in memory, and crops of them: which crops a step hears is a function of seed, step and rank alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio.audio.recordings import data_folder, list_recordings
from vqaudio.config.model import ModelConfig
from vqaudio.config.training import DataConfig
from vqaudio.errors import AudioError, ConfigError, install
from vqaudio.training import augment
from vqaudio.training.corpus import read_corpus

SPEED_GROUPS = 4  # parts of a batch, each with one speed
GRAIN = 128  # samples: lengths of crops at other speeds are multiples, for which a GPU has its Fourier plans ready
MAX_REDRAWS = 7  # times that silent crops are drawn again


def speakers_in(config: DataConfig, corpora: Collection[str]) -> tuple[str, ...]:
    """The speakers of some corpora who are in training, by name, in the order of the alphabet.

    Raises:
        AudioError: a corpus that is not there or whose speakers have no names.
    """
    folder = data_folder(config.folder)
    recordings = [item for item in list_recordings(folder) if item.split == "train" and item.speaker]
    nameless = sorted(set(corpora) - {item.corpus for item in recordings})
    if nameless:
        raise AudioError(
            f"speaker_corpora names {', '.join(nameless)}, but {folder} has no training speaker with a name there; "
            "give manifest.csv a column speaker"
        )
    return tuple(sorted({item.speaker for item in recordings if item.corpus in corpora}))


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
        """The batch on a device."""
        return CropBatch(self.target.to(device), self.source.to(device), self.speaker.to(device))


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
    """Batches of crops from the recordings of one split, all held in memory as int16 (115 MB an hour at 16 kHz).

    Crops are ``crop_seconds`` long, rounded to a multiple of ``hop_length`` samples. They are cut and varied on the
    device that the recordings are on: the CPU, until :meth:`to` moves them. Only those for training are varied: others
    are stretches of the recordings, to the sample.
    """

    def __init__(self, config: DataConfig, model: ModelConfig, *, split: str, seed: int = 0, progress: bool = False):
        self.varied = split == "train"
        self.config = config if self.varied else config.model_copy(update=NO_AUGMENTATION)
        if self.config.perturbed and find_spec("librosa") is None:
            raise ConfigError(f"data.perturbed needs librosa: {install('train')}, or set it to 0")
        self.sample_rate, self.seed = model.sample_rate, seed
        self.samples = max(1, round(config.crop_seconds * model.sample_rate / model.hop_length)) * model.hop_length
        folder = data_folder(config.folder)
        recordings = list_recordings(folder)
        corpora = set(config.corpora) or {item.corpus for item in recordings}
        for key, names in (("corpora", corpora), ("weights", set(config.weights))):
            if unknown := names - {item.corpus for item in recordings}:
                raise AudioError(f"data.{key} names {', '.join(sorted(unknown))}, but {folder} holds no such corpus")
        chosen = [item for item in recordings if item.split == split and item.corpus in corpora]
        cache = None if config.cache is None else Path(config.cache)
        title = f"reading {split}" if progress else ""
        corpus = read_corpus([item.path for item in chosen], self.sample_rate, cache=cache, title=title)
        self.starts, self.lengths = corpus.offsets[:-1], np.diff(corpus.offsets)
        if not self.lengths.any():
            raise AudioError(f"{folder}: no recordings in the split {split!r}; add some or set data.folder")
        self.sound = torch.from_numpy(corpus.samples)
        numbers = {name: number for number, name in enumerate(model.speakers, start=1)}
        self.speakers = np.array([numbers.get(item.speaker, 0) for item in chosen])
        self.seconds = float(self.lengths.sum()) / self.sample_rate
        share = self._shares([item.corpus for item in chosen])
        if not share.any():
            raise AudioError(f"data.weights gives every corpus of {folder} ({split}) the share 0; raise one")
        self._cumulative = np.cumsum(share / share.sum())

    def _shares(self, corpora: list[str]) -> NDArray[np.float64]:
        """How often each recording is drawn: a corpus as its weight says, or by its duration; in it, by theirs."""
        shares = np.zeros(len(corpora))
        for corpus in set(corpora):
            own = np.array([name == corpus for name in corpora])
            duration = self.lengths[own].sum()
            if duration:
                weight = self.config.weights.get(corpus, duration / self.lengths.sum())
                shares[own] = weight * self.lengths[own] / duration
        return shares

    def to(self, device: torch.device) -> None:
        """Move the recordings to a device, where crops are then made."""
        self.sound = self.sound.to(device)

    def batch(self, step: int, rank: int = 0, *, size: int | None = None) -> CropBatch:
        """The crops of one step, always the same for the same seed, step and rank (on one kind of device)."""
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
            return crops, self.speakers[index]
        return augment.stretch(crops, self.samples), np.zeros(count, np.int64)

    def _pick(self, count: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of recordings; longer ones more often."""
        return np.searchsorted(self._cumulative, random.random(count), side="right").clip(max=len(self.lengths) - 1)

    def _stretches(self, index: NDArray[np.int64], wanted: int, random: np.random.Generator) -> Tensor:
        """``wanted`` samples from somewhere in each recording, or up to an eighth beyond its ends, where zeros are."""
        beyond = wanted // 8
        last = np.maximum(self.lengths[index] - wanted + beyond, 1 - beyond)
        begin = torch.from_numpy(random.integers(-beyond, last)).to(self.sound.device)
        first, length = (torch.from_numpy(part[index]).to(self.sound.device) for part in (self.starts, self.lengths))
        place = begin[:, None] + torch.arange(wanted, device=self.sound.device)
        inside = (place >= 0) & (place < length[:, None])
        found = self.sound[(first[:, None] + place).clamp(0, len(self.sound) - 1)]
        return torch.where(inside, found.float() / 32768.0, 0.0)


def level_db(crops: Tensor) -> Tensor:
    """The RMS level of each of ``(batch, samples)``, dB re full scale."""
    return 10.0 * (crops.square().mean(-1) + 1e-12).log10()
