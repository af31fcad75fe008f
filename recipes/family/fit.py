"""Trains the networks of the family, and fits its ancestors; what is there already stays.

    python -m recipes.family.fit OUT [--minutes M] [--quick]

OUT/data/manifest.csv lists the recordings; each system gets a folder with its model.safetensors.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from recipes.family.systems import SYSTEMS, System, of_split
from vqaudio.audio.resampling import read_mono
from vqaudio.cli import command
from vqaudio.model import checkpoint
from vqaudio.training.classic import fit_components, fit_mixture, frames_of
from vqaudio.training.loop import Trainer

FRAMES_FOR_EM = 30_000  # each step holds a share for each of them and each component
EM_STEPS = 10


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fit.py", description="Train and fit the family.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=2.4, help="for each network (default: %(default)s)")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(argv)
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    missing = [one for one in SYSTEMS if not (options.out / one.name / "model.safetensors").is_file()]
    for system in tqdm(missing, "the family", unit="system", leave=False, disable=None):
        if system.fit:
            fit(system, options.out, 2 if options.quick else EM_STEPS)
        else:
            minutes = None if options.quick else options.minutes
            Trainer(system.run(options.out, options.quick), minutes=minutes, resume=True).run()
    return 0


def fit(system: System, out: Path, em_steps: int) -> None:
    """An ancestor, to all frames in training; its likelihood on those of validation goes into its record."""
    config = system.fitted()
    frames, unseen = (
        frames_of((read_mono(item.path, config.sample_rate) for item in of_split(out, split)), config.hop_length)
        for split in ("train", "valid")
    )
    started = time.monotonic()
    record: dict[str, float | list[float]] = {"frames": len(frames)}
    if system.fit == "mixture":
        chosen = np.random.default_rng(0).permutation(len(frames))[:FRAMES_FOR_EM]
        fitted = fit_mixture(config, frames[chosen], iterations=em_steps)
        assert fitted.responsibility is not None
        record |= {"log_likelihood": fitted.log_likelihood}
        record["responsibility"] = float(fitted.responsibility(unseen).mean())
    else:
        fitted = fit_components(config, frames)
    record["seconds"] = time.monotonic() - started
    if system.fit == "mixture" or system.bottleneck["kind"] == "identity":  # else it is not that of the quantized
        record["nll"] = -float(fitted.log_density(unseen).mean())
    (out / system.name).mkdir(parents=True, exist_ok=True)
    checkpoint.save(fitted.model, out / system.name / "model.safetensors", training=record)


if __name__ == "__main__":
    raise SystemExit(main())
