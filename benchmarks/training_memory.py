"""``python -m benchmarks.training_memory``: what memory each process of a training run takes, and what workers save.

A corpus is made by rule, several times larger than a process may be. While it is decoded and trained on, the memory
that is a process's own is read from the kernel: ``RssAnon``, in which pages of files that all processes share do not
count. Linux.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import click

from benchmarks.made_corpus import write_files
from benchmarks.processes import family, memory

CONFIG = "recipes/speech16k/base.yaml"
LOOK_SECONDS = 0.1
VARIED = ("batch_size=2", "equalised=0.3", "reverberant=0.3", "noisy=0.5")


def settings(folder: Path, workers: int, changes: tuple[str, ...]) -> list[str]:
    """What differs from the config, as ``train`` and ``override`` take it."""
    changed = {"out": folder / "run", "accelerator": "cpu", "quantize_after": 0, "log_every": 1000}
    data = {"folder": folder / "speech", "cache": folder / "cache", "workers": workers, "valid_seconds": 10}
    given = [f"{key}={value}" for key, value in changed.items()] + [
        f"data.{key}={value}" for key, value in data.items()
    ]
    return [*given, "data.corpora=[]", "data.weights={}", *(f"data.{each}" for each in VARIED), *changes]


# -------------------------------------------------------------------------------------------------------------- memory


def own_memory(pid: int) -> float:
    """MB that are no other process's and no file's."""
    return memory(pid, "RssAnon") / 1e6


@dataclass
class Peaks:
    """The most that the first process, and any of the others, had of its own (MB); how long all took (s)."""

    first: float = 0.0
    other: float = 0.0
    processes: int = 1
    seconds: float = 0.0


def watched(command: list[str]) -> Peaks:
    """Run a command and look at its processes."""
    peaks, start = Peaks(), time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        while child.poll() is None:
            found = list(family(child.pid))
            peaks.first = max(peaks.first, own_memory(child.pid))
            peaks.other = max([peaks.other, *map(own_memory, found[1:])])
            peaks.processes = max(peaks.processes, len(found))
            time.sleep(LOOK_SECONDS)
    peaks.seconds = time.perf_counter() - start
    if child.returncode:
        raise click.ClickException(f"{' '.join(command)}: exit status {child.returncode}")
    return peaks


def trained(folder: Path, steps: int, workers: int, changes: tuple[str, ...]) -> Peaks:
    """Of a run of some steps, which decodes the corpus first where nobody has."""
    given = [part for each in [*settings(folder, workers, changes), f"steps={steps}"] for part in ("--set", each)]
    return watched([sys.executable, "-m", "vqaudio.train", CONFIG, *given, "--quiet"])


# --------------------------------------------------------------------------------------------------------------- steps


def step_seconds(
    folder: Path, counts: list[int], steps: int, rounds: int, changes: tuple[str, ...]
) -> dict[int, list[float]]:
    """Median seconds of a step in each round, by how many workers prepare its crops; they take turns."""
    from vqaudio.config.runs import load_yaml, override, parse_run
    from vqaudio.training.loop import Trainer
    from vqaudio.training.prefetch import Prefetch

    run = parse_run(override(load_yaml(CONFIG), settings(folder, max(counts), changes)), source=CONFIG)
    trainer = Trainer(run, progress=False)
    task, taken = trainer.task, {}
    prefetched = {workers: Prefetch(task.train_crops, task.device, workers=workers) for workers in counts}
    for workers, made in prefetched.items():
        step = itertools.count()
        taken[workers] = SimpleNamespace(batch=lambda _, rank, made=made, step=step: made.batch(next(step), rank))
    found: dict[int, list[float]] = {workers: [] for workers in counts}
    for number, workers in itertools.product(range(rounds + 1), counts):
        task.prefetch, seconds = taken[workers], []
        for _ in range(steps):
            start = time.perf_counter()
            trainer._train_step()
            seconds.append(time.perf_counter() - start)
            trainer.step += 1
        if number:  # the first ones start processes
            found[workers].append(statistics.median(seconds))
    for made in prefetched.values():
        made.close()
    return found


@click.command()
@click.option("--hours", type=float, default=32.0, show_default=True, help="of the corpus: 115 MB each")
@click.option("--steps", type=int, default=6, show_default=True, help="of a run, and of a round")
@click.option("--rounds", type=int, default=5, show_default=True, help="in which steps are timed")
@click.option("--workers", type=int, default=2, show_default=True, help="that prepare crops, beside none")
@click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help="of the config: data.perturbed=1")
def main(hours: float, steps: int, rounds: int, workers: int, changes: tuple[str, ...]) -> None:
    """Measure, and print both tables."""
    with tempfile.TemporaryDirectory(prefix="vqaudio-") as name:
        folder = Path(name)
        (folder / "speech").mkdir()
        count, seconds = write_files(folder / "speech", hours, min(hours, 0.1))
        size = seconds * 16000 * 2 / 1e9
        print(f"{count} recordings, {seconds / 3600:.1f} hours, {size:.2f} GB as 16-bit integers\n")
        print("| run | processes | the one that trains: peak | others: peak | seconds |\n|---|---:|---:|---:|---:|")
        for title, beside in (("decodes, then trains", 0), ("no workers", 0), (f"{workers} workers", workers)):
            peaks = trained(folder, steps, beside, changes)
            other = f"{peaks.other:.0f} MB" if peaks.other else ""
            print(f"| {title} | {peaks.processes} | {peaks.first:.0f} MB | {other} | {peaks.seconds:.0f} |", flush=True)
            shutil.rmtree(folder / "run")
        found = step_seconds(folder, [0, workers], steps, rounds, changes)
        print("\n| workers | seconds a step: median of rounds | least |\n|---|---:|---:|")
        for beside, each in found.items():
            print(f"| {beside} | {statistics.median(each):.3f} | {min(each):.3f} |")
        ratios = [none / some for none, some in zip(*found.values(), strict=True)]
        spread = f"{statistics.median(ratios):.3f} times as long ({min(ratios):.3f} to {max(ratios):.3f})"
        print(f"\nwithout workers a step takes {spread}")


if __name__ == "__main__":
    main()
