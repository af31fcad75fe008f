"""Recordings in memory, and crops of them: which crops a step hears is a function of seed, step and rank alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import librosa
import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from vqaudio.config import DataConfig, ModelConfig
from vqaudio.errors import AudioError
from vqaudio.resampling import read_mono
from vqaudio.training.recordings import data_folder, list_recordings

EQUALISER_BANDS = 8  # equally far from each other on the mel scale


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


def to_int16(sound: NDArray[np.float32]) -> NDArray[np.int16]:
    """Full scale 1.0 to 32767, rounded and clipped: half the memory of float32."""
    rounded: NDArray[np.int16] = (np.clip(sound, -1.0, 1.0) * 32767.0).round().astype(np.int16)
    return rounded


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


AS_THEY_ARE = {
    "speed_probability": 0.0,
    "level_probability": 0.0,
    "disguised": 0.0,
    "noise": 0.0,
    "unknown_speaker": 0.0,
}
"""Settings of crops that nothing is varied in."""


class Crops:
    """Batches of crops from the recordings of one split, all held in memory as int16 (115 MB an hour at 16 kHz).

    Crops are ``crop_seconds`` long, rounded to a multiple of ``hop_length`` samples. Only those for training are
    varied: others are stretches of the recordings, to the sample.
    """

    def __init__(self, config: DataConfig, model: ModelConfig, split: str, seed: int = 0, progress: bool = False):
        self.varied = split == "train"
        self.config = config if self.varied else config.model_copy(update=AS_THEY_ARE)
        self.sample_rate, self.seed = model.sample_rate, seed
        self.samples = max(1, round(config.crop_seconds * model.sample_rate / model.hop_length)) * model.hop_length
        folder = data_folder(config.folder)
        recordings = list_recordings(folder)
        chosen = [item for item in recordings if item.split == split]
        unknown = set(config.weights) - {item.corpus for item in recordings}
        if unknown:
            raise AudioError(f"data.weights names {', '.join(sorted(unknown))}, but {folder} holds no such corpus")
        sounds: dict[str, list[NDArray[np.int16]]] = {}
        voices: dict[str, list[int]] = {}
        numbers = {name: number for number, name in enumerate(model.speakers, start=1)}
        for item in tqdm(chosen, desc=f"reading {split}", unit="file", leave=False, disable=None if progress else True):
            sound = to_int16(read_mono(item.path, self.sample_rate))
            if len(sound):
                sounds.setdefault(item.corpus, []).append(sound)
                voices.setdefault(item.corpus, []).append(numbers.get(item.speaker, 0))
        if not sounds:
            raise AudioError(f"{folder}: no recordings in the split {split!r}; add some or set data.folder")
        self.corpora = sorted(sounds)
        self.sounds = [sounds[corpus] for corpus in self.corpora]
        self.voices = [voices[corpus] for corpus in self.corpora]
        seconds = np.array([sum(map(len, group)) for group in self.sounds], dtype=float)
        share = [
            config.weights.get(name, float(s / seconds.sum())) for name, s in zip(self.corpora, seconds, strict=True)
        ]
        if not any(share):
            raise AudioError(f"data.weights gives every corpus of {folder} ({split}) the share 0; raise one")
        self.share = np.array(share) / np.sum(share)
        self.by_length = [np.array([len(sound) for sound in group], dtype=float) for group in self.sounds]
        self.seconds = float(seconds.sum()) / self.sample_rate

    def batch(self, step: int, rank: int = 0, size: int | None = None) -> CropBatch:
        """The crops of one step, always the same for the same seed, step and rank."""
        random = np.random.default_rng([self.seed, step, rank])
        crops, voices = zip(*(self._draw(random) for _ in range(size or self.config.batch_size)), strict=True)
        target = torch.from_numpy(np.stack(crops))[:, None]
        source = target
        if self.config.disguised:
            source = torch.from_numpy(np.stack([self._disguised(crop, random) for crop in crops]))[:, None]
        if self.config.noise:
            source = self._noisy(source, random)
        told = random.random(len(crops)) >= self.config.unknown_speaker
        return CropBatch(target, source, torch.tensor(voices) * torch.from_numpy(told))

    def _disguised(self, crop: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
        """The crop, or perhaps the crop with other pitch, formants and colour: codes cannot tell whose it was.

        Source: Choi et al., "Neural analysis and synthesis", 2021, section 2.1.
        """
        if random.random() >= self.config.disguised:
            return crop
        steps = random.uniform(*self.config.pitch_semitones)
        moved = librosa.effects.pitch_shift(crop, sr=self.sample_rate, n_steps=steps, n_fft=1024, res_type="soxr_mq")
        gains_db = random.uniform(-self.config.equaliser_db, self.config.equaliser_db, EQUALISER_BANDS)
        centres = librosa.mel_frequencies(EQUALISER_BANDS, fmin=0.0, fmax=self.sample_rate / 2)
        curve_db = np.interp(np.fft.rfftfreq(len(crop), 1 / self.sample_rate), centres, gains_db)
        return np.fft.irfft(np.fft.rfft(moved) * 10.0 ** (curve_db / 20.0), len(crop)).astype(np.float32)

    def _noisy(self, crops: Tensor, random: np.random.Generator) -> Tensor:
        """Crops with white noise: ``x + w r n``, w the configured weight, r the crop's RMS level, n of variance 1.

        Source: Vincent et al., "Extracting and composing robust features with denoising autoencoders", 2008, section
        2.3: what is to come out stays clean.
        """
        noise = torch.from_numpy(random.standard_normal(tuple(crops.shape), np.float32))
        return crops + self.config.noise * crops.square().mean(-1, keepdim=True).sqrt() * noise

    def _draw(self, random: np.random.Generator) -> tuple[NDArray[np.float32], int]:
        for _ in range(8):
            crop, voice = self._cut(random)
            level = 10.0 * np.log10(float(np.mean(crop**2)) + 1e-12)
            if level > self.config.silence_db:
                break
        if random.random() < self.config.level_probability:
            crop = crop * np.float32(10.0 ** ((random.uniform(*self.config.level_db) - max(level, -70.0)) / 20.0))
            crop = crop / np.float32(max(1.0, float(np.abs(crop).max())))
        return crop * np.float32(random.choice((-1.0, 1.0)) if self.varied else 1.0), voice

    def _cut(self, random: np.random.Generator) -> tuple[NDArray[np.float32], int]:
        """A random stretch of a random file (longer files more often), perhaps played faster or slower; and who speaks.

        At another speed it is nobody's voice.
        """
        corpus = random.choice(len(self.corpora), p=self.share)
        lengths = self.by_length[corpus]
        index = random.choice(len(lengths), p=lengths / lengths.sum())
        sound, voice = self.sounds[corpus][index], self.voices[corpus][index]
        speed = random.uniform(*self.config.speed_range) if random.random() < self.config.speed_probability else 1.0
        wanted = int(np.ceil(self.samples * speed)) + 2
        start = int(random.integers(-wanted // 8, max(1, len(sound) - wanted + wanted // 8)))
        piece = np.zeros(wanted, dtype=np.float32)
        first, last = max(0, start), min(len(sound), start + wanted)
        piece[first - start : last - start] = sound[first:last] / np.float32(32768.0)
        if speed != 1.0:
            piece = soxr.resample(piece, self.sample_rate * speed, self.sample_rate, quality="MQ")
            voice = 0
        return np.ascontiguousarray(piece[: self.samples]), voice
