"""``python benchmarks/prior.py``: what a prior costs in time: coding files, and drawing new codes.

Times are the shortest of interleaved rounds, as multiples of real time: seconds of sound for each second at work. All
runs on one thread unless ``--threads`` says otherwise.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import vqaudio
from vqaudio.cli import command
from vqaudio.codec.opened import open_vq
from vqaudio.prior.integer import IntegerPrior
from vqaudio.registry import DEFAULT_MODEL

NAIVE_PLACES = 8  # of the sampled stretch at which recomputing everything is timed; the whole of it would take too long


def syllables(seconds: float, rate: int) -> np.ndarray:
    """Noise and a gliding tone that swell twice a second: float32 ``(samples,)``."""
    at = np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * (200 * at + 20 * np.sin(2 * np.pi * at)))
    random = np.random.default_rng(0)
    loudness = np.clip(np.sin(2 * np.pi * 2 * at), 0, None)
    return (0.2 * loudness * (tone + 0.3 * random.standard_normal(len(at)))).astype(np.float32)


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def operations(
    codec: Any, n_codebooks: int, short: float, long: float
) -> dict[str, tuple[float, Callable[[], object]]]:
    """What is timed, by name: seconds of sound, and a call without arguments."""
    rate = codec.sample_rate
    sounds = {seconds: syllables(seconds, rate) for seconds in (short, long)}
    files = {
        (s, e): codec.compress(sounds[s], rate, n_codebooks=n_codebooks, entropy=e)
        for s in sounds
        for e in ("none", "prior")
    }
    found: dict[str, tuple[float, Callable[[], object]]] = {}
    for seconds in (short, long):
        for mode in ("none", "prior"):
            data = files[seconds, mode]
            found[f"compress {seconds:g} s, {mode}"] = (
                seconds,
                lambda s=seconds, m=mode: codec.compress(sounds[s], rate, n_codebooks=n_codebooks, entropy=m),
            )
            found[f"decompress {seconds:g} s, {mode}"] = (seconds, lambda d=data: codec.decompress(d))
    data = files[long, "prior"]
    found[f"codes of {long:g} s, prior"] = (long, lambda: open_vq(io.BytesIO(data)).check())
    data_short = files[short, "prior"]
    found[f"codes of {short:g} s, prior"] = (short, lambda: open_vq(io.BytesIO(data_short)).check())
    frames = round(short * codec.frame_rate)
    found[f"sample {short:g} s, cached"] = (short, lambda: codec.sample_codes(frames, n_codebooks=n_codebooks))
    found["compress with rdo"] = (
        short,
        lambda: codec.compress(sounds[short], rate, n_codebooks=n_codebooks, entropy="prior", rdo=1.0),
    )
    return found


def naive_seconds(prior: IntegerPrior, codes: list[np.ndarray]) -> float:
    """What drawing would take that computes everything anew for each code, from times at a few places."""
    n_streams, frames = len(codes), codes[0].shape[1]
    places = np.linspace(1, frames, NAIVE_PLACES + 1).astype(int)[1:]
    each = [timed(lambda n=n: prior.intervals([part[:, :n] for part in codes])) for n in places]
    return float(np.mean(each)) * n_streams * frames


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks/prior.py", description="Speed of entropy coding and sampling.")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument("--prior", type=Path, help="an integer prior, in place of the model's own")
    parser.add_argument("--codebooks", type=int, default=3)
    parser.add_argument("--short", type=float, default=10.0, help="seconds (default: %(default)g)")
    parser.add_argument("--long", type=float, default=600.0, help="seconds (default: %(default)g)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    with threadpool_limits(options.threads):
        codec = vqaudio.load(options.model, prior=options.prior)
        every = operations(codec, options.codebooks, options.short, options.long)
        times: dict[str, list[float]] = {name: [] for name in every}
        for _ in range(options.rounds):
            for name, (_, work) in every.items():
                times[name].append(timed(work))
        speeds = {name: every[name][0] / min(taken) for name, taken in times.items()}
        drawn = codec.sample_codes(round(options.short * codec.frame_rate), n_codebooks=options.codebooks)[0]
        naive = naive_seconds(codec.prior, [part.astype(np.int64) for part in drawn.streams])
    cached = min(times[f"sample {options.short:g} s, cached"])
    print(
        f"{codec.name}, {options.codebooks} codebooks, {options.threads} threads, shortest of {options.rounds} rounds\n"
    )
    print("| operation | x real time |\n|---|---:|")
    for name, speed in speeds.items():
        print(f"| {name} | {speed:.1f} |")
    print(f"\nDrawing with everything computed anew for each code would take {naive / cached:.0f} times as long.")
    if options.json:
        options.json.write_text(json.dumps({"x_real_time": speeds, "naive_over_cached": naive / cached}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
