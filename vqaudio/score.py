"""``python -m vqaudio.score IN``: how likely a sound is to a model's prior, in bits per token."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from vqaudio.cli import options
from vqaudio.cli.program import Command
from vqaudio.registry import DEFAULT_MODEL


@click.command("score", cls=Command, example="speech.wav")
@click.argument("sounds", nargs=-1, required=True, type=options.PATH, metavar="IN...")
@options.codebooks
@click.option("--condition", default="none", metavar="FIELD=LABEL", help="tell the prior who speaks: speaker=p225")
@options.model(DEFAULT_MODEL)
@options.own_prior
@options.device
@options.backend
@options.as_json
def main(
    sounds: tuple[Path, ...],
    codebooks: int | None,
    condition: str,
    model: str,
    prior: Path | None,
    device: str,
    backend: str | None,
    as_json: bool,
) -> int:
    """Print the bits per token by the model's prior, of all codebooks and of each.

    They are counted in chunks, as files have them, over all channels of audio files. Sound like that which the prior
    learned from costs less. Exits with status 1 where a file is cut off or damaged; what is there is counted.
    """
    import numpy as np  # late: --help does without

    from vqaudio.audio.file_source import FileSource
    from vqaudio.codec.codec import load  # after the arguments are known to be good: networks take long to import

    codec = load(model, device, prior=prior, backend=backend)
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    for path in sounds:
        with FileSource(path) as sound:
            bits = codec.score(sound, n_codebooks=codebooks, condition=condition)
            seconds = sound.channels * sound.n_samples / sound.sample_rate
        problems.extend(sound.problems)
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
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        for one in found:
            each = " ".join(f"{bits:.2f}" for bits in one["codebooks"])
            print(
                f"{one['file']}: {one['bits_per_token']:.3f} bits per token ({each} by codebook), "
                f"{one['bits_per_second'] / 1000:.3f} kb/s"
            )
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
