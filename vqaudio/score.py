"""``python -m vqaudio.score IN``: how likely a sound is to a model's prior, in bits per token."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from vqaudio.cli import command
from vqaudio.registry import DEFAULT_MODEL


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio score",
        description="Print the bits that each codebook's tokens cost by the model's prior, in chunks as files have "
        "them. Sound like that which the prior learned from costs less.",
    )
    parser.add_argument("sounds", nargs="+", type=Path, metavar="IN", help="audio files; all channels count")
    parser.add_argument("--codebooks", type=int, metavar="N", help="how many codebooks to use (default: all)")
    parser.add_argument("--condition", default="none", metavar="FIELD=LABEL", help="tell the prior who speaks")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|PATH", help="default: %(default)s")
    parser.add_argument("--prior", type=Path, metavar="PATH", help="an integer prior, in place of the model's own")
    parser.add_argument("--json", action="store_true", help="print JSON: a list with an object for each file")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = arguments().parse_args(argv)
    from vqaudio.audio import FileSource
    from vqaudio.codec import load  # after the arguments are known to be good: torch takes seconds to import

    codec = load(options.model, prior=options.prior)
    found: list[dict[str, Any]] = []
    for path in options.sounds:
        with FileSource(path) as sound:
            bits = codec.score(sound, options.codebooks, options.condition)
            seconds = sound.channels * sound.n_samples / sound.sample_rate
        tokens = sum(part.size for part in bits)
        total = float(sum(part.sum() for part in bits))
        found.append(
            {
                "file": str(path),
                "bits_per_token": round(total / max(1, tokens), 4),
                "bits_per_second": round(total / seconds, 2) if seconds else 0.0,
                "tokens": tokens,
                "codebooks": [round(float(np.mean(part)), 4) if part.size else 0.0 for part in bits],
            }
        )
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for one in found:
            each = " ".join(f"{bits:.2f}" for bits in one["codebooks"])
            print(
                f"{one['file']}: {one['bits_per_token']:.3f} bits per token ({each} by codebook), "
                f"{one['bits_per_second'] / 1000:.3f} kb/s"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
