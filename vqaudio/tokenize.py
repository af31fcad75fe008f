"""``python -m vqaudio.tokenize FOLDER OUT``: recordings to tokens on disk, for priors to learn from."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from vqaudio.cli import options
from vqaudio.cli.extras import need
from vqaudio.cli.options import Listed, Seconds
from vqaudio.cli.program import Command
from vqaudio.errors import ModelError, VqaudioError
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.audio.recordings import Recording
    from vqaudio.codec.codec import Codec
    from vqaudio.tokens import Row

SHARD = 128  # recordings
LEVELS = (-40.0, -16.0)  # dB RMS re full scale, of varied copies
COSTLY = 0.5  # of varied copies, where codes have a cost


@dataclass(frozen=True)
class Wanted:
    """How recordings become tokens.

    Attributes:
        model: name or path. fingerprint: of the file that it was. device: where it runs.
        codebooks: each recording is coded once with each of these numbers of codebooks.
        speed: varied copies are played slower or faster by up to this share.
        costs: half of the varied copies are coded with a code cost between these, logarithmically; 0 and 0 for none.
        seed: of what varies.
        least: seconds; shorter recordings are followed by silence.
    """

    model: str
    fingerprint: str
    device: str
    codebooks: tuple[int, ...]
    speed: float
    costs: tuple[float, float]
    seed: int
    least: float

    @property
    def settings(self) -> str:
        """What decides tokens beside the codec, as JSON."""
        return json.dumps({name: getattr(self, name) for name in ("codebooks", "speed", "costs", "seed", "least")})


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
    help="varied copies of each training recording (default: 0)",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    metavar="S",
    help="copies are this share slower to faster",
)
@click.option(
    "--code-costs",
    type=Listed(click.FLOAT),
    metavar="LOW,HIGH",
    help="code half of the copies with fewer codebooks where the next saves little: less squared distance than "
    "something between these (default: none)",
)
@click.option("--seed", type=int, default=0, metavar="N", help="of what varies (default: 0)")
@click.option(
    "--pad-to", type=Seconds(0), default=0.0, metavar="TIME", help="put silence after recordings of fewer seconds"
)
@click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)"
)
@options.device
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
    quiet: bool,
) -> int:
    """Write the tokens of a folder of recordings as Arrow files, with a row for each recording.

    A manifest.csv in FOLDER is used. Files that are in OUT already are kept, so that an interrupted run goes on.
    """
    costs = _costs(code_costs)
    need("train", "tokenize")
    from vqaudio.audio.recordings import list_recordings
    from vqaudio.codec.codec import load  # after what can be checked without it: torch takes seconds to import
    from vqaudio.tokens import SUFFIX, Origin, made_by, write

    recordings = _by_corpus(list_recordings(folder), corpora)
    codec = load(model, device)
    codec.check_encodes()
    counts = tuple(codec.check_codebooks(number) for number in codebooks or (None,))
    wanted = Wanted(model, codec.fingerprint, device, counts, speed, costs, seed, pad_to)
    origin = Origin(codec.fingerprint, codec.streams, codec.frame_rate)
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    with _workers(jobs) as run:
        for (corpus, every), version in product(recordings.items(), range(versions + 1)):
            chosen = [item for item in every if version == 0 or item.split == "train"]
            for at in range(0, len(chosen), SHARD):
                shard = out / f"{corpus.replace('/', '_')}-{version:02}-{at // SHARD:05}{SUFFIX}"
                if shard.exists():
                    if made_by(shard) != (origin, wanted.settings):
                        raise ModelError(
                            f"{shard}: was made by another codec or with other settings; choose another OUT"
                        )
                    continue
                part = chosen[at : at + SHARD]
                found = run(partial(tokens_of, wanted, folder, version), part)
                name = f"{corpus}, version {version}, {at + len(part)} of {len(chosen)}"
                bar = tqdm(found, name, len(part), False, unit="file", disable=True if quiet else None)
                rows = [row for several in bar for row in several]
                write(shard, origin, rows, wanted.settings)
                written += len(rows)
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


@contextmanager
def _workers(jobs: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Something like ``map``, over processes of one thread each where there are several."""
    if jobs == 1:
        yield map
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _one_thread) as pool:
        yield partial(pool.map, chunksize=4)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@cache
def _codec(wanted: Wanted) -> Codec:
    from vqaudio.codec.codec import load

    codec = load(wanted.model, wanted.device)
    if codec.fingerprint != wanted.fingerprint:
        raise ModelError(f"{wanted.model}: was replaced by another model meanwhile; run tokenize again")
    return codec


def tokens_of(wanted: Wanted, folder: Path, version: int, recording: Recording) -> list[Row]:
    """One recording's rows, one for each number of codebooks; version 0 is the recording as it is."""
    from vqaudio.audio.resampling import read_mono
    from vqaudio.codec.blocks import encode_variants
    from vqaudio.codec.rate_distortion import code_cost_search
    from vqaudio.tokens import Row

    codec = _codec(wanted)
    sound = read_mono(recording.path, codec.sample_rate)
    if version:
        random = np.random.default_rng([wanted.seed, version, *recording.path.name.encode()])
        sound = varied(sound, codec.sample_rate, codec.hop_length, wanted.speed, random)
    sound = np.pad(sound, (0, max(0, round(wanted.least * codec.sample_rate) - len(sound))))
    path = recording.path
    name = (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()
    known = (name, recording.corpus, recording.speaker, recording.label, recording.split, version)
    if not len(sound):  # a copy of less than a frame may begin after its end
        return []
    ways = []
    for count in wanted.codebooks:
        cost = 0.0
        if version and wanted.costs[1] and random.random() < COSTLY:
            cost = float(np.exp(random.uniform(*np.log(wanted.costs))))
        ways.append((count, code_cost_search(codec.model.bottleneck, count, code_cost=cost) if cost else None))
    return [Row(*known, codes) for codes in encode_variants(codec.model, sound, variants=ways)]


def varied(
    sound: NDArray[np.float32], rate: int, hop_length: int, speed: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """The same words as other codes: a little slower or faster, at another level, frames cut at other places."""
    import soxr

    factor = random.uniform(1 - speed, 1 + speed)
    made = soxr.resample(sound, rate * factor, rate, quality="MQ") if speed else sound
    made = made[int(random.integers(hop_length)) :]
    level = 10.0 * np.log10(float(np.mean(made**2)) + 1e-12) if len(made) else 0.0
    made = made * np.float32(10.0 ** ((random.uniform(*LEVELS) - max(level, -70.0)) / 20.0))
    return np.asarray(made / np.float32(max(1.0, float(np.abs(made).max(initial=0.0)))), np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
