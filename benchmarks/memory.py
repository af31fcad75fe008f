"""``python benchmarks/memory.py``: peak memory of the command lines for short and long files, and their cold start.

Every command runs as a process of its own, whose peak resident memory the kernel reports when it ends. This script
imports neither torch nor the package: a child's peak starts from what its parent holds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16000  # Hz


class CommandError(Exception):
    """A command under test ended with an error."""


def write_sound(path: Path, seconds: float) -> None:
    """A 16-bit mono WAV of syllables: noise and a gliding tone, ten seconds at a time."""
    random = np.random.default_rng(0)
    total = round(seconds * SAMPLE_RATE)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, "PCM_16") as file:
        for start in range(0, total, 10 * SAMPLE_RATE):
            at = np.arange(start, min(start + 10 * SAMPLE_RATE, total)) / SAMPLE_RATE
            tone = np.sin(2 * np.pi * (200 * at + 20 * np.sin(2 * np.pi * at)))
            loudness = np.clip(np.sin(2 * np.pi * 2 * at), 0, None)
            file.write(0.2 * loudness * (tone + 0.3 * random.standard_normal(len(at))))


def run(module: str, *options: str | Path) -> tuple[float, float]:
    """Run ``python -m vqaudio.MODULE``: its peak resident memory (MB) and wall time (s).

    Raises:
        CommandError: it ends with an error; the message is the last line that it wrote.
    """
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", f"vqaudio.{module}", *map(str, options)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert child.stderr is not None
    said = child.stderr.read().decode(errors="replace").strip()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        reason = said.splitlines()[-1].removeprefix("error: ") if said else f"exit status {child.returncode}"
        raise CommandError(f"vqaudio.{module}: {reason}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return usage.ru_maxrss * unit / 1e6, time.perf_counter() - start


def peak_memory(seconds: float, folder: Path, model: list[str]) -> dict[str, tuple[float, float]]:
    """Memory and time of compressing a sound of that length, and of decompressing the result."""
    sound, coded, back = folder / "in.wav", folder / "coded.vq", folder / "back.wav"
    write_sound(sound, seconds)
    measured = {
        "compress": run("compress", sound, coded, "--force", *model),
        "decompress": run("decompress", coded, back, "--force", *model),
    }
    for path in (sound, coded, back):
        path.unlink()
    return measured


def report_memory(short: float, long: float, model: list[str]) -> None:
    """Print a Markdown table of both lengths."""
    with tempfile.TemporaryDirectory(prefix="vqaudio-") as name:
        few, many = (peak_memory(seconds, Path(name), model) for seconds in (short, long))
    print(f"| peak resident memory | {short:g} s of sound | {long:g} s | ratio |\n|---|---:|---:|---:|")
    for command, (small, _) in few.items():
        large, took = many[command]
        print(f"| {command} | {small:.0f} MB | {large:.0f} MB, in {took:.0f} s | {large / small:.3f} |")


def report_start(seconds: float, runs: int, model: list[str]) -> None:
    """Print the wall time of whole processes; the first run, which may have to read from the disk, does not count."""
    with tempfile.TemporaryDirectory(prefix="vqaudio-") as name:
        sound, coded = Path(name) / "in.wav", Path(name) / "coded.vq"
        write_sound(sound, seconds)
        times = [run("compress", sound, coded, "--force", *model)[1] for _ in range(runs + 1)][1:]
    print(
        f"\ncompress of a {seconds:g} s clip, whole process: median {statistics.median(times):.2f} s "
        f"of {runs} runs ({min(times):.2f}-{max(times):.2f})"
    )


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/memory.py",
        description="Peak memory of compress and decompress, and the cold start of compress.",
    )
    parser.add_argument("--model", metavar="NAME|PATH", help="default: the shipped model")
    parser.add_argument("--short", type=float, default=60.0, metavar="S", help="seconds (default: %(default)g)")
    parser.add_argument("--long", type=float, default=3600.0, metavar="S", help="seconds (default: %(default)g)")
    parser.add_argument(
        "--clip", type=float, default=10.0, metavar="S", help="for the cold start (default: %(default)g)"
    )
    parser.add_argument("--runs", type=int, default=5, help="of the cold start (default: %(default)s)")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    options = arguments().parse_args(argv)
    model = ["--model", options.model] if options.model else []
    try:
        report_memory(options.short, options.long, model)
        report_start(options.clip, options.runs, model)
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
