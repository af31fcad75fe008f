"""Judges of spoken digit strings: which digits are said, and by whom. They learn from real takes alone, from no codec.

    python -m recipes.digits.judge DATA JUDGES.pt

DATA is the folder that recipes.digits.prepare made. Both are convolutional networks over log-mel spectra. That of
digits is trained by connectionist temporal classification (Graves et al., "Connectionist temporal classification",
2006), that of speakers by the mean of what it makes of each frame.
"""

from __future__ import annotations

import argparse
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from recipes.digits.compose import SAMPLE_RATE, draw, read_takes
from recipes.digits.strings import WORDS, Spoken
from vqaudio.audio.recordings import list_recordings
from vqaudio.cli import command
from vqaudio.evaluation.metrics import Wave
from vqaudio.files import atomic_write

BLANK = 0
NOISE_DB = (10.0, 45.0)  # that white noise in training strings is below their level
RATE = 3e-3
CHANNELS = 160
OF_SPEAKERS = 4
"""Speakers are told apart after so many times fewer steps than digits."""

Draw = Callable[[np.random.Generator], tuple[Spoken, str]]
"""Draws a string and who says it."""


class Judge(nn.Module):
    """Log-mel spectra of sounds at ``sample_rate`` (Hz) to scores of some outputs, 50 times a second."""

    def __init__(self, n_outputs: int, *, sample_rate: int, channels: int = CHANNELS):
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            sample_rate, n_fft=256, hop_length=sample_rate // 100, n_mels=40, f_min=60.0, power=1.0
        )
        layers: list[nn.Module] = []
        for inputs, stride, dilation in ((40, 2, 1), *((channels, 1, dilation) for dilation in (1, 2, 4, 4))):
            layers += [
                nn.Conv1d(inputs, channels, 5, stride, padding=2 * dilation, dilation=dilation),
                nn.BatchNorm1d(channels),
                nn.ReLU(),
                nn.Dropout(0.1),
            ]
        self.body = nn.Sequential(*layers, nn.Conv1d(channels, n_outputs, 1))

    def forward(self, sound: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch, samples)`` to scores ``(batch, outputs, frames)``, and the frames that each sound has."""
        level = (sound.square().sum(-1, keepdim=True) / lengths[:, None]).sqrt()
        mel = (self.mel(0.1 * sound / (level + 1e-6)) + 1e-3).log()
        heard = (torch.arange(mel.shape[-1]) <= (lengths // self.mel.hop_length)[:, None])[:, None]
        mean = (mel * heard).sum((1, 2), keepdim=True) / (heard.sum((1, 2), keepdim=True) * mel.shape[1])
        made = self.body((mel - mean) * heard)  # zeros where a sound is over
        frames = (lengths // (self.mel.hop_length * 2) + 1).clamp(max=made.shape[-1])
        return made.float(), frames

    @torch.inference_mode()
    def scores(self, sound: Wave) -> Tensor:
        """Those of one sound ``(samples,)``: ``(outputs, frames)``."""
        self.eval()
        made, _ = self(torch.from_numpy(np.ascontiguousarray(sound))[None], torch.tensor([len(sound)]))
        scores: Tensor = made[0]
        return scores

    @abstractmethod
    def loss(self, scores: Tensor, frames: Tensor, strings: Sequence[tuple[Spoken, str]]) -> Tensor:
        """How far scores are from what was said and by whom."""


class DigitJudge(Judge):
    """Hears which digits are said."""

    def __init__(self, *, sample_rate: int, channels: int = CHANNELS):
        super().__init__(1 + len(WORDS), sample_rate=sample_rate, channels=channels)

    def loss(self, scores: Tensor, frames: Tensor, strings: Sequence[tuple[Spoken, str]]) -> Tensor:
        """See :meth:`Judge.loss`."""
        said = [torch.tensor([1 + int(digit) for digit in string.digits]) for string, _ in strings]
        symbols = scores.log_softmax(1).permute(2, 0, 1)
        return functional.ctc_loss(symbols, torch.cat(said), frames, torch.tensor([len(one) for one in said]))

    def listen(self, sound: Wave) -> str:
        """What is said in ``(samples,)``, in words."""
        best = self.scores(sound).argmax(0).unique_consecutive().tolist()
        return " ".join(WORDS[symbol - 1] for symbol in best if symbol != BLANK)


class SpeakerJudge(Judge):
    """Hears which of some speakers speaks."""

    def __init__(self, speakers: Sequence[str], *, sample_rate: int, channels: int = CHANNELS):
        super().__init__(len(speakers), sample_rate=sample_rate, channels=channels)
        self.speakers = list(speakers)

    def loss(self, scores: Tensor, frames: Tensor, strings: Sequence[tuple[Spoken, str]]) -> Tensor:
        """See :meth:`Judge.loss`."""
        inside = torch.arange(scores.shape[-1]) < frames[:, None]
        means = (scores * inside[:, None]).sum(-1) / frames[:, None]
        return functional.cross_entropy(means, torch.tensor([self.speakers.index(name) for _, name in strings]))

    def name(self, sound: Wave) -> str:
        """Who speaks in ``(samples,)``."""
        return self.speakers[int(self.scores(sound).mean(1).argmax())]


def train(judge: Judge, draw: Draw, *, steps: int, batch_size: int = 24, seed: int = 0) -> None:
    """Let a judge hear ``steps`` batches of what ``draw`` gives, in more or less white noise."""
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(judge.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    judge.train()
    for step in tqdm(range(steps), "training", disable=None):
        random = np.random.default_rng([seed, step])
        strings = [draw(random) for _ in range(batch_size)]
        lengths = torch.tensor([len(string.sound) for string, _ in strings])
        sound = torch.zeros(batch_size, int(lengths.max()))
        for row, (string, _) in enumerate(strings):
            sound[row, : len(string.sound)] = torch.from_numpy(_in_noise(string.sound, random))
        with torch.autocast("cpu", torch.bfloat16):
            scores, frames = judge(sound, lengths)
        optimizer.zero_grad()
        judge.loss(scores, frames, strings).backward()
        nn.utils.clip_grad_norm_(judge.parameters(), 2.0)
        optimizer.step()
        schedule.step()
    judge.eval()


def _in_noise(sound: Wave, random: np.random.Generator) -> Wave:
    level = float(np.sqrt((sound**2).mean())) * 10.0 ** (-random.uniform(*NOISE_DB) / 20.0)
    return sound + np.float32(level) * random.standard_normal(len(sound), dtype=np.float32)


# ------------------------------------------------------------------------------------------------------------- as files


@dataclass(frozen=True)
class Judges:
    """Both, for strings at the recipe's rate."""

    of_digits: DigitJudge
    of_speakers: SpeakerJudge

    def save(self, path: Path) -> None:
        """Write them, whole or not at all."""
        speakers = self.of_speakers
        states = {
            "digits": self.of_digits.state_dict(),
            "speakers": speakers.state_dict(),
            "names": speakers.speakers,
        }
        with atomic_write(path) as file:
            torch.save(states, file)

    @classmethod
    def load(cls, path: Path) -> Judges:
        """What :meth:`save` wrote."""
        states = torch.load(path, weights_only=True)
        judges = cls(DigitJudge(sample_rate=SAMPLE_RATE), SpeakerJudge(states["names"], sample_rate=SAMPLE_RATE))
        judges.of_digits.load_state_dict(states["digits"])
        judges.of_speakers.load_state_dict(states["speakers"])
        return judges


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="judge.py", description="Train the judges of digit strings.")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=3000, help="batches of 24 strings (default: %(default)s)")
    options = parser.parse_args(argv)
    takes = read_takes(
        item for item in list_recordings(options.data) if (item.corpus, item.split) == ("digits", "train")
    )
    speakers = list(takes)

    def string(random: np.random.Generator) -> tuple[Spoken, str]:
        speaker = speakers[random.integers(len(speakers))]
        return draw(takes[speaker], random=random, varied=True), speaker

    judges = Judges(DigitJudge(sample_rate=SAMPLE_RATE), SpeakerJudge(speakers, sample_rate=SAMPLE_RATE))
    train(judges.of_digits, string, steps=options.steps)
    train(judges.of_speakers, string, steps=max(2, options.steps // OF_SPEAKERS))
    judges.save(options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
