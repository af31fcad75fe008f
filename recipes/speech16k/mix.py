"""Makes a decoder between two of the same codes: weights on the line from a faithful one to a natural one.

    python -m recipes.speech16k.mix FAITHFUL NATURAL SHARE OUT

SHARE is the natural one's: 0 is the faithful one, 1 the natural one, and what lies beyond goes on from there, so that
the natural one can be had back from a mixture and the faithful one. Decoders that a run led to from another lie in one
valley, where such averages are as good as their ends or better: Wortsman et al., "Model soups", 2022, and "Robust
fine-tuning of zero-shot models", 2022, section 2.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from vqaudio.cli import command
from vqaudio.errors import ModelError
from vqaudio.model import checkpoint


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="mix.py", description="Make a decoder between two of the same codes.")
    parser.add_argument("faithful", type=Path)
    parser.add_argument("natural", type=Path)
    parser.add_argument("share", type=float, help="of the natural one")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(argv)
    faithful, natural = checkpoint.load(options.faithful), checkpoint.load(options.natural)
    if faithful.fingerprint != natural.fingerprint:
        raise ModelError(
            f"{options.natural}: decodes other codes ({natural.fingerprint}) than {options.faithful} "
            f"({faithful.fingerprint}); give decoders of the same"
        )
    mix(faithful.model.decoder, natural.model.decoder, share=options.share)
    record = {**natural.training, "share_of_natural": options.share, "faithful": faithful.training}
    checkpoint.save(faithful.model, options.out, training=record, codes_of=faithful)
    return 0


@torch.no_grad()
def mix(faithful: torch.nn.Module, natural: torch.nn.Module, *, share: float) -> None:
    """Move the parameters of one decoder towards those of another by a share of the way."""
    for own, other in zip(faithful.parameters(), natural.parameters(), strict=True):
        own.lerp_(other, share)


if __name__ == "__main__":
    raise SystemExit(main())
