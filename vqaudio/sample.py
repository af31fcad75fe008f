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
from vqaudio.files import open_input, refuse_existing
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
@click.option("--text", metavar="TEXT", help="what shall be said, where the model knows text; --list-text: of what")
@click.option("--text-file", type=options.PATH, metavar="FILE", help="likewise, a text a line, into OUT-1, OUT-2, ...")
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
@click.option("--list-text", is_flag=True, help="print the words or characters that the prior knows, and stop")
@options.force
@options.quiet
def main(
    out: Path,
    seconds: float | None,
    speaker: str | None,
    label: str | None,
    text: str | None,
    text_file: Path | None,
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
    list_text: bool,
    force: bool,
    quiet: bool,
) -> int:
    """Sample new sound from a model's prior: of a speaker, of a class, saying a text, or after a recording.

    OUT is a WAV, FLAC, W64 or OGG, or - for standard output (default: sample.wav).
    """
    from vqaudio.audio.sink import known_suffix, write_array  # late: --help does without
    from vqaudio.prior.base import NONE
    from vqaudio.prior.sampling import Sampling

    listed = [
        name for name, asked in (("speaker", list_speakers), ("label", list_labels), ("text", list_text)) if asked
    ]
    how = Sampling(temperature, top_k, top_p, guidance, seed)
    texts = [] if listed else _texts(text, text_file, count)
    targets = [] if listed else _targets(out, len(texts) or count)
    for target in targets:
        refuse_existing(target, force)
        known_suffix(target)
    from vqaudio.codec.codec import load  # after the arguments are known to be good: networks take long to import

    codec = load(model, device, prior=prior, backend=backend)
    for name in listed:
        print("\n".join(_known(codec, name)) or f"{codec.name} knows no {name if name == 'text' else name + 's'}")
    if listed:
        return 0
    given = {"speaker": speaker, "label": label}
    condition = ",".join(f"{field}={value}" for field, value in given.items() if value is not None) or NONE
    usual = codec.prior.seconds  # this reads the prior, so that the speed does not count it
    started = time.perf_counter()
    if texts:
        sounds = _said(codec, texts, condition, how, quiet)
    else:
        sounds = _sampled(codec, usual if seconds is None else seconds, codebooks, count, condition, how, prompt, quiet)
    for target, sound in zip(targets, sounds, strict=True):
        write_array(sound, target, sample_rate=codec.sample_rate)
    if not quiet:
        elapsed = time.perf_counter() - started
        names = f"{targets[0]}" if len(targets) == 1 else f"{targets[0]} to {targets[-1].name}"
        made = sum(map(len, sounds)) / codec.sample_rate
        print(f"{names}: {speed(made, elapsed)}", file=sys.stderr)
    return 0


def _texts(text: str | None, text_file: Path | None, count: int) -> list[str]:
    """What shall be said in each sound; nothing where that is left to the prior.

    Raises:
        VqaudioError: options that do not go together, a file that cannot be read or is empty.
    """
    options.refuse_together("text", "text_file")
    if text is None and text_file is None:
        return []
    options.refuse_given(("seconds", "prompt", "codebooks"), "is not for texts, which take as long as they take")
    if text_file is None:
        return [text or ""] * count
    options.refuse_given(("count",), "is not for a file of texts: each of its lines is said once")
    with open_input(text_file) as file:
        try:
            lines = file.read().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise VqaudioError(f"{text_file}: is no text in UTF-8 ({error}); save it as such") from None
    texts = list(filter(None, map(str.strip, lines)))
    if not texts:
        raise VqaudioError(f"{text_file}: holds no text; expected one on each line")
    return texts


def _known(codec: Codec, name: str) -> tuple[str, ...]:
    """The labels that a prior knows in a field, or the symbols of its texts."""
    if name != "text":
        return tuple(codec.prior.fields.get(name, ()))
    return () if codec.prior.alphabet is None else codec.prior.alphabet.symbols


def _said(codec: Codec, texts: list[str], condition: str, how: Sampling, quiet: bool) -> list[Window]:
    from tqdm import tqdm

    with tqdm(desc="sampling", unit="frame", disable=True if quiet else None, leave=False) as bar:
        return codec.say(texts, condition=condition, sampling=how, done=bar.update)


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
