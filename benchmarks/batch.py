"""``python benchmarks/batch.py``: how fast many clips are coded by ``encode_batch``, and one after the other.

Both take turns within each round, so that whatever else the machine does slows both alike; a ratio is taken per round,
then its median. Each number of threads has a process of its own, as libraries ask for it when they are loaded.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from prior import syllables

import vqaudio
from vqaudio.audio.file_source import SUFFIXES
from vqaudio.audio.resampling import read_mono
from vqaudio.cli.program import Command
from vqaudio.codec.codes import Codes
from vqaudio.files import files_below
from vqaudio.registry import DEFAULT_MODEL


@click.command("benchmarks/batch.py", cls=Command, example="--clips 40 --threads 1,2")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, metavar="NAME|PATH")
@click.option("--device", default="cpu", show_default=True)
@click.option("--backend", type=click.Choice(["onnx", "torch"]), help="default: onnx on the CPU")
@click.option("--precision", default="float32", show_default=True, help="float32 or bf16")
@click.option("--clips", type=int, default=40, show_default=True, metavar="N")
@click.option("--shortest", type=float, default=1.0, show_default=True, metavar="TIME")
@click.option("--longest", type=float, default=15.0, show_default=True, metavar="TIME")
@click.option("--threads", default="1,2", show_default=True, metavar="N,...")
@click.option("--rounds", type=int, default=5, show_default=True, metavar="N")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N")
def main(folder: Path | None, threads: str, **options: object) -> int:
    """Code clips of the recordings in FOLDER, or of made sound, and print a row for each number of threads."""
    asked = os.environ.get("VQAUDIO_BENCHMARK")
    if asked:
        print(json.dumps(measured(folder, **json.loads(asked))))
        return 0
    print("| threads | one after the other: clips/s | × real time | in a batch: clips/s | × real time | ratio |")
    print("|---:|---:|---:|---:|---:|---:|")
    for count in threads.split(","):
        known = os.environ | {"OMP_NUM_THREADS": count, "VQAUDIO_BENCHMARK": json.dumps(options)}
        command = [sys.executable, __file__, *([] if folder is None else [str(folder)])]
        said = subprocess.run(command, env=known, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(row(count, json.loads(said)), flush=True)
    return 0


def measured(
    folder: Path | None,
    *,
    model: str,
    device: str,
    backend: str | None,
    precision: str,
    clips: int,
    shortest: float,
    longest: float,
    rounds: int,
    seed: int,
) -> dict[str, Any]:
    """Seconds of sound, clips, and the seconds that each round took either way."""
    codec = vqaudio.load(model, device, backend=backend, precision=precision)
    rate, random = codec.sample_rate, np.random.default_rng(seed)
    sizes = [round(seconds * rate) for seconds in random.uniform(shortest, longest, clips)]
    sounds = cut(folder, rate, sizes, random)

    def alone() -> list[Codes]:
        return [codec.encode(wav, rate, with_margin=False) for wav in sounds]

    def together() -> list[Codes]:
        return codec.encode_batch(sounds, rate, with_margin=False)

    for one, other in zip(alone(), together(), strict=True):  # which also warms up
        assert all(map(np.array_equal, one.streams, other.streams))
    took: list[list[float]] = [[], []]
    for _ in range(rounds):
        for work, times in zip((alone, together), took, strict=True):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
    return {"seconds": sum(map(len, sounds)) / rate, "clips": clips, "took": took}


def cut(folder: Path | None, rate: int, sizes: list[int], random: np.random.Generator) -> list[NDArray[np.float32]]:
    """Clips of these lengths: one from each recording in random order, or of made sound."""
    if folder is None:
        sound = syllables(max(sizes) / rate + 5, rate)
        return [sound[at : at + size] for size in sizes for at in [int(random.integers(len(sound) - size))]]
    paths = np.array(files_below(folder, SUFFIXES), dtype=object)
    clips: list[NDArray[np.float32]] = []
    for path in random.permutation(paths):
        if len(clips) == len(sizes):
            break
        wav = read_mono(path, rate)[: sizes[len(clips)]]
        clips += [wav] if len(wav) else []
    return clips


def row(threads: str, found: dict[str, Any]) -> str:
    """A line of the table."""
    cells = [threads]
    for times in found["took"]:
        cells += [f"{found[name] / statistics.median(times):.3g}" for name in ("clips", "seconds")]
    ratios = [alone / together for alone, together in zip(*found["took"], strict=True)]
    cells += [f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    raise SystemExit(main())
