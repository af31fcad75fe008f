"""``python -m vqaudio.decode TOKENS OUT``: what ``tokenize`` wrote, back to sound."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from vqaudio.cli import options
from vqaudio.cli.converting import Job
from vqaudio.cli.jobs import Files, run_jobs, settle
from vqaudio.cli.outcomes import SoundDone
from vqaudio.cli.program import Command
from vqaudio.errors import ModelError, VqaudioError
from vqaudio.registry import find_fingerprint

if TYPE_CHECKING:
    from vqaudio.tokens import Row


@click.command("decode", cls=Command, example="tokens sounds")
@click.argument("source", metavar="TOKENS", type=options.PATH)
@click.argument("out", type=options.PATH)
@click.option("--speaker", default="", metavar="NAME", help="in whose voice, where the model knows any")
@options.model(help="default: the shipped model whose tokens they are")
@options.device
@options.backend
@options.force
@options.skip_existing
@options.quiet
def main(
    source: Path,
    out: Path,
    speaker: str,
    model: str | None,
    device: str,
    backend: str | None,
    force: bool,
    skip_existing: bool,
    quiet: bool,
) -> int:
    """Decode tokens on disk to sound: a WAV for each row.

    TOKENS is what vqaudio tokenize wrote, the folder or one of its files. The WAVs go to the folder OUT under the names
    of the recordings; what tells rows of one recording apart is added: the version, the number of codebooks. Their rate
    is the model's, and they are whole frames long.
    """
    from vqaudio import tokens  # late: --help does without
    from vqaudio.audio.sink import write_array
    from vqaudio.prior.base import n_frames_of

    options.refuse_together("force", "skip_existing")
    origin, rows = tokens.read(source)
    found = dict(zip(_targets(out, rows), rows, strict=True))
    jobs = [Job(Path(row.path), target, makes_folders=True) for target, row in found.items()]
    jobs = settle(jobs, Files((), out, force, skip_existing, quiet))
    if not jobs:
        return 0
    chosen = model or _shipped(origin.codec, source)
    from vqaudio.codec.codec import load  # after the arguments are known to be good: networks take long to import
    from vqaudio.codec.codes import Codes

    codec = load(chosen, device, backend=backend)
    if (codec.fingerprint, codec.streams) != (origin.codec, origin.streams):
        raise ModelError(
            f"{source}: holds tokens of the model {origin.codec}, not of {codec.name} ({codec.fingerprint}): give that "
            "model with --model"
        )
    codec.check_speaker(speaker)

    def convert(job: Job) -> SoundDone:
        started = time.perf_counter()
        codes = found[job.target].codes
        if not codes:
            raise VqaudioError(f"{job.source}: its row holds no tokens, so there is nothing to decode")
        codec.check_codebooks(len(codes))
        n_samples = n_frames_of(codes, codec.streams) * codec.hop_length
        sound = codec.decode(Codes([stream[None] for stream in codes], codec.sample_rate, n_samples), speaker)
        write_array(sound[0], job.target, sample_rate=codec.sample_rate)
        return SoundDone(n_samples / codec.sample_rate, time.perf_counter() - started)

    return run_jobs(jobs, convert, quiet=quiet)


def _shipped(codec: str, source: Path) -> Path:
    try:
        return find_fingerprint(codec)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from None


def _targets(out: Path, rows: list[Row]) -> list[Path]:
    """A name below ``out`` for each row, whatever path it has."""
    plain = [_name(row) for row in rows]
    rivals = Counter(plain)
    return [
        out / (f"{name}-{len(row.codes)}-codebooks.wav" if rivals[name] > 1 else f"{name}.wav")
        for name, row in zip(plain, rows, strict=True)
    ]


def _name(row: Row) -> str:
    parts = [part for part in PurePosixPath(row.path).parts if part not in ("/", "..")]
    path = PurePosixPath(*parts or ("recording",))
    return str(path.with_suffix("")) + (f"-version-{row.version}" if row.version else "")


if __name__ == "__main__":
    raise SystemExit(main())
