"""What a change is worth: short runs from one model, each annealed to its end, scored on speakers kept for validation.

    python -m recipes.speech16k.ablation [--minutes 8] [--start MODEL] [ROW ...]
    python -m recipes.speech16k.ablation --set v4-codes --steps 200 [--start MODEL] [ROW ...]

Prints a Markdown row of PESQ-WB / STOI for each of ROWS: from three numbers of codebooks and, to see what the networks
can do by themselves, without quantization. Finished runs in runs/ablation/ are scored without training them again.
Runs of as many steps hear as much, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from vqaudio.audio.recordings import data_folder
from vqaudio.audio.resampling import read_mono
from vqaudio.config.runs import load_yaml
from vqaudio.evaluation.clips import select
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave, score
from vqaudio.model import checkpoint

SOAP = ["optimizer=soap", "betas=[0.9,0.95]"]
FASTER = [*SOAP, "learning_rate=1.5e-3", "data.batch_size=8"]
HERE = Path(__file__).parent
V3_DATA = load_yaml(HERE / "v3.yaml")["data"]


@dataclass(frozen=True)
class Changes:
    """What is changed in one config.

    Attributes:
        config: its file's name.
        start: where runs begin.
        common: settings of all rows.
        rows: settings of each, by its name.
        depths: codebooks that are scored.
    """

    config: str
    start: str
    common: Sequence[str]
    rows: Mapping[str, Sequence[str]]
    depths: tuple[int, ...]


SETS = {
    "finetune": Changes(
        "finetune.yaml",
        "runs/speech-16k-finetuned/model.safetensors",
        common=[],
        rows={
            "adamw": [],
            "erb": ["loss.weighting=erb"],
            "erb-complex": ["loss.weighting=erb", "loss.complex=3"],
            "soap": [*SOAP, "loss.weighting=erb"],
            "soap-faster": [*FASTER, "loss.weighting=erb"],
            "commitment": [*FASTER, "model.bottleneck={kind: residual, commitment: 2.0}"],
            "rotation": [*FASTER, "model.bottleneck={kind: residual, commitment: 1.0, gradient: rotation}"],
        },
        depths=(1, 3, 8),
    ),
    "v4-codes": Changes(
        "v4-codes.yaml",
        "runs/speech-16k-v3.safetensors",
        common=["data.batch_size=8", "model.decoder.units=6", "precision=32-true", "warmup_steps=30"],
        rows={
            "v4": [],
            "read-english": [f"data.{key}={V3_DATA[key]}" for key in ("corpora", "weights")],
            "as-recorded": ["data.equalised=0", "data.reverberant=0", "data.noisy=0"],
            "short-crops": ["data.crop_seconds=1.28", "data.batch_size=16"],
            "units-9": ["model.decoder.units=9"],
            "look-ahead": ["model.encoder.look_ahead=null"],
        },
        depths=(1, 3, 9),
    ),
}


def main() -> None:
    """Train and score the rows asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="which (default: all of the set)")
    parser.add_argument("--set", choices=SETS, default="finetune", help="of rows (default: %(default)s)")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--minutes", type=float, default=8.0, help="length of each run (default: %(default)g)")
    either.add_argument("--steps", type=int, help="instead of minutes")
    parser.add_argument("--start", help="model that runs begin at (default: the set's)")
    options = parser.parse_args()
    changes = SETS[options.set]
    if unknown := set(options.rows) - set(changes.rows):
        parser.error(f"{', '.join(sorted(unknown))}: no such row; choose among {', '.join(changes.rows)}")
    paths = select(data_folder(), min_seconds=2.0).paths
    depths: dict[str, int | None] = {**{str(depth): depth for depth in changes.depths}, "unquantized": None}
    print("| run | " + " | ".join(depths) + " |\n|---|" + "---|" * len(depths))
    by_steps = ["--set", f"steps={options.steps}"]
    length = ["--minutes", str(options.minutes)] if options.steps is None else by_steps
    for row in options.rows or changes.rows:
        model = train(changes, row, start=options.start or changes.start, length=length)
        with get_context("spawn").Pool() as pool:
            scores = pool.map(partial(score_clip, model, depths), paths)
        print(f"| {row} | " + " | ".join(cell(scores, name) for name in depths) + " |", flush=True)


def train(changes: Changes, row: str, *, start: str, length: Sequence[str]) -> Path:
    """The model of a row's run, which is made unless it is there."""
    out = Path("runs/ablation") / row
    if not (out / "model.safetensors").is_file():
        settings = [f"out={out}", f"init_from={start}", "valid_every=1000000", *changes.common, *changes.rows[row]]
        sets = [part for setting in settings for part in ("--set", setting)]
        command = [sys.executable, "-m", "vqaudio.train", str(HERE / changes.config), "--resume", *sets, *length]
        subprocess.run(command, check=True)
    return out / "model.safetensors"


def score_clip(model: Path, depths: Mapping[str, int | None], path: Path) -> dict[str, dict[str, float]]:
    """The metrics of one clip from each of ``depths``."""
    torch.set_num_threads(1)
    network = checkpoint.load(model).model
    clip = read_mono(path, SAMPLE_RATE)
    padded = functional.pad(torch.from_numpy(clip), (0, -len(clip) % network.config.hop_length))[None, None]
    with torch.inference_mode():
        features = network.encoder(padded)

        def heard(depth: int | None) -> Wave:
            tokens = network.bottleneck.encode(features, depth)
            made = network.decoder(features if depth is None else network.bottleneck.decode(tokens))
            wave: Wave = np.clip(made[0, 0, : len(clip)].numpy(), -1.0, 1.0)
            return wave

        return {name: score(clip, heard(depth)) for name, depth in depths.items()}


def cell(scores: list[dict[str, dict[str, float]]], name: str) -> str:
    """Means over clips."""
    pesq, stoi = (np.nanmean([clip[name][metric] for clip in scores]) for metric in ("pesq_wb", "stoi"))
    return f"{pesq:.2f} / {stoi:.3f}"


if __name__ == "__main__":
    main()
