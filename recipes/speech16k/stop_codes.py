"""Gives each codebook after the first a stop code, in place of the code that speech uses least.

    python -m recipes.speech16k.stop_codes FOLDER MODEL OUT

A frame that takes it ends there: where the prior makes it cheap, ``compress --rdo`` spends codebooks on the frames
that need them. FOLDER holds recordings, of which the training ones are counted; MODEL and OUT are .safetensors files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import vqaudio
from vqaudio.audio.recordings import list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.cli import command
from vqaudio.errors import ModelError
from vqaudio.model import checkpoint


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="stop_codes.py", description="Give codebooks a stop code.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recordings", type=int, default=300, help="to look at (default: %(default)s)")
    options = parser.parse_args(argv)
    codec = vqaudio.load(options.model)
    if not codec.model.bottleneck.has_code_costs:
        raise ModelError(f"{options.model}: has no residual codebooks")
    paths = [item.path for item in list_recordings(options.folder) if item.split == "train"]
    chosen = np.random.default_rng(0).permutation(len(paths))[: options.recordings]
    counts = np.zeros((codec.n_codebooks, codec.streams[0].alphabet), np.int64)
    for path in tqdm([paths[index] for index in chosen], "counting", unit="file", leave=False, disable=None):
        codes = codec.encode(read_mono(path, codec.sample_rate), codec.sample_rate)
        for row, stream in zip(counts, codes.streams, strict=True):
            row += np.bincount(stream.ravel(), minlength=len(row))
    for level, embeddings in list(enumerate(codec.model.bottleneck.additive_codebooks()))[1:]:
        least = int(counts[level].argmin())
        with torch.no_grad():
            embeddings[least] = 0.0
        print(f"codebook {level + 1}: code {least}, used {counts[level, least]} times in {counts[level].sum()}")
    checkpoint.save(codec.model, options.out, training=codec.training)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
