"""The demo under load: from an upload to a decoded sound, many callers at once, and memory over many calls.

    python -m benchmarks.demo [--calls 500] [--callers 50]

It starts the demo in a process of its own and calls it as programs do.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from vqaudio.registry import DEFAULT_MODEL

ROOT = Path(__file__).parents[1]
SECONDS, RATE = 10.0, 16000
WARM_CALLS = 20
"""Before memory is read for the first time, and between readings."""


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description="Measure the demo under load.")
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--callers", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vqaudio-") as name, served(Path(name)) as (client, process):
        from gradio_client import handle_file

        path = Path(name, "speech.wav")
        time_axis = np.arange(round(SECONDS * RATE)) / RATE
        wave = 0.3 * np.sin(2 * np.pi * 150 * time_axis) * np.sin(2 * np.pi * 2 * time_axis) ** 2
        soundfile.write(path, wave.astype(np.float32), RATE)

        def call(codebooks: int = 3) -> Any:
            return client.submit(handle_file(str(path)), DEFAULT_MODEL, codebooks, api_name="/reconstruct")

        call().result()
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            call().result()
            took.append(time.perf_counter() - begun)
        print(f"{SECONDS:g} s of sound, from upload to decoded, warm: {np.median(took):.2f} s (median of {len(took)})")

        begun = time.perf_counter()
        jobs = [call(1 + number % 9) for number in range(options.callers)]
        done = sum(len(job.result()) == 3 for job in jobs)
        print(f"{options.callers} callers at once: {done} served in {time.perf_counter() - begun:.1f} s")

        readings = []
        for number in range(options.calls):
            if number % max(1, options.calls // 5) == 0 or number == WARM_CALLS:
                readings.append((number, resident_mb(process)))
            call(1 + number % 9).result()
        readings.append((options.calls, resident_mb(process)))
        print("memory (MB) after calls: " + ", ".join(f"{number}: {size:.0f}" for number, size in readings))


@contextmanager
def served(folder: Path) -> Iterator[tuple[Any, subprocess.Popen[str]]]:
    """A client of a demo of its own, and the demo's process."""
    from gradio_client import Client

    environment = os.environ | {"TMPDIR": str(folder)}
    command = [sys.executable, "-m", "demo", "--port", "7899"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = re.search(r"http\S+", process.stdout.readline())
        assert address is not None, "the demo did not start"
        yield Client(address[0], verbose=False, download_files=folder / "client"), process
    finally:
        process.terminate()
        process.wait(30)


def resident_mb(process: subprocess.Popen[str]) -> float:
    """A process's memory, MB."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
