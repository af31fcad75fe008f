"""``python benchmarks/speed.py``: encoding and decoding speed beside EnCodec-24k and DAC-16k, on this machine's CPU.

All systems take turns within every round, so that whatever else the machine does slows all of them alike; a ratio is
taken per round, then its median. Each timed call follows one that does not count: what the system before it left in
caches and in memory is not what is measured. Speed does not depend on what weights are worth: the peers run with random
ones, and nothing is downloaded. The peak that shares refer to is that of an fp32 matrix product, measured in the same
rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch.utils.flop_counter import FlopCounterMode

import vqaudio
from vqaudio.cli import command
from vqaudio.codec.codec import Codec
from vqaudio.inference.backends import BACKENDS
from vqaudio.registry import DEFAULT_MODEL

OPERATIONS = ("encode", "decode")
PRODUCT = 1024  # rows and columns of the matrices whose product sets the peak


@dataclass(frozen=True)
class Contender:
    """A codec with its input ready: each operation is a call without arguments."""

    name: str
    sample_rate: int
    encode: Callable[[], object]
    decode: Callable[[], object]


def own_model(codec: Codec, backend: str, seconds: float, n_codebooks: int) -> Contender:
    """The bare networks and codebooks, on one array."""
    hop, networks = codec.hop_length, codec.networks
    sound = noise(round(seconds * codec.sample_rate / hop) * hop)[None].numpy()
    codes = networks.encode(networks.features(sound), n_codebooks)
    return Contender(
        f"vqaudio, {backend}, model alone",
        codec.sample_rate,
        lambda: networks.encode(networks.features(sound)),
        lambda: networks.decode(codes),
    )


def own_codec(codec: Codec, backend: str, seconds: float, n_codebooks: int) -> Contender:
    """What users call: with blocks, context and checks."""
    sound = noise(round(seconds * codec.sample_rate)).numpy()
    codes = codec.encode(sound, codec.sample_rate, n_codebooks=n_codebooks)
    return Contender(
        f"vqaudio, {backend}",
        codec.sample_rate,
        lambda: codec.encode(sound, codec.sample_rate, n_codebooks=n_codebooks),
        lambda: codec.decode(codes),
    )


def encodec_24k(seconds: float, n_codebooks: int) -> Contender:
    """EnCodec's causal 24 kHz model (package ``encodec``): 75 frames a second, 0.75 kb/s a codebook.

    Raises:
        ImportError: not installed.
    """
    from encodec import EncodecModel

    model = EncodecModel.encodec_model_24khz(pretrained=False)
    model.bandwidth = 0.75 * n_codebooks  # its setter knows only some rates
    sound = noise(round(seconds * model.sample_rate))[None]
    frames = model.encode(sound)
    return Contender("EnCodec-24k", model.sample_rate, lambda: model.encode(sound), lambda: model.decode(frames))


def dac_16k(seconds: float, n_codebooks: int) -> Contender:
    """DAC's 16 kHz model (package ``descript-audio-codec``): 50 frames a second, 0.5 kb/s a codebook.

    Raises:
        ImportError: not installed.
    """
    import dac

    strides = [2, 4, 5, 8]
    model = dac.DAC(encoder_rates=strides, decoder_rates=strides[::-1], n_codebooks=12, sample_rate=16000).eval()
    sound = model.preprocess(noise(round(seconds * 16000))[None], 16000)
    codes = model.encode(sound, n_codebooks)[1]
    return Contender(
        "DAC-16k",
        16000,
        lambda: model.encode(sound, n_codebooks),
        lambda: model.decode(model.quantizer.from_codes(codes)[0]),
    )


def noise(n_samples: int) -> torch.Tensor:
    """``(1, n_samples)``, the same in every run."""
    return 0.1 * torch.randn(1, n_samples, generator=torch.Generator().manual_seed(0))


def contenders(model: str, threads: int, seconds: float, n_codebooks: int) -> list[Contender]:
    """Ours in each backend first, then the peers that are installed; a note on stderr names the others."""
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # which sessions of ONNX Runtime ask when they are made
    codecs = {backend: vqaudio.load(model, backend=backend) for backend in BACKENDS}
    found = [
        build(codec, backend, seconds, min(n_codebooks, codec.n_codebooks))
        for build in (own_codec, own_model)
        for backend, codec in codecs.items()
    ]
    for build in (encodec_24k, dac_16k):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # both use a weight norm that torch has deprecated
                found.append(build(seconds, n_codebooks))
        except ImportError as error:
            print(
                f"{build.__name__} is left out: {error}; benchmarks/README.md says how to install it", file=sys.stderr
            )
    return found


# --------------------------------------------------------------------------------------------------------- measuring


@dataclass
class Rounds:
    """What the rounds at one number of threads measured: seconds by (name, operation), and the peak in FLOP/s."""

    threads: int
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    peak: list[float] = field(default_factory=list)


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def matmul_peak(repeats: int = 10) -> float:
    """FLOP/s of the fastest of a few square fp32 matrix products."""
    left, right = torch.randn(2, PRODUCT, PRODUCT)
    return 2 * PRODUCT**3 / min(timed(lambda: left @ right) for _ in range(repeats))


def measure(systems: list[Contender], threads: int, rounds: int) -> Rounds:
    """Time everything in turn, ``rounds`` times, each after a call of its own that does not count."""
    result = Rounds(threads)
    for index in range(rounds):
        print(f"\r{threads} thread(s): round {index + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
        result.peak.append(matmul_peak())
        for system, name in product(systems, OPERATIONS):
            call = getattr(system, name)
            call()
            result.seconds.setdefault((system.name, name), []).append(timed(call))
    print(file=sys.stderr)
    return result


def bare(systems: list[Contender]) -> Contender:
    """Our networks on torch, whose multiply-adds can be counted; those of the other backend are the same."""
    return next(system for system in systems if system.name == "vqaudio, torch, model alone")


def multiply_adds(call: Callable[[], object]) -> float:
    """Multiply-adds in the matrix products and convolutions of a call."""
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops()) / 2


# --------------------------------------------------------------------------------------------------------- reporting


def summarize(result: Rounds, systems: list[Contender], work: dict[str, float], seconds: float) -> dict[str, Any]:
    """Medians over rounds; ratios and shares are medians of what each round gave."""
    ours, model = systems[0].name, bare(systems).name
    rows = []
    for system in systems:
        row: dict[str, Any] = {"system": system.name, "sample_rate": system.sample_rate}
        for name in OPERATIONS:
            took, reference = result.seconds[system.name, name], result.seconds[ours, name]
            row[name] = seconds / statistics.median(took)
            ratios = [theirs / own for theirs, own in zip(took, reference, strict=True)]
            row[f"{name}_ratio"] = {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
        rows.append(row)
    shares = {
        name: statistics.median(
            2 * work[name] / took / peak for took, peak in zip(result.seconds[model, name], result.peak, strict=True)
        )
        for name in OPERATIONS
    }
    return {
        "threads": result.threads,
        "rounds": len(result.peak),
        "peak_gflops": statistics.median(result.peak) / 1e9,
        "share_of_peak": shares,
        "systems": rows,
    }


def as_text(summary: dict[str, Any], work: dict[str, float], seconds: float) -> str:
    """A Markdown table, and what it rests on."""
    lines = [
        f"### {summary['threads']} thread(s), median of {summary['rounds']} rounds",
        "",
        "| system | samples/s | encode, × real time | decode, × real time "
        "| vqaudio, onnx, encodes faster | decodes faster |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in summary["systems"]:
        ratios = [
            f"{ratio['median']:.1f}× ({ratio['least']:.1f}-{ratio['most']:.1f})"
            for ratio in (row["encode_ratio"], row["decode_ratio"])
        ]
        lines.append(
            f"| {row['system']} | {row['sample_rate']} "
            f"| {row['encode']:.1f} | {row['decode']:.1f} | {ratios[0]} | {ratios[1]} |"
        )
    lines += ["", f"fp32 matrix product: {summary['peak_gflops']:.0f} GFLOP/s. The model alone, on torch:"]
    for name in OPERATIONS:
        lines.append(
            f"- {name}: {work[name] / seconds / 1e9:.2f} G multiply-adds per second of sound, "
            f"{summary['share_of_peak'][name]:.0%} of that peak"
        )
    return "\n".join(lines)


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/speed.py", description="Encoding and decoding speed beside EnCodec-24k and DAC-16k."
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model's name or a file (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the sound (default: %(default)g)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: %(default)s)")
    parser.add_argument("--threads", default="1,2", help="numbers of threads to try (default: %(default)s)")
    parser.add_argument("--codebooks", type=int, default=8, help="codebooks in every system (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures")
    return parser


@command
@torch.inference_mode()
def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    options = arguments().parse_args(argv)
    summaries, work = [], {}
    for threads in map(int, options.threads.split(",")):
        systems = contenders(options.model, threads, options.seconds, options.codebooks)
        work = {name: multiply_adds(getattr(bare(systems), name)) for name in OPERATIONS}
        result = measure(systems, threads, options.rounds)
        summaries.append(summarize(result, systems, work, options.seconds))
        print(as_text(summaries[-1], work, options.seconds), end="\n\n", flush=True)
    print(
        f"{options.seconds:g} s of noise, {options.codebooks} codebooks, fp32, torch {torch.__version__}, "
        f"onnxruntime {onnxruntime.__version__}. "
        "A ratio compares the time for the same seconds of sound;\n"
        "EnCodec-24k codes 24,000 samples for each of them, the others 16,000."
    )
    if options.json:
        options.json.write_text(json.dumps({"multiply_adds": work, "runs": summaries}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
