"""``python benchmarks/live.py``: how long after its last sample a chunk leaves ``compress - -``, and its peak memory.

Samples are fed in real time, as by a recorder, once the model is loaded; then many more as fast as they are taken.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time

import numpy as np

PIECE_SECONDS = 0.01


def samples(seconds: float, rate: int, seed: int = 0) -> bytes:
    """16-bit mono samples: noise in syllables."""
    at = np.arange(round(seconds * rate)) / rate
    loudness = 3000 * np.clip(np.sin(2 * np.pi * 2 * at), 0, None)
    return (loudness * np.random.default_rng(seed).standard_normal(len(at))).astype("<i2").tobytes()


def compress(rate: int, *options: str) -> subprocess.Popen[bytes]:
    """``compress - -`` on raw samples."""
    command = [sys.executable, "-m", "vqaudio.compress", "-", "-", "--quiet", "--raw", str(rate), "1", "PCM_16"]
    return subprocess.Popen([*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def feed(process: subprocess.Popen[bytes], data: bytes, rate: int, began: list[float], ready: threading.Event) -> None:
    """Write a little, and the rest in real time once it is ``ready``; ``began`` gets the moment of the first sample."""
    assert process.stdin is not None
    sent = os.write(process.stdin.fileno(), data[: 2 * round(PIECE_SECONDS * rate)])
    ready.wait()
    began.append(time.monotonic())
    while sent < len(data):
        due = 2 * int((time.monotonic() - began[0]) * rate)
        sent += os.write(process.stdin.fileno(), data[sent:due]) if due > sent else 0
        time.sleep(PIECE_SECONDS)
    process.stdin.close()


def latencies(rate: int, chunk: float, seconds: float) -> list[float]:
    """For each full chunk the seconds from its last sample to its bytes."""
    process = compress(rate, "--chunk-seconds", str(chunk))
    assert process.stdout is not None
    began: list[float] = []
    ready = threading.Event()
    thread = threading.Thread(target=feed, args=[process, samples(seconds, rate), rate, began, ready])
    thread.start()
    came = []
    while os.read(process.stdout.fileno(), 1 << 20):
        came.append(time.monotonic())
        ready.set()  # the header, which is written once the model is there
    thread.join()
    process.wait()
    n_chunks = int(seconds / chunk)
    return [moment - began[0] - chunk * (index + 1) for index, moment in enumerate(came[1 : 1 + n_chunks])]


def peak_memory(rate: int, seconds: float) -> float:
    """Peak resident memory (MB) of coding so much sound as fast as it is taken."""
    process = compress(rate)
    assert process.stdin is not None
    assert process.stdout is not None
    drain = threading.Thread(target=process.stdout.read)
    drain.start()
    minute = samples(60, rate)
    for _ in range(round(seconds / 60)):
        process.stdin.write(minute)
    process.stdin.close()
    drain.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks/live.py", description="Latency and memory of compress - -.")
    parser.add_argument("--rates", type=int, nargs="+", default=[16000, 44100], metavar="HZ")
    parser.add_argument("--chunks", type=float, nargs="+", default=[1.0, 5.0], metavar="S")
    parser.add_argument("--seconds", type=float, default=40.0, metavar="S", help="in real time (default: %(default)g)")
    parser.add_argument("--long", type=float, default=3600.0, metavar="S", help="for memory (default: %(default)g)")
    options = parser.parse_args(argv)
    print("| Hz | chunk | behind its last sample, median | most |\n|---:|---:|---:|---:|")
    for rate in options.rates:
        for chunk in options.chunks:
            late = latencies(rate, chunk, options.seconds)
            print(f"| {rate} | {chunk:g} s | {statistics.median(late):.2f} s | {max(late):.2f} s |", flush=True)
    short, long = peak_memory(16000, 60), peak_memory(16000, options.long)
    print(f"\npeak memory: {short:.0f} MB for a minute through the pipe, {long:.0f} MB for {options.long:g} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
