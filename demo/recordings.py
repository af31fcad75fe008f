"""What visitors bring: sound files, small and short enough, or one sentence that says why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.file_source import FileSource
from vqaudio.audio.resampling import resample
from vqaudio.audio.source import Source, Window
from vqaudio.errors import AudioError, VqaudioError
from vqaudio.files import open_input

MAX_BYTES = 25 * 2**20
MAX_SECONDS = 60
MAX_CHANNELS = 2
MAX_RATE = 192_000  # Hz


@dataclass(frozen=True)
class Recording:
    """A sound in memory: ``wav`` is float32 ``(channels, samples)`` at ``sample_rate`` (Hz).

    ``problems``: what its file lacks, in sentences.
    """

    name: str
    wav: Window
    sample_rate: int
    problems: tuple[str, ...] = ()

    @property
    def source(self) -> ArraySource:
        """The sound as the codec reads it."""
        return ArraySource(self.wav, self.sample_rate, name=self.name)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.wav.shape[1] / self.sample_rate

    @property
    def wav_bytes(self) -> int:
        """What it takes as a 16-bit WAV."""
        return 44 + 2 * self.wav.size

    def mono(self, sample_rate: int) -> NDArray[np.float32]:
        """The mean of its channels ``(samples,)`` at another rate (Hz)."""
        sound = resample(ArraySource(self.wav.mean(axis=0), self.sample_rate), sample_rate)
        return sound.read(0, sound.n_samples)[0]


def read(path: str | None) -> Recording:
    """A visitor's file, whole.

    Raises:
        VqaudioError: none was given. AudioError: it cannot be read, or is longer or wider than is taken here.
    """
    if path is None:
        raise VqaudioError("There is no recording yet: bring one above, or pick an example")
    name = Path(path).name  # never the path: messages are shown to visitors
    with open_input(path) as file, FileSource(file, name, most_seconds=MAX_SECONDS) as sound:
        check_size(sound, name)
        return Recording(name, sound.read(0, sound.n_samples), sound.sample_rate, sound.problems)


def check_size(sound: Source, name: str) -> None:
    """Do nothing where a sound is one that the demo takes.

    Raises:
        AudioError: it is too long, has too many channels or too high a rate.
    """
    seconds = sound.n_samples / sound.sample_rate
    if seconds > MAX_SECONDS:
        raise AudioError(f"{name}: lasts {seconds:.0f} s, and this page takes at most {MAX_SECONDS} s: cut it first")
    if sound.channels > MAX_CHANNELS or sound.sample_rate > MAX_RATE:
        raise AudioError(
            f"{name}: has {sound.channels} channels at {sound.sample_rate} Hz, and this page takes at most "
            f"{MAX_CHANNELS} channels at {MAX_RATE} Hz: mix it down first"
        )
