"""``python -m vqaudio.sample OUT.wav``: sound that nobody said, from a model's prior."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vqaudio.cli import options
from vqaudio.cli.options import Seconds
from vqaudio.cli.outcomes import speed
from vqaudio.cli.program import Command
from vqaudio.errors import VqaudioError
from vqaudio.files import refuse_existing
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.audio.source import Window
    from vqaudio.codec.codec import Codec
    from vqaudio.prior.sampling import Sampling


@click.command("sample", cls=Command, example="new.wav --seconds 5 --speaker p226")
@click.argument("out", type=options.PATH, default="sample.wav")
@click.option(
    "--seconds",
    type=Seconds(0, 3600, min_open=True),
    metavar="TIME",
    help="how long, up to an hour (default: as the prior learned from)",
)
@click.option("--speaker", metavar="NAME", help="in whose voice; --list-speakers names them")
@click.option("--label", metavar="L", help="of which class, where the model knows any; --list-labels names them")
@click.option("--prompt", type=options.PATH, metavar="IN", help="a recording to go on from; it is part of the output")
@options.codebooks
@click.option("--temperature", type=float, default=0.9, show_default=True, metavar="T", help="0 for the likeliest")
@click.option("--top-k", type=int, default=0, metavar="K", help="sample among the K likeliest codes (default: all)")
@click.option(
    "--top-p",
    type=float,
    default=0.95,
    show_default=True,
    metavar="P",
    help="sample among the likeliest codes that together have probability P",
)
@click.option(
    "--guidance",
    type=float,
    default=1.5,
    show_default=True,
    metavar="G",
    help="above 1: more of the speaker or class",
)
@click.option("--seed", type=int, default=0, metavar="N", help="the same one gives the same codes everywhere")
@click.option(
    "--count", type=click.IntRange(1, 1024), default=1, metavar="N", help="how many samples, into OUT-1, OUT-2, ..."
)
@options.model(DEFAULT_MODEL)
@options.own_prior
@options.device
@options.backend
@click.option("--list-speakers", is_flag=True, help="print the speakers that the prior knows, and stop")
@click.option("--list-labels", is_flag=True, help="print the classes that the prior knows, and stop")
@options.force
@options.quiet
def main(
    out: Path,
    seconds: float | None,
    speaker: str | None,
    label: str | None,
    prompt: Path | None,
    codebooks: int | None,
    temperature: float,
    top_k: int,
    top_p: float,
    guidance: float,
    seed: int,
    count: int,
    model: str,
    prior: Path | None,
    device: str,
    backend: str | None,
    list_speakers: bool,
    list_labels: bool,
    force: bool,
    quiet: bool,
) -> int:
    """Sample new sound from a model's prior: of a speaker, of a class, or after a recording.

    OUT is a WAV, FLAC, W64 or OGG, or - for standard output (default: sample.wav).
    """
    from vqaudio.audio.sink import known_suffix, write_array  # late: --help does without
    from vqaudio.prior.base import NONE
    from vqaudio.prior.sampling import Sampling

    listed = [name for name, asked in (("speaker", list_speakers), ("label", list_labels)) if asked]
    how = Sampling(temperature, top_k, top_p, guidance, seed)
    targets = [] if listed else _targets(out, count)
    for target in targets:
        refuse_existing(target, force)
        known_suffix(target)
    from vqaudio.codec.codec import load  # after the arguments are known to be good: networks take long to import

    codec = load(model, device, prior=prior, backend=backend)
    for name in listed:
        print("\n".join(codec.prior.fields.get(name, ())) or f"{codec.name} knows no {name}s")
    if listed:
        return 0
    given = {"speaker": speaker, "label": label}
    condition = ",".join(f"{field}={value}" for field, value in given.items() if value is not None) or NONE
    usual = codec.prior.seconds  # this reads the prior, so that the speed does not count it
    seconds = usual if seconds is None else seconds
    started = time.perf_counter()
    sounds = _sampled(codec, seconds, codebooks, count, condition, how, prompt, quiet)
    for target, sound in zip(targets, sounds, strict=True):
        write_array(sound, target, sample_rate=codec.sample_rate)
    if not quiet:
        elapsed = time.perf_counter() - started
        names = f"{targets[0]}" if len(targets) == 1 else f"{targets[0]} to {targets[-1].name}"
        print(f"{names}: {speed(count * seconds, elapsed)}", file=sys.stderr)
    return 0


def _targets(out: Path, count: int) -> list[Path]:
    if count == 1:
        return [out]
    if str(out) == "-":
        raise VqaudioError("standard output takes one sample: leave --count out, or name a file")
    return [out.with_stem(f"{out.stem}-{number}") for number in range(1, count + 1)]


def _sampled(
    codec: Codec,
    seconds: float,
    codebooks: int | None,
    count: int,
    condition: str,
    how: Sampling,
    prompt: Path | None,
    quiet: bool,
) -> list[Window]:
    from tqdm import tqdm

    from vqaudio.audio.resampling import read_mono

    heard = None if prompt is None else read_mono(prompt, codec.sample_rate)
    n_frames = max(1, round(seconds * codec.frame_rate))
    with tqdm(total=n_frames, desc="sampling", unit="frame", disable=True if quiet else None, leave=False) as bar:
        return codec.sample(
            n_frames,
            n_codebooks=codebooks,
            count=count,
            condition=condition,
            sampling=how,
            prompt=heard,
            done=bar.update,
        )


if __name__ == "__main__":
    raise SystemExit(main())
