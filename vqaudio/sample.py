"""``python -m vqaudio.sample OUT.wav``: sound that nobody said, from a model's prior."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from vqaudio.cli import command
from vqaudio.errors import VqaudioError
from vqaudio.files import refuse_existing
from vqaudio.prior.base import NONE
from vqaudio.prior.sampling import Sampling
from vqaudio.registry import DEFAULT_MODEL
from vqaudio.sink import known_suffix

if TYPE_CHECKING:
    from vqaudio.codec import Codec


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio sample",
        description="Draw new sound from a model's prior: of a speaker, of a class, or after a recording.",
    )
    parser.add_argument(
        "out",
        nargs="?",
        type=Path,
        default=Path("sample.wav"),
        metavar="OUT",
        help="WAV, FLAC, W64 or OGG, or - for standard output (default: %(default)s)",
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="to draw (default: as the prior learned from)")
    parser.add_argument("--speaker", metavar="NAME", help="in whose voice; --list-speakers names them")
    parser.add_argument(
        "--label", metavar="L", help="of which class, where the model knows any; --list-labels names them"
    )
    parser.add_argument("--prompt", type=Path, metavar="IN", help="a recording to go on from; it is part of the output")
    parser.add_argument("--codebooks", type=int, metavar="N", help="how many codebooks to use (default: all)")
    parser.add_argument(
        "--temperature", type=float, default=0.9, metavar="T", help="0 for the likeliest (default: %(default)s)"
    )
    parser.add_argument(
        "--top-k", type=int, default=0, metavar="K", help="draw among the K likeliest codes (default: all)"
    )
    parser.add_argument(
        "--top-p",
        type=float,
        default=0.95,
        metavar="P",
        help="draw among those of probability P (default: %(default)s)",
    )
    parser.add_argument(
        "--guidance",
        type=float,
        default=1.5,
        metavar="G",
        help="above 1: more of the speaker or class (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same one gives the same codes everywhere")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="samples to draw, into OUT-1, OUT-2, ...")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|PATH", help="default: %(default)s")
    parser.add_argument("--prior", type=Path, metavar="PATH", help="an integer prior, in place of the model's own")
    parser.add_argument(
        "--list-speakers", action="store_true", help="print the speakers that the prior knows, and stop"
    )
    parser.add_argument("--list-labels", action="store_true", help="print the classes that the prior knows, and stop")
    parser.add_argument("--force", action="store_true", help="overwrite outputs that exist")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary, only errors")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = arguments()
    options = parser.parse_args(argv)
    listed = [name for name in ("speaker", "label") if getattr(options, f"list_{name}s")]
    if (options.seconds is not None and not 0 < options.seconds <= 3600) or not 1 <= options.count <= 1024:
        parser.error("expected --seconds above 0 and at most 3600, --count from 1 to 1024")
    how = Sampling(options.temperature, options.top_k, options.top_p, options.guidance, options.seed)
    targets = [] if listed else _targets(options.out, options.count)
    for target in targets:
        refuse_existing(target, options.force)
        known_suffix(target)
    from vqaudio.codec import load  # after the arguments are known to be good: torch takes seconds to import

    codec = load(options.model, prior=options.prior)
    for name in listed:
        print("\n".join(codec.prior.fields.get(name, ())) or f"{codec.name} knows no {name}s")
    if listed:
        return 0
    given = {"speaker": options.speaker, "label": options.label}
    condition = ",".join(f"{field}={label}" for field, label in given.items() if label is not None) or NONE
    started = time.perf_counter()
    seconds = options.seconds or codec.prior.seconds
    _write(codec, targets, seconds, condition, how, options)
    if not options.quiet:
        elapsed = time.perf_counter() - started
        names = f"{targets[0]}" if len(targets) == 1 else f"{targets[0]} to {targets[-1].name}"
        print(f"{names}: {options.count * seconds / elapsed:.1f} x real time", file=sys.stderr)
    return 0


def _targets(out: Path, count: int) -> list[Path]:
    if count == 1:
        return [out]
    if str(out) == "-":
        raise VqaudioError("standard output takes one sample: leave --count out, or name a file")
    return [out.with_stem(f"{out.stem}-{number}") for number in range(1, count + 1)]


def _write(
    codec: Codec,
    targets: list[Path],
    seconds: float,
    condition: str,
    how: Sampling,
    options: argparse.Namespace,
) -> None:
    from vqaudio.resampling import read_mono
    from vqaudio.sink import write_array

    prompt = None if options.prompt is None else read_mono(options.prompt, codec.sample_rate)
    n_frames = max(1, round(seconds * codec.frame_rate))
    with tqdm(
        total=n_frames, desc="sampling", unit="frame", disable=True if options.quiet else None, leave=False
    ) as bar:
        sounds = codec.sample(n_frames, options.codebooks, len(targets), condition, how, prompt, bar.update)
    for target, sound in zip(targets, sounds, strict=True):
        write_array(sound, codec.sample_rate, target)


if __name__ == "__main__":
    raise SystemExit(main())
