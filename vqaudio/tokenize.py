"""``python -m vqaudio.tokenize FOLDER OUT``: recordings to tokens on disk, for priors to learn from."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vqaudio.cli import options
from vqaudio.cli.extras import need
from vqaudio.cli.options import Listed, Seconds
from vqaudio.cli.program import Command
from vqaudio.errors import VqaudioError
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.audio.recordings import Recording


@click.command("tokenize", cls=Command, example="recordings tokens --codebooks 1,3,9")
@click.argument("folder", type=options.PATH)
@click.argument("out", type=options.PATH)
@options.model(DEFAULT_MODEL)
@click.option(
    "--codebooks",
    type=Listed(click.INT),
    metavar="N,...",
    help="code each recording once with each of these numbers (default: all)",
)
@click.option(
    "--corpora", type=Listed(click.STRING), metavar="NAME,...", help="only the recordings of these (default: all)"
)
@click.option(
    "--versions",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="augmented copies of each training recording (default: 0)",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    metavar="S",
    help="augmented copies are slower or faster by up to this share",
)
@click.option(
    "--code-costs",
    type=Listed(click.FLOAT),
    metavar="LOW,HIGH",
    help="end frames early in half of the augmented copies: a code must lower the squared distance by more than its "
    "cost, which is drawn between these (default: none)",
)
@click.option("--seed", type=int, default=0, metavar="N", help="of the augmentation (default: 0)")
@click.option(
    "--pad-to",
    type=Seconds(0),
    default=0.0,
    metavar="TIME",
    help="put silence after shorter recordings, up to this length",
)
@click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)"
)
@options.device
@options.backend
@options.quiet
def main(
    folder: Path,
    out: Path,
    model: str,
    codebooks: list[int] | None,
    corpora: list[str] | None,
    versions: int,
    speed: float,
    code_costs: list[float] | None,
    seed: int,
    pad_to: float,
    jobs: int,
    device: str,
    backend: str | None,
    quiet: bool,
) -> int:
    """Write the tokens of a folder of recordings as Parquet files, with a row for each recording.

    Recordings are those that FOLDER's manifest.csv lists, or else all audio below it. Files that are in OUT already are
    kept, so that an interrupted run goes on.
    """
    costs = _costs(code_costs)
    need("train", "tokenize")
    from vqaudio.audio.recordings import list_recordings  # late: --help does without

    recordings = _by_corpus(list_recordings(folder), corpora)
    from vqaudio.codec.codec import load  # after what can be checked without it: networks take long to import
    from vqaudio.tokens import Origin
    from vqaudio.training.tokenizing import Tokenizing, tokenize_all

    codec = load(model, device, backend=backend)
    codec.check_encodes()
    counts = tuple(codec.check_codebooks(number) for number in codebooks or (None,))
    how = Tokenizing(model, codec.fingerprint, device, backend, counts, speed, costs, seed, pad_to)
    out.mkdir(parents=True, exist_ok=True)
    written = tokenize_all(
        recordings,
        how,
        origin=Origin(codec.fingerprint, codec.streams, codec.frame_rate),
        folder=folder,
        out=out,
        versions=versions,
        jobs=jobs,
        progress=not quiet,
    )
    if not quiet:
        print(f"{written} rows written to {out}, the rest was there")
    return 0


def _by_corpus(recordings: list[Recording], wanted: list[str] | None) -> dict[str, list[Recording]]:
    """Recordings by corpus.

    Raises:
        VqaudioError: a corpus is wanted that there is not.
    """
    found: dict[str, list[Recording]] = {}
    for item in recordings:
        found.setdefault(item.corpus, []).append(item)
    chosen = wanted or sorted(found)
    unknown = set(chosen) - set(found)
    if unknown:
        raise VqaudioError(f"no corpus {', '.join(sorted(unknown))}: there are {', '.join(sorted(found))}")
    return {corpus: found[corpus] for corpus in chosen}


def _costs(given: list[float] | None) -> tuple[float, float]:
    if given is None:
        return 0.0, 0.0
    if len(given) != 2 or not 0 < given[0] <= given[1] < math.inf:
        shown = ",".join(f"{cost:g}" for cost in given)
        raise click.UsageError(
            f"--code-costs {shown}: expected two numbers above 0, the smaller first, a comma between them"
        )
    return given[0], given[1]


if __name__ == "__main__":
    raise SystemExit(main())
