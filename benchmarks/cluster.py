"""``python -m benchmarks.cluster``: tokens of a corpus by one worker and by two, Ray's and processes, in turn.

Each run is the command as users give it, a process of its own; each on Ray has a cluster of its own on this machine,
of one node a worker, which is up before the clock starts. So the clock sees all of the command: imports, joining the
cluster, models that are loaded in each worker, and what is left to one worker alone in the end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random

import click

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from clusters import LocalCluster  # (found beside the tests)
from killing import Tokenizing, kill_midway, shards

from benchmarks.made_corpus import write_tars
from benchmarks.processes import family, memory
from vqaudio.tokens.formats import FORMATS

EVERY = 0.5  # seconds between looks at memory
PEAK = "VmHWM"


@dataclass
class Used:
    """What processes used, as the kernel counts it.

    Attributes:
        driver, worker: the most memory (bytes, resident) that such a process held; ray: Ray's own, together.
        times: of each process, its processor time (s).
    """

    driver: int = 0
    worker: int = 0
    ray: int = 0
    times: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """One run: wall time (s), of that up to the first shard, sound (s), utterances, shards, their bytes, and memory.

    ``header`` is the time (s) that it takes to read what one shard says of itself, as where the manifest was lost.
    """

    wall: float
    start: float
    sound: float
    utterances: int
    shards: int
    size: int
    header: float
    used: Used

    @property
    def rate(self) -> float:
        """Times real time."""
        return self.sound / self.wall

    @property
    def cores(self) -> float:
        """Processor time (s) of all processes together, Ray's too: what it costs, whoever else uses the machine."""
        return sum(self.used.times.values())


def tokenized(
    source: Path, out: Path, options: list[str], cluster: LocalCluster | None, minutes: float | None = None
) -> Ran:
    """Run the command to its end, or for so many minutes; it must end well.

    Raises:
        click.ClickException: it does not, or not all of the tokens are there.
    """
    command = [sys.executable, "-m", "vqaudio.tokenize", str(source), str(out), "--quiet", *options]
    if cluster is not None:
        command += ["--cluster", cluster.address]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it puts aside ignore it, children too
    started, before = time.perf_counter(), time.time()
    driver = subprocess.Popen(command)
    with _watched(driver.pid, cluster) as used:
        try:
            status, stopped = driver.wait(None if minutes is None else 60 * minutes), False
        except subprocess.TimeoutExpired:
            driver.send_signal(signal.SIGINT)
            status, stopped = driver.wait(), True
    wall = time.perf_counter() - started
    if status and not stopped:
        raise click.ClickException(f"{' '.join(command)}: exit status {status}")
    made = list(out.glob("*.parquet"))
    said = json.loads((out / "_manifest.json").read_text(encoding="utf-8"))
    if said["failed"] or not (said["complete"] or stopped):
        raise click.ClickException(f"{out}: {said['shards']} of {said['planned']} shards, {said['failed']} failures")
    return Ran(
        wall,
        min(path.stat().st_mtime for path in made) - before,
        said["seconds"],
        said["recordings"],
        len(made),
        sum(path.stat().st_size for path in made),
        _header_seconds(out, said["format"]),
        used,
    )


def _header_seconds(out: Path, form: str) -> float:
    """The time that it takes to read the header of one of a folder's shards."""
    names = [path.stem for path in out.glob("*.parquet")]
    started = time.perf_counter()
    for name in names:
        FORMATS[form].header(str(out), name)
    return (time.perf_counter() - started) / len(names)


@contextmanager
def _watched(driver: int, cluster: LocalCluster | None) -> Iterator[Used]:
    """Look at processes again and again; the kernel keeps peak and time of each as long as it lives."""
    used, over = Used(), threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            workers = list(family(driver))[1:] if cluster is None else cluster.workers()
            own = set(cluster.processes() if cluster else ()) - {*workers}
            used.driver = max(used.driver, memory(driver, PEAK))
            used.worker = max([used.worker, *(memory(pid, PEAK) for pid in workers)])
            used.ray = max(used.ray, sum(memory(pid, "RssAnon") for pid in own))
            used.times |= {pid: spent for pid in (driver, *workers, *own) if (spent := _processor_time(pid))}

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield used
    finally:
        over.set()
        thread.join()


def _processor_time(pid: int) -> float:
    """Seconds that a process has run so far; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --------------------------------------------------------------------------------------------------------- command line


ARMS: dict[str, tuple[list[str], int]] = {
    "`--jobs 1`": (["--jobs", "1"], 0),
    "Ray, 1 worker": ([], 1),
    "`--jobs 2`": (["--jobs", "2"], 0),
    "Ray, 2 workers": ([], 2),
}
"""Options of the command, and nodes of one CPU."""


def measured(source: Path, arm: str, options: list[str], folder: Path, minutes: float | None = None) -> Ran:
    """One run, into a folder that is removed afterwards."""
    own, nodes = ARMS[arm]
    out = folder / "tokens"
    shutil.rmtree(out, ignore_errors=True)
    if not nodes:
        return tokenized(source, out, [*own, *options], None, minutes)
    with LocalCluster(nodes) as cluster:
        return tokenized(source, out, [*own, *options], cluster, minutes)


def _options(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.argument("source", type=click.Path(path_type=Path, exists=True)),
        click.option("--model", help="of vqaudio, or a file  [default: the shipped one]"),
        click.option("--codebooks", help="how many  [default: all]"),
    ):
        function = option(function)
    return function


def _given(model: str | None, codebooks: str | None) -> list[str]:
    chosen = {"--model": model, "--codebooks": codebooks}
    return [word for name, value in chosen.items() if value for word in (name, value)]


@click.group()
def main() -> None:
    """Tokens of a corpus on Ray and on processes: times and memory."""


@main.command()
@_options
@click.option("--rounds", default=3, show_default=True)
def speed(source: Path, model: str | None, codebooks: str | None, rounds: int) -> None:
    """One and two workers, on Ray and on processes, in turn; the fastest run of each counts."""
    best: dict[str, Ran] = {}
    with tempfile.TemporaryDirectory(prefix="vqaudio-") as name:
        for _ in range(rounds):
            for arm in ARMS:
                ran = measured(source, arm, _given(model, codebooks), Path(name))
                best[arm] = min(ran, best.get(arm, ran), key=lambda each: each.wall)
                print(f"{arm}: {ran.wall:.1f} s, {ran.rate:.1f} x real time", file=sys.stderr)
    one, two = (best[f"`--jobs {number}`"].wall for number in (1, 2))
    alone, both = (best[name].wall for name in ("Ray, 1 worker", "Ray, 2 workers"))
    print("| | s | x real time | until the first shard, s | processor time, s |\n|---|---:|---:|---:|---:|")
    for arm, ran in best.items():
        print(f"| {arm} | {ran.wall:.1f} | {ran.rate:.1f} | {ran.start:.1f} | {ran.cores:.1f} |")
    print(f"\n1 to 2 workers: {alone / both:.2f} x on Ray, {one / two:.2f} x on processes")
    print(f"Ray over processes: {100 * (alone / one - 1):+.1f} % with 1, {100 * (both / two - 1):+.1f} % with 2")


@main.command()
@_options
@click.option("--minutes", type=float, help="stop after so many, and tell of what is done by then")
@click.option("--arm", type=click.Choice(list(ARMS)), default="Ray, 2 workers", show_default=True)
def corpus(source: Path, model: str | None, codebooks: str | None, arm: str, minutes: float | None) -> None:
    """A corpus once: throughput, and the most memory that the driver, a worker, and all of Ray's own processes held."""
    with tempfile.TemporaryDirectory(prefix="vqaudio-") as name:
        ran = measured(source, arm, _given(model, codebooks), Path(name), minutes)
    hours = ran.sound / 3600
    print(
        f"{arm}: {hours:.2f} hours in {ran.wall:.0f} s, {ran.rate:.1f} x real time; first shard after {ran.start:.1f} s"
    )
    print(f"{ran.utterances} utterances in {ran.shards} shards, {ran.size / hours / 1e6:.3f} MB an hour")
    print(f"{ran.cores:.0f} s of processor time: {ran.sound / ran.cores:.1f} x real time of a core")
    print(f"{1000 * ran.header:.2f} ms for what a shard says of itself")
    found = {"driver": ran.used.driver, "a worker": ran.used.worker, "Ray's own processes": ran.used.ray}
    print("at most, MB: " + ", ".join(f"{name} {peak / 1e6:.0f}" for name, peak in found.items() if peak))


@main.command()
@click.option("--times", default=100, show_default=True)
@click.option("--nodes", default=4, show_default=True, help="one kill in so many is of a node, the others of workers")
@click.option("--seed", default=0, show_default=True)
def kills(times: int, nodes: int, seed: int) -> None:
    """Workers and nodes killed midway, run after run: each run must make the shards that one process makes."""
    random = Random(seed)
    left = ["n" if number % nodes == nodes - 1 else "w" for number in range(times)]
    with tempfile.TemporaryDirectory(prefix="vqaudio-") as name, LocalCluster(2) as cluster:
        source, runs = Path(name) / "tars", 0
        source.mkdir()
        write_tars(source, hours=1.0, distinct=0.05, per_tar=2)
        Tokenizing(source, Path(name) / "reference", "--jobs", 1).end()
        expected = shards(Path(name) / "reference")
        while left:
            out = Path(name) / f"{runs}"
            run = Tokenizing(source, out, "--cluster", cluster.address)
            try:
                killed = kill_midway(run, cluster, len(expected), "".join(left[: len(expected) // 4]), random)
                status, said = run.end(seconds=1000)
            finally:
                run.kill()
            found, runs = shards(out), runs + 1
            if status or found != expected:
                missing, other = {*expected} - {*found}, [name for name in found if found[name] != expected.get(name)]
                raise click.ClickException(f"run {runs}: status {status}, missing {missing}, others {other}; {said}")
            del left[:killed]
            print(f"run {runs}: {killed} kills, all {len(found)} shards as of one process", file=sys.stderr)
    print(f"{times} kills in {runs} runs, {times // nodes} of them of nodes: all shards are those of one process")


@main.command()
@click.option("--utterances", default=1_000_000, show_default=True)
def listing(utterances: int) -> None:
    """What it takes to list a manifest, before any sound is read: the time, and the most memory that a process held."""
    with tempfile.TemporaryDirectory(prefix="vqaudio-") as name:
        path = Path(name) / "manifest.csv"
        with path.open("w") as file:
            file.write("path,corpus,split,speaker,label\n")
            file.writelines(
                f"folder{at // 1000:06}/{at:09}.flac,made,train,speaker {at % 997},\n" for at in range(utterances)
            )
        for size in (1, 128):
            with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
                parts, seconds, peak = pool.submit(_listed, str(path), size).result()
            print(f"{utterances} utterances in {parts} parts: {seconds:.1f} s, {peak / 1e6:.0f} MB at most")


def _listed(source: str, size: int) -> tuple[int, float, int]:
    """Parts of a corpus, seconds that listing them takes, and the most memory (bytes) of a process that does."""
    from vqaudio.corpora import open_corpus

    started = time.perf_counter()
    corpus = open_corpus(source)
    parts = sum(1 for _ in corpus.parts(size)) if corpus.digest else 0
    return parts, time.perf_counter() - started, memory("self", PEAK)


if __name__ == "__main__":
    main()
