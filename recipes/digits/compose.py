"""Puts strings of one to six digits together from single takes, each by one speaker, and says where each digit begins.

    python -m recipes.digits.compose DATA OUT [--train 12000] [--valid 300]

DATA is the folder that recipes.digits.prepare made. OUT gets FLAC files and manifest.csv, with the columns text and
starts. Strings for validation are put together from takes for validation alone, as they are, and so is each speaker's
every third for training; the others are varied: see recipes.digits.strings.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from recipes.digits.strings import MOST, WORDS, Noise, Spoken, Takes, say
from vqaudio.audio.recordings import MANIFEST, Recording, list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.audio.sink import write_array
from vqaudio.cli import command
from vqaudio.evaluation.metrics import Wave
from vqaudio.evaluation.writing import write_text

SAMPLE_RATE = 8000
PLAIN_EVERY = 3
LEVELS = (-34.0, -18.0)  # dB RMS re full scale
COLUMNS = ("path", "corpus", "split", "speaker", "text", "starts", "seconds")


def read_takes(recordings: Iterable[Recording]) -> dict[str, Takes]:
    """The takes ``(samples,)`` of each digit, by speaker, and each speaker's noise."""
    sounds: dict[str, dict[str, list[Wave]]] = {}
    for item in recordings:
        sound = read_mono(item.path, SAMPLE_RATE)
        sounds.setdefault(item.speaker, {}).setdefault(item.label, []).append(sound)
    return {
        speaker: Takes(of, Noise([take for takes in of.values() for take in takes], sample_rate=SAMPLE_RATE))
        for speaker, of in sorted(sounds.items())
    }


def draw(takes: Takes, *, random: np.random.Generator, varied: bool) -> Spoken:
    """A string of random digits, as long as chance has it, at a random level."""
    digits = [str(digit) for digit in random.integers(len(WORDS), size=random.integers(1, MOST + 1))]
    spoken = say(digits, takes, sample_rate=SAMPLE_RATE, random=random, varied=varied)
    level = 10.0 * np.log10(np.mean(spoken.sound**2) + 1e-12)
    sound = spoken.sound * np.float32(10.0 ** ((random.uniform(*LEVELS) - level) / 20.0))
    return spoken.replaced(sound / np.float32(max(1.0, np.abs(sound).max())))


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="compose.py", description="Put strings of digits together from single takes.")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=12000, metavar="N", help="strings (default: %(default)s)")
    parser.add_argument("--valid", type=int, default=300, metavar="N", help="strings (default: %(default)s)")
    options = parser.parse_args(argv)
    recordings = [item for item in list_recordings(options.data) if item.corpus == "digits"]
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for split, count in (("train", options.train), ("valid", options.valid)):
        takes = read_takes(item for item in recordings if item.split == split)
        random = np.random.default_rng([0, split == "valid"])
        for number in tqdm(range(count), split, disable=None):
            turn, place = divmod(number, len(takes))
            speaker = list(takes)[place]
            spoken = draw(takes[speaker], random=random, varied=split == "train" and turn % PLAIN_EVERY != 0)
            name = f"{split}-{number:05}.flac"
            write_array(spoken.sound, options.out / name, sample_rate=SAMPLE_RATE)
            starts = " ".join(f"{start:.3f}" for start in spoken.starts)
            seconds = f"{len(spoken.sound) / SAMPLE_RATE:.3f}"
            rows.append((name, "digits", split, speaker, spoken.text, starts, seconds))
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *rows])
    write_text(options.out / MANIFEST, table.getvalue())
    print(f"{len(rows)} strings in {options.out / MANIFEST}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
