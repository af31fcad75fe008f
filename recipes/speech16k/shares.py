"""How faithful and how natural the decoders between two of the same codes are, on some validation clips.

    python -m recipes.speech16k.shares FAITHFUL NATURAL [FOLDER] [--shares 0 0.5 0.7 1] [--every 3]

Clips of 2 s or more, their first 8 s, decoded in one piece by 9 and by 3 codebooks: means of PESQ-WB, STOI and
Distill-MOS (extra ``judges``). FOLDER: without it $VQAUDIO_DATA/speech, or ../shared/data/speech.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.speech16k.mix import mix
from vqaudio.audio.recordings import data_folder, list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.cli import command
from vqaudio.evaluation.judges.distillmos import distillmos
from vqaudio.evaluation.metrics import pesq_wb, stoi
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder

SHORTEST, LONGEST = 2, 8  # seconds


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="shares.py", description="Compare decoders between two of one model's codes.")
    parser.add_argument("faithful", type=Path)
    parser.add_argument("natural", type=Path)
    parser.add_argument("folder", nargs="?", help="recordings, some for validation")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.5, 0.7, 1.0], help="of the natural one")
    parser.add_argument("--every", type=int, default=3, help="of the clips, one in so many is heard (default: 3)")
    options = parser.parse_args(argv)
    faithful, natural = (checkpoint.load(path).model for path in (options.faithful, options.natural))
    rate = faithful.config.sample_rate
    recordings = [item for item in list_recordings(data_folder(options.folder)) if item.split == "valid"]
    sounds = [read_mono(item.path, rate) for item in recordings if item.corpus != "digits"]
    sounds = [sound[: LONGEST * rate] for sound in sounds if len(sound) >= SHORTEST * rate][:: options.every]
    print("| share | codebooks | PESQ-WB | STOI | Distill-MOS |\n|---:|---:|---:|---:|---:|")
    for share in options.shares:
        model = copy.deepcopy(faithful)
        mix(model.decoder, natural.decoder, share=share)
        for n_codebooks in (9, 3):
            pesq, intelligible, mos = np.mean([judged(model, sound, n_codebooks) for sound in sounds], axis=0)
            print(f"| {share:g} | {n_codebooks} | {pesq:.2f} | {intelligible:.3f} | {mos:.2f} |", flush=True)
    return 0


@torch.inference_mode()
def judged(model: Autoencoder, sound: NDArray[np.float32], n_codebooks: int) -> tuple[float, float, float]:
    """PESQ-WB, STOI and Distill-MOS of a sound by its first few codebooks."""
    padded = torch.nn.functional.pad(torch.from_numpy(sound), (0, -len(sound) % model.config.hop_length))
    tokens = model.bottleneck.encode(model.encoder(padded[None, None]), n_codebooks)
    decoded = model.decoder(model.bottleneck.decode(tokens))[0, 0, : len(sound)].clamp(-1.0, 1.0).numpy()
    return pesq_wb(sound, decoded), stoi(sound, decoded), distillmos(sound, decoded)


if __name__ == "__main__":
    raise SystemExit(main())
