"""``python -m benchmarks.made_corpus``: a corpus of any length by rule, which takes little disk.

A few hours of sound that rises, falls and pauses as speech does are made from seeds and written as FLAC, into
WebDataset tars or as files with a manifest. From there on they repeat: further tars and files are links to the first
ones, each under a name of its own, so that a hundred hours are a hundred hours of reading, coding and ids, and need no
more space than the hours that were made.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click
import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16000  # Hz
SHORTEST, LONGEST = 2.0, 20.0  # seconds of an utterance
CONSONANTS, VOWELS = "bdgklmnprst", "aeiou"
FORMANTS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
"""Peterson & Barney (1952), averages for men, in Hz."""
BANDWIDTH = 120.0  # Hz
HARMONICS = 24


@dataclass(frozen=True)
class Made:
    """One utterance: its sound ``(samples,)`` float32 at :data:`RATE`, its speaker, and its syllables in words."""

    sound: NDArray[np.float32]
    speaker: str
    text: str

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.sound) / RATE


def made_utterance(seed: int) -> Made:
    """Syllables of a consonant, which is noise, and a vowel, harmonics under three formants; words end in pauses.

    The same for a seed at every call. It lasts from :data:`SHORTEST` to :data:`LONGEST` seconds.
    """
    random = np.random.default_rng([17, seed])
    speaker = int(random.integers(40))
    own = np.random.default_rng([18, speaker])
    pitch, size = own.uniform(85, 230), own.uniform(0.9, 1.2)
    n_samples = int(RATE * random.uniform(SHORTEST, LONGEST))
    pieces: list[NDArray[np.float64]] = []
    words, word = [], ""
    filled = 0
    while filled < n_samples:
        consonant, vowel = random.choice(list(CONSONANTS)), random.choice(list(VOWELS))
        word += consonant + vowel
        slope = 1.0 - 0.3 * filled / n_samples
        pieces.append(_syllable(vowel, pitch * slope * random.uniform(0.9, 1.15), size, random))
        if random.random() < 0.4:
            words.append(word)
            word = ""
            pieces.append(0.0005 * random.standard_normal(int(RATE * random.exponential(0.15))))
        filled = sum(map(len, pieces))
    sound = np.concatenate(pieces)[:n_samples]
    level = random.uniform(0.1, 0.6) / np.abs(sound).max()
    return Made((level * sound).astype(np.float32), f"speaker {speaker:02}", " ".join([*words, word]).strip())


def _syllable(vowel: str, pitch: float, size: float, random: np.random.Generator) -> NDArray[np.float64]:
    """A burst of noise and a voiced stretch, 0.12 to 0.32 s in all."""
    burst = random.standard_normal(int(RATE * random.uniform(0.02, 0.08)))
    burst = np.diff(burst, prepend=0.0) * np.hanning(len(burst)) * random.uniform(0.02, 0.2)
    time = np.arange(int(RATE * random.uniform(0.1, 0.24))) / RATE
    glide = pitch * (1 + random.uniform(-0.6, 0.6) * time)
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    harmonics = np.arange(1, HARMONICS + 1)
    frequency = pitch * harmonics
    peaks = np.array(FORMANTS[vowel])[:, None] * size
    weights = (1 / (1 + ((frequency - peaks) / BANDWIDTH) ** 2)).sum(0) + 0.02
    voiced = (weights / harmonics**0.5) @ np.sin(np.outer(harmonics, phase))
    voiced += 0.02 * random.standard_normal(len(time))
    return np.concatenate([burst, voiced * np.hanning(len(time)) ** 0.5])


def write_tars(folder: Path, hours: float, distinct: float, per_tar: int) -> tuple[int, float]:
    """Tars of ``per_tar`` utterances: of each a FLAC file, its text, and JSON with the speaker.

    The first ``distinct`` hours are made, and their tars come again and again. Returns the number of utterances, and
    seconds.
    """
    tars: list[tuple[Path, int, float]] = []
    made = _utterances(min(hours, distinct))
    while batch := list(islice(made, per_tar)):
        path = folder / f"{len(tars):06}.tar"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for seed, one in batch:
                known = {"speaker": one.speaker, "duration": one.seconds}
                parts = {"flac": _flac(one), "txt": one.text.encode(), "json": json.dumps(known).encode()}
                for suffix, data in parts.items():
                    entry = tarfile.TarInfo(f"{seed:07}.{suffix}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
        tars.append((path, len(batch), sum(one.seconds for _, one in batch)))
    number, count, seconds = 0, 0, 0.0
    while seconds < hours * 3600:
        path, more, longer = tars[number % len(tars)]
        if number >= len(tars):
            _link(path, folder / f"{number:06}.tar")
        number, count, seconds = number + 1, count + more, seconds + longer
    return count, seconds


def write_files(folder: Path, hours: float, distinct: float) -> tuple[int, float]:
    """FLAC files and a ``manifest.csv``, likewise."""
    files: list[tuple[Path, str, float]] = []
    for seed, one in _utterances(min(hours, distinct)):
        path = folder / f"{seed:07}.flac"
        path.write_bytes(_flac(one))
        files.append((path, one.speaker, one.seconds))
    number, seconds = 0, 0.0
    with (folder / "manifest.csv").open("w", newline="") as file:
        manifest = csv.writer(file)
        manifest.writerow(("path", "corpus", "split", "speaker", "label"))
        while seconds < hours * 3600:
            path, speaker, longer = files[number % len(files)]
            name = folder / f"{number:07}.flac"
            if number >= len(files):
                _link(path, name)
            manifest.writerow((name.name, "made", "valid" if number % 20 == 19 else "train", speaker, ""))
            number, seconds = number + 1, seconds + longer
    return number, seconds


def _utterances(hours: float) -> Iterator[tuple[int, Made]]:
    """At least so many hours, each with its seed."""
    seed, seconds = 0, 0.0
    while seconds < hours * 3600:
        made = made_utterance(seed)
        yield seed, made
        seed, seconds = seed + 1, seconds + made.seconds


def _flac(made: Made) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, made.sound, RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _link(made: Path, name: Path) -> None:
    """The same bytes under one more name; a symbolic link where the disk has no others."""
    try:
        os.link(made, name)
    except OSError:
        name.symlink_to(made.name)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--hours", type=click.FloatRange(0, min_open=True), default=100.0, help="of the whole corpus")
@click.option(
    "--distinct", type=click.FloatRange(0, min_open=True), default=2.0, help="hours that are made, and then repeat"
)
@click.option("--tars", type=click.IntRange(0), default=128, help="utterances a tar; 0 for files with a manifest")
def main(folder: Path, hours: float, distinct: float, tars: int) -> None:
    """Write the corpus into a folder."""
    folder.mkdir(parents=True)
    count, seconds = write_tars(folder, hours, distinct, tars) if tars else write_files(folder, hours, distinct)
    print(f"{count} utterances, {seconds / 3600:.2f} hours in {folder}")


if __name__ == "__main__":
    main()
