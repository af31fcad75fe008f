"""``python benchmarks/rdo.py``: how fast codes are chosen by their cost, chunk by chunk and with chunks side by side.

The ways take turns within each round, so that whatever else the machine does slows all of them alike; a ratio is taken
per round, then its median. As many threads run as ``OMP_NUM_THREADS`` says.
"""

from __future__ import annotations

import io
import statistics
import time

import click
from prior import syllables

import vqaudio
from vqaudio.audio.array_source import ArraySource
from vqaudio.cli.program import Command
from vqaudio.codec import rate_distortion, writing
from vqaudio.codec.options import CodingOptions
from vqaudio.registry import DEFAULT_MODEL


@click.command("benchmarks/rdo.py", cls=Command, example="--seconds 60")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, metavar="NAME|PATH")
@click.option("--codebooks", type=int, metavar="N", help="default: all")
@click.option("--rdo", type=float, default=0.2, show_default=True, metavar="LAMBDA")
@click.option("--seconds", type=float, default=60.0, show_default=True, metavar="TIME")
@click.option("--rounds", type=int, default=3, show_default=True, metavar="N")
def main(model: str, codebooks: int | None, rdo: float, seconds: float, rounds: int) -> int:
    """Compress a sound with --rdo, with its chunks one by one and side by side, and say how fast each was."""
    loaded = vqaudio.load(model)
    sound = ArraySource(syllables(seconds, loaded.sample_rate), loaded.sample_rate)
    took: dict[int, list[float]] = {1: [], rate_distortion.MAX_BATCH: []}
    for _ in range(rounds):
        for at_once, times in took.items():
            writing.MAX_BATCH = at_once  # type: ignore[attr-defined]
            started = time.perf_counter()
            loaded.write(sound, io.BytesIO(), options=CodingOptions(n_codebooks=codebooks, rdo=rdo))
            times.append(time.perf_counter() - started)
    one, many = took.values()
    for name, times in (("one by one", one), ("side by side", many)):
        print(f"chunks {name}: {seconds / statistics.median(times):.1f} x real time")
    ratios = [a / b for a, b in zip(one, many, strict=True)]
    print(f"side by side {statistics.median(ratios):.1f} x as fast ({min(ratios):.1f}-{max(ratios):.1f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
