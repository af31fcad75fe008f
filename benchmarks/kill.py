"""``python -m benchmarks.kill``: compress, tokenize and train, killed at random moments, and what is then on the disk.

Each command runs in a fork of this process, which has imported everything: so the moments fall into the work and not
into imports. After each SIGKILL whatever stands under a name must be whole, the old or the new; runs that can go on do,
from kill to kill, and in the end must have made what a run that nobody killed made.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import soundfile
import torch
from safetensors import safe_open

from vqaudio import compress, tokenize, tokens
from vqaudio.cli import command
from vqaudio.codec.codec import load
from vqaudio.errors import VqaudioError
from vqaudio.tokenization import settings
from vqaudio.training.loop import Trainer

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))
from tiny_runs import ALWAYS, numbers, toy_config, toy_folder  # noqa: E402 (found beside the tests)

MODEL = TESTS / "golden" / "tiny.safetensors"
SHARD = 2
"""Recordings in a file of tokens: few, so that there are some."""
MOST_MOMENT = 1.1
"""Of the time that a whole run takes, kills come at up to so much."""


class BrokenError(VqaudioError):
    """Something half written, or lost."""


class Work(ABC):
    """A command, the folder that it works in, and what must be true of that after a kill."""

    name: str

    def __init__(self, folder: Path):
        self.folder = folder
        self.made: Any = None

    @abstractmethod
    def run(self) -> int:
        """Do it, or go on with it; returns the exit status."""

    @abstractmethod
    def check(self) -> bool:
        """Look at what is there; returns whether all is done. BrokenError where it is not as it should be."""

    @abstractmethod
    def reset(self) -> None:
        """As it was before the first run."""


class Compress(Work):
    """A sound over a file that was there before."""

    name = "compress"

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.sound = toy_folder(folder / "sounds") / "0.wav"
        wave, rate = soundfile.read(self.sound)
        soundfile.write(self.sound, [sample for _ in range(10) for sample in wave], rate)
        self.out, self.seen = folder / "out.vq", {b"old"}

    def run(self) -> int:
        """See :meth:`Work.run`."""
        return compress.main([str(self.sound), str(self.out), "--model", str(MODEL), "--force", "--quiet"])

    def check(self) -> bool:
        """The old file, or all of the new one."""
        data = self.out.read_bytes()
        if self.made is None:
            load(MODEL).decompress(data)
            self.made = data
        if data not in (b"old", self.made):
            raise BrokenError(f"{self.out} has {len(data)} bytes, neither the old ones nor the new")
        return data == self.made

    def reset(self) -> None:
        """See :meth:`Work.reset`."""
        self.out.write_bytes(b"old")


class Tokenize(Work):
    """Recordings into several files of tokens, which an interrupted run keeps."""

    name = "tokenize"

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.sounds = toy_folder(folder / "sounds")
        for number in range(4, 10):
            shutil.copy(self.sounds / f"{number % 4}.wav", self.sounds / f"{number}.wav")
        self.out, self.kept = folder / "tokens", 0

    def run(self) -> int:
        """See :meth:`Work.run`."""
        settings.SHARD = SHARD
        options = ["--model", str(MODEL), "--versions", "1", "--jobs", "1", "--quiet"]
        return tokenize.main([str(self.sounds), str(self.out), *options])

    def check(self) -> bool:
        """Every file whole, and none fewer than before."""
        names = sorted(path.name for path in self.out.glob(f"*{tokens.SUFFIX}")) if self.out.is_dir() else []
        if len(names) < self.kept:
            raise BrokenError(f"{self.out}: {self.kept} files were there, {len(names)} are")
        self.kept = len(names)
        rows = tokens.read(self.out)[1] if names else []
        found = [(row.path, row.version, [codes.tobytes() for codes in row.codes]) for row in rows]
        if self.made is None:
            self.made = found
        if any(row not in self.made for row in found):
            raise BrokenError(f"{self.out}: tokens that an undisturbed run does not write")
        return len(found) == len(self.made)

    def reset(self) -> None:
        """See :meth:`Work.reset`."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.kept = 0


class Train(Work):
    """A tiny run that saves its state after each step."""

    name = "train"

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.config = toy_config(folder, save_every_minutes=ALWAYS, weight_ema=0.9)
        self.out, self.step = Path(self.config.out), 0

    def run(self) -> int:
        """See :meth:`Work.run`."""
        Trainer(self.config, resume=True, progress=False).run()
        return 0

    def check(self) -> bool:
        """The state of a step that is not before the last one that was seen; in the end the same weights."""
        step = numbers(self.out)["step"] if (self.out / "resume.safetensors").exists() else 0
        if step < self.step:
            raise BrokenError(f"{self.out}: step {self.step} was saved, now it is {step}")
        self.step = step
        for path in self.out.glob("*.safetensors"):
            with safe_open(path, framework="pt") as file:
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        path = self.out / "model.safetensors"
        if not path.exists():
            return False
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if self.made is None:
            self.made = weights
        if any(not torch.equal(tensor, self.made[name]) for name, tensor in weights.items()):
            raise BrokenError(f"{path}: other weights than those of an undisturbed run")
        return True

    def reset(self) -> None:
        """See :meth:`Work.reset`."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.step = 0


WORKS: dict[str, Callable[[Path], Work]] = {work.name: work for work in (Compress, Tokenize, Train)}


def forked(work: Work, moment: float | None) -> tuple[float, bool]:
    """Run in a process of its own, to the end or until it is killed; seconds it took, and whether it was killed.

    Raises:
        BrokenError: it ended by itself, with an error.
    """
    started = time.monotonic()
    child = os.fork()
    if not child:
        status = 70
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            status = work.run()
        finally:
            os._exit(status)
    while moment is None or time.monotonic() - started < moment:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if status:
                raise BrokenError(f"{work.name} ended with status {os.waitstatus_to_exitcode(status)}")
            return time.monotonic() - started, False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return time.monotonic() - started, status == signal.SIGKILL


def kill(work: Work, times: int, random: Random) -> tuple[int, int, int]:
    """Kill it so many times; returns kills that hit, runs that came to their end, and temporary files left behind.

    Raises:
        BrokenError: see :meth:`Work.check`.
    """
    work.reset()
    whole, _ = forked(work, None)  # the first; later ones find files in memory
    if not work.check():
        raise BrokenError(f"{work.name} is not done after a run that nobody killed")
    work.reset()
    kills = ends = 0
    while kills < times:
        took, hit = forked(work, random.uniform(0, MOST_MOMENT * whole))
        kills, whole = kills + hit, whole if hit else min(whole, took)
        if work.check():
            ends += 1
            work.reset()
    forked(work, None)
    if not work.check():
        raise BrokenError(f"{work.name} did not come to its end after the last kill")
    return kills, ends, len(list(work.folder.rglob(".vqaudio-*.part")))


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="benchmarks.kill", description="Kill commands at random moments.")
    parser.add_argument("--times", type=int, default=200, metavar="N", help="of each command (default: %(default)s)")
    parser.add_argument("--works", default=",".join(WORKS), metavar="NAME,...", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    options = arguments().parse_args(argv)
    torch.set_num_threads(1)  # a fork has no other threads
    os.environ["OMP_NUM_THREADS"] = "1"
    print("| command | kills | runs that came to their end | temporary files left | half written or lost |")
    print("|---|---:|---:|---:|---:|", flush=True)
    for name in options.works.split(","):
        with tempfile.TemporaryDirectory(prefix="vqaudio-") as folder:
            kills, ends, left = kill(WORKS[name](Path(folder)), options.times, Random(options.seed))
        print(f"| {name} | {kills} | {ends} | {left} | 0 |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
