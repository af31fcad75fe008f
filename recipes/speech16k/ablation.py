"""What a change is worth: short runs from one model, each annealed to its end, scored on speakers kept for validation.

    python -m recipes.speech16k.ablation [--minutes 8] [--start MODEL] [ROW ...]

Prints a Markdown row of PESQ-WB / STOI for each of ROWS: from 1, 3 and 8 codebooks and, to see what the autoencoder
alone can do, without quantization. Finished runs in runs/ablation/ are scored without training them again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from vqaudio.audio.recordings import data_folder
from vqaudio.audio.resampling import read_mono
from vqaudio.evaluation.clips import select
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave, score
from vqaudio.model import checkpoint

SOAP = ["optimizer=soap", "betas=[0.9,0.95]"]
FASTER = [*SOAP, "learning_rate=1.5e-3", "data.batch_size=8"]
ROWS = {
    "adamw": [],
    "erb": ["loss.weighting=erb"],
    "erb-complex": ["loss.weighting=erb", "loss.complex=3"],
    "soap": [*SOAP, "loss.weighting=erb"],
    "soap-faster": [*FASTER, "loss.weighting=erb"],
    "commitment": [*FASTER, "model.bottleneck={kind: residual, commitment: 2.0}"],
    "rotation": [*FASTER, "model.bottleneck={kind: residual, commitment: 1.0, gradient: rotation}"],
}
DEPTHS: dict[str, int | None] = {"1": 1, "3": 3, "8": 8, "unquantized": None}


def main() -> None:
    """Train and score the rows asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)} (default: all)")
    parser.add_argument("--minutes", type=float, default=8.0, help="length of each run (default: %(default)g)")
    parser.add_argument("--start", default="runs/speech-16k-finetuned/model.safetensors", help="(default: %(default)s)")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"{', '.join(sorted(unknown))}: no such row; choose among {', '.join(ROWS)}")
    paths = select(data_folder(), min_seconds=2.0).paths
    print("| run | " + " | ".join(DEPTHS) + " |\n|---|" + "---|" * len(DEPTHS))
    for row in options.rows or ROWS:
        model = train(row, options.start, options.minutes)
        with get_context("spawn").Pool() as pool:
            scores = pool.map(partial(score_clip, model), paths)
        print(f"| {row} | " + " | ".join(cell(scores, name) for name in DEPTHS) + " |", flush=True)


def train(row: str, start: str, minutes: float) -> Path:
    """The model of a row's run, which is made unless it is there."""
    out = Path("runs/ablation") / row
    if not (out / "model.safetensors").is_file():
        settings = [f"out={out}", f"init_from={start}", "valid_every=1000000", *ROWS[row]]
        sets = [part for setting in settings for part in ("--set", setting)]
        config = Path(__file__).with_name("finetune.yaml")
        command = [sys.executable, "-m", "vqaudio.train", str(config), "--minutes", str(minutes), "--resume", *sets]
        subprocess.run(command, check=True)
    return out / "model.safetensors"


def score_clip(model: Path, path: Path) -> dict[str, dict[str, float]]:
    """The metrics of one clip from each of ``DEPTHS``."""
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

        return {name: score(clip, heard(depth)) for name, depth in DEPTHS.items()}


def cell(scores: list[dict[str, dict[str, float]]], name: str) -> str:
    """Means over clips."""
    pesq, stoi = (np.nanmean([clip[name][metric] for clip in scores]) for metric in ("pesq_wb", "stoi"))
    return f"{pesq:.2f} / {stoi:.3f}"


if __name__ == "__main__":
    main()
