"""How loud the first and the last 10 ms of a clip come back, beside the same 10 ms inside a longer clip.

``python benchmarks/edges.py FOLDER``: clips are cut out of recordings at random places in loud, voiced speech. Prints a
Markdown table: the median difference in dB, the share of clips within 3 dB, and what the margin beyond both ends
costs in bytes of a file.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

import vqaudio
from vqaudio.audio.file_source import SUFFIXES
from vqaudio.audio.resampling import read_mono
from vqaudio.files import files_below
from vqaudio.registry import DEFAULT_MODEL

Wave = NDArray[np.float32]
AROUND = 0.5
"""Seconds of speech around a clip in the longer one."""
EDGE = 0.010  # s
LOUD = 0.7  # of the recording's RMS, in the first and the last 10 ms


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Measure both ends of clips that are cut out of speech.")
    default = Path(os.environ.get("VQAUDIO_DATA", "../shared/data")) / "speech" / "librispeech"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="recordings (default: %(default)s)")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--clips", type=int, default=30, help="of each length (default: %(default)s)")
    parser.add_argument("--seconds", default="0.01,0.02,0.06,0.3,1,5", help="lengths (default: %(default)s)")
    parser.add_argument("--codebooks", default="9,3", help="numbers of codebooks (default: %(default)s)")
    parser.add_argument("--rates", default="16000", help="of the clips, Hz (default: %(default)s)")
    options = parser.parse_args()
    codec = vqaudio.load(options.model)
    paths = files_below(options.folder, SUFFIXES)
    print(
        "| rate | codebooks | seconds | first 10 ms | within 3 dB | last 10 ms | within 3 dB | bytes | for the margin |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for rate in map(int, options.rates.split(",")):
        for seconds in map(float, options.seconds.split(",")):
            found = list(clips(paths, rate, seconds, options.clips))
            for n_codebooks in map(int, options.codebooks.split(",")):
                print(row(codec, found, rate, seconds, n_codebooks), flush=True)
    return 0


def clips(paths: Sequence[Path], rate: int, seconds: float, count: int) -> Iterator[tuple[Wave, slice]]:
    """Longer clips, and where in each the clip is."""
    random = np.random.default_rng(0)
    around, edge, length = round(AROUND * rate), round(EDGE * rate), round(seconds * rate)
    for path in random.permutation(np.array(paths, dtype=object)):
        wave = read_mono(path, 16000)
        wave = soxr.resample(wave, 16000, rate, quality="HQ") if rate != 16000 else wave
        last = len(wave) - length - around
        for start in random.integers(around, last, 200) if last > around else ():
            cut = wave[start : start + length]
            if min(cut[:edge].std(), cut[-edge:].std()) > LOUD * wave.std():
                yield wave[start - around : start + length + around], slice(around, around + length)
                count -= 1
                break
        if not count:
            return


def row(codec: Any, found: Sequence[tuple[Wave, slice]], rate: int, seconds: float, n_codebooks: int) -> str:
    """A line of the table."""
    edge = round(EDGE * rate)
    first, last, sizes, plain = [], [], [], []
    for longer, place in found:
        inside = codec.decode(codec.encode(longer, rate, n_codebooks=n_codebooks))[0, place]
        data = codec.compress(longer[place], rate, n_codebooks=n_codebooks)
        alone = codec.decompress(data)[0][0]
        first.append(decibels(alone[:edge]) - decibels(inside[:edge]))
        last.append(decibels(alone[-edge:]) - decibels(inside[-edge:]))
        sizes.append(len(data))
        margin, codec.margin = codec.margin, 0
        plain.append(len(codec.compress(longer[place], rate, n_codebooks=n_codebooks)))
        codec.margin = margin
    cells = [f"{rate}", f"{n_codebooks}", f"{seconds:g}"]
    for differences in (first, last):
        cells += [f"{np.median(differences):+.1f} dB", f"{np.mean(np.abs(differences) <= 3):.0%}"]
    return "| " + " | ".join([*cells, f"{np.mean(sizes):.0f}", f"{np.mean(sizes) - np.mean(plain):.0f}"]) + " |"


def decibels(wave: Wave) -> float:
    """The level of a stretch of sound."""
    return 10 * float(np.log10(np.mean(np.square(wave, dtype=np.float64)) + 1e-12))


if __name__ == "__main__":
    raise SystemExit(main())
