"""What the command lines that evaluate share: which clips, through which codecs."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vqaudio.cli.options import Listed, Seconds, backend, device, model, own_prior, quiet
from vqaudio.config.coding import ENTROPY_MODES
from vqaudio.evaluation import EvaluationError, require
from vqaudio.evaluation.choices import PEER_NAMES, SPLITS, TABLE_PEER_NAMES, Split
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec
    from vqaudio.evaluation.clips import Selection
    from vqaudio.evaluation.systems import System

USUAL_CODEBOOKS = (1, 2, 3, 4, 6)


@dataclass(frozen=True)
class Setup:
    """What the command line chose: clips of ``folder``, models and modes, other codecs; None where it did not say."""

    folder: Path
    model: str | None
    codebooks: list[int] | None
    entropy: list[str] | None
    rdo: list[float]
    prior: Path | None
    device: str
    backend: str | None
    peers: list[str] | None
    split: Split | None
    limit: int | None
    min_seconds: float
    quiet: bool


def evaluation_options(
    limit: int | None = None, min_seconds: float = 1.0
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """What a command gets as ``setup``, beside its own argument ``folder``."""
    added = (
        model(help=f"default: {DEFAULT_MODEL}"),
        click.option(
            "--codebooks",
            type=Listed(click.IntRange(1)),
            metavar="N,...",
            help="numbers of codebooks to use (default: 1,2,3,4,6 as far as the model goes, and all)",
        ),
        click.option(
            "--entropy",
            type=Listed(click.Choice(ENTROPY_MODES, case_sensitive=False)),
            metavar="MODE,...",
            help=f"some of {', '.join(ENTROPY_MODES)} (default: prior where the model has one, else none)",
        ),
        click.option(
            "--rdo",
            type=Listed(click.FLOAT),
            default="0",
            metavar="LAMBDA,...",
            help="weights of the rate against the distortion when codes are chosen, in the mode prior (default: 0)",
        ),
        own_prior,
        device,
        backend,
        click.option(
            "--peers",
            type=Listed(click.Choice((*PEER_NAMES, *TABLE_PEER_NAMES, "none"), case_sensitive=False)),
            metavar="NAME,...",
            help=f"other codecs of sound: {', '.join(PEER_NAMES)}; of tables: {', '.join(TABLE_PEER_NAMES)}; or none "
            "(default: those that are installed)",
        ),
        click.option(
            "--split",
            type=click.Choice(SPLITS),
            help="of a folder with a manifest.csv; test: what no model may learn from (default: valid)",
        ),
        click.option(
            "--limit",
            type=click.IntRange(1),
            default=limit,
            metavar="N",
            help=f"take N clips, evenly spread over the folder (default: {'all' if limit is None else limit})",
        ),
        click.option(
            "--min-seconds",
            type=Seconds(0),
            default=min_seconds,
            show_default=True,
            metavar="TIME",
            help="skip shorter clips",
        ),
        quiet,
    )
    names = [field.name for field in fields(Setup)]

    def decorate(main: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(main)
        def packed(**given: Any) -> int:
            return main(setup=Setup(**{name: given.pop(name) for name in names}), **given)

        return functools.reduce(lambda function, add: add(function), reversed(added), packed)

    return decorate


@dataclass(frozen=True)
class Prepared:
    """The clips, every system that they go through, and our own codec."""

    selection: Selection
    systems: list[System]
    codec: Codec


def prepare(setup: Setup, *packages: str) -> Prepared:
    """What is to be evaluated; says on standard error what was chosen.

    Raises:
        EvaluationError: one of ``packages`` or of the metrics' is missing, or there is nothing to evaluate.
        VqaudioError: a clip or the model cannot be read.
    """
    from vqaudio.evaluation.clips import select  # late: --help does without
    from vqaudio.evaluation.peers import find_peers

    for package in ("pesq", "pystoi", "scipy.special", *packages):
        require(package)
    peers, notes = find_peers(chosen_peers(setup, PEER_NAMES, "sound"))
    selection = select(setup.folder, setup.split, limit=setup.limit, min_seconds=setup.min_seconds)
    from vqaudio.codec.codec import load  # after the arguments are known to be good: networks take long to import

    name = setup.model or DEFAULT_MODEL
    codec = load(name, setup.device, prior=setup.prior, backend=setup.backend)
    systems = [*_own_systems(codec, setup), *peers]
    for line in (_describe(selection, setup.min_seconds), *notes):
        if not setup.quiet:
            print(line, file=sys.stderr)
    return Prepared(selection, systems, codec)


def chosen_peers(setup: Setup, names: Sequence[str], what: str) -> list[str] | None:
    """The names that ``--peers`` gives, none for "none", None for those that are installed.

    Raises:
        EvaluationError: a codec of something else than ``what``.
    """
    if setup.peers is None or setup.peers == ["none"]:
        return None if setup.peers is None else []
    for name in setup.peers:
        if name not in names:
            raise EvaluationError(
                f"--peers {name}: is no codec of {what}; expected some of {', '.join(names)}, or none"
            )
    return setup.peers


def _own_systems(codec: Codec, setup: Setup) -> list[System]:
    """The model at each number of codebooks, in each entropy mode."""
    from vqaudio.evaluation.systems import OwnCodec

    wanted: list[int] | None = setup.codebooks
    most = codec.n_codebooks
    least = codec.least_codebooks
    usual = [*(number for number in USUAL_CODEBOOKS if least <= number < most), most]
    numbers = usual if wanted is None else wanted
    if most == 0:
        raise EvaluationError(
            f"{codec.name}: has no codebooks, so it writes no files to evaluate; name a model that has"
        )
    if max(numbers) > most:
        raise EvaluationError(
            f"--codebooks {max(numbers)}: the model {codec.name} has {most}; ask for at most that many"
        )
    if min(numbers) < least:
        raise EvaluationError(
            f"--codebooks {min(numbers)}: the model {codec.name} cannot do with so few; ask for at least {least}"
        )
    modes: Sequence[str | None] = setup.entropy or [None]
    codings = [(mode, rdo) for mode in modes for rdo in ([0.0] if mode in ("none", "context") else setup.rdo)]
    return [
        OwnCodec(codec, number, entropy=mode, rdo=rdo)
        for number in dict.fromkeys(numbers)
        for mode, rdo in dict.fromkeys(codings)
    ]


def _describe(selection: Selection, min_seconds: float) -> str:
    skipped = f", {selection.too_short} shorter than {min_seconds:g} s skipped" if selection.too_short else ""
    return f"{selection.folder}: {len(selection.paths)} clips{skipped}"
