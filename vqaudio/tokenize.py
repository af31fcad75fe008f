"""``python -m vqaudio.tokenize SOURCE OUT``: recordings to tokens on disk, for whatever learns from them."""

from __future__ import annotations

import math
import os
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vqaudio.cli import options
from vqaudio.cli.extras import need
from vqaudio.cli.options import Listed, Seconds
from vqaudio.cli.program import Command
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.tokenization.manifest import Manifest


@click.command("tokenize", cls=Command, example="recordings tokens --codebooks 1,3,9")
@click.argument("source")
@click.argument("out")
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
    "--format",
    "form",
    type=click.Choice(("parquet", "webdataset", "shar")),
    default="parquet",
    show_default=True,
    help="of the shards: Parquet, tars for webdataset, or Lhotse Shar",
)
@click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)"
)
@click.option("--cluster", metavar="auto|ADDRESS", help="work on a Ray cluster: the one at an address, or one here")
@options.device
@options.backend
@options.precision
@options.quiet
def main(
    source: str,
    out: str,
    model: str,
    codebooks: list[int] | None,
    corpora: list[str] | None,
    versions: int,
    speed: float,
    code_costs: list[float] | None,
    seed: int,
    pad_to: float,
    form: str,
    jobs: int,
    cluster: str | None,
    device: str,
    backend: str | None,
    precision: str,
    quiet: bool,
) -> int:
    """Write the tokens of SOURCE as Parquet files in OUT, with a row for each recording.

    SOURCE is a folder of recordings, a manifest, or tars; paths and URLs will do, for OUT as well. Shards that are in
    OUT already are kept, so that an interrupted run goes on. What OUT holds, and which recordings could not be coded,
    is said in OUT/_manifest.json. What could not be reached is tried again by the same command.
    """
    costs = _costs(code_costs)
    options.refuse_together("jobs", "cluster")
    if form == "parquet":
        need("tables", "tokenize", later=("wasmtime",))
    from vqaudio.corpora import open_corpus  # late: --help does without

    if cluster is not None:  # workers are in folders of their own
        source, out, model = (_absolute(path) for path in (source, out, model))
    corpus = open_corpus(source, corpora=corpora or ())
    from vqaudio.cluster import open_pool
    from vqaudio.codec.codec import load  # after what can be checked without it: networks take long to import
    from vqaudio.errors import ModelError
    from vqaudio.tokenization import settings
    from vqaudio.tokenization.run import tokenize

    codec = load(model, device if cluster is None else "cpu", backend=backend, precision=precision)
    codec.check_encodes()
    counts = tuple(codec.check_codebooks(number) for number in codebooks or (None,))
    if costs[1] and not codec.networks.quantizer.has_code_costs:
        raise ModelError("--code-costs is for models of residual codebooks alone")
    fingerprint = codec.fingerprint
    how = settings.Tokenizing(
        out,
        form,
        corpus.digest,
        model,
        fingerprint,
        device,
        backend,
        precision,
        counts,
        speed,
        costs,
        seed,
        pad_to,
        settings.SHARD,
    )
    # Of a small input the second that a process takes to start would be most of the time.
    several = jobs == 1 and len(list(islice(corpus.parts(settings.SHARD), 2))) > 1
    with open_pool(cluster, jobs=jobs, device=device, apart=several) as pool:
        done = tokenize(corpus, codec, how, versions=versions, pool=pool, quiet=quiet)
    return _said(done, quiet=quiet)


def _absolute(path: str) -> str:
    """A plain path that is there, or will be, from the root on; URLs and models' names as they are."""
    from vqaudio.corpora import storage

    return path if storage.is_url(path) or not (os.sep in path or Path(path).exists()) else str(Path(path).absolute())


def _said(done: Manifest, *, quiet: bool) -> int:
    """Say what became of a run; returns the exit status."""
    if not quiet:
        kbps = ", ".join(f"{rate:.2f} kb/s" for rate in done.facts()["kbps"].values())
        print(
            f"{done.how.out}: {done.done.rows} rows of {done.recordings} recordings in {done.shards} shards, "
            f"{done.done.seconds / 3600:.2f} h of sound{kbps and f', {kbps}'}"
        )
    if done.failed_shards:
        first = next(iter(done.failed_shards.values()))
        print(
            f"error: {len(done.failed_shards)} of {done.planned} shards could not be written; the same command tries "
            f"them again; the first: {first}",
            file=sys.stderr,
        )
    if done.failed:
        print(
            f"error: {done.failed} of {done.recordings + done.failed} recordings could not be coded; "
            f"{done.how.out}/_manifest.json lists them"
            + ("; the same command tries those again that could not be reached" if done.unreached else ""),
            file=sys.stderr,
        )
    return 1 if done.failed or done.failed_shards else 0


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
