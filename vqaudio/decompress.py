"""``python -m vqaudio.decompress IN OUT``: ``.vq`` to audio, or to the table that it holds."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vqaudio.cli import options
from vqaudio.cli.converting import Converter, Job
from vqaudio.cli.jobs import Files, file_options, list_jobs, rows_bar, run_jobs, seconds_bar
from vqaudio.cli.options import Edge, Edges, those_given
from vqaudio.cli.outcomes import Outcome, SoundDone, TableDone
from vqaudio.cli.program import Command
from vqaudio.errors import ContainerError, VqaudioError
from vqaudio.files import writes_in_place
from vqaudio.files.pipe import ENDLESS

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec
    from vqaudio.codec.decoded import DecodedSound
    from vqaudio.codec.opened import StoredSound
    from vqaudio.container import Damage
    from vqaudio.series import StoredTable

SOUND_OPTIONS = ("subtype", "speaker", "prior", "device", "backend")


@click.command("decompress", cls=Command, example="speech.vq speech.wav --start 1:00 --end 1:15")
@file_options(".vq", "WAV file or table")
@click.option(
    "--start",
    type=Edges(),
    metavar="TIME|ROW",
    help="decode from this time on, in seconds or as 1:23.5; of tables from this row on, or from a time in the first "
    "column of such, as 2016-07-01T12:00",
)
@click.option("--end", type=Edges(), metavar="TIME|ROW", help="decode up to this time; of tables, this row included")
@click.option(
    "--subtype",
    type=click.Choice(("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT")),
    help="samples in the output (default: PCM_16)",
)
@click.option(
    "--speaker", default="", metavar="NAME", help="in whose voice, where the model knows any (vqaudio convert)"
)
@options.model(help="default: the shipped model that wrote the file")
@options.any_prior
@options.device
@options.backend
def main(
    files: Files,
    start: Edge | None,
    end: Edge | None,
    subtype: str | None,
    speaker: str,
    model: str | None,
    prior: Path | None,
    device: str,
    backend: str | None,
) -> int:
    """Decode .vq files.

    Sound becomes WAV, FLAC, W64 or OGG, with the rate, channels and length of what was compressed; tables become CSV,
    Parquet, NPY or NPZ. - stands for standard input or output (a WAV, or the table in its own format).
    Without OUT, speech.vq becomes speech.wav beside it.

    Exits with status 1 where a part was damaged; the rest is decoded, with silence or empty cells in its place.
    """
    jobs = list_jobs(files, {".vq"}, out_suffix=_out_suffix)
    how = Decompressing(
        start, end, subtype, speaker, model, prior, device, backend, those_given(SOUND_OPTIONS), files.quiet
    )
    return run_jobs(jobs, how, quiet=files.quiet, where=files.where(device))


@dataclass(frozen=True)
class Decompressing(Converter[Job, Outcome]):
    """What decompresses: a command line's options, of which ``sound_options`` are given and for sound alone."""

    start: Edge | None
    end: Edge | None
    subtype: str | None
    speaker: str
    model: str | None
    prior: Path | None
    device: str
    backend: str | None
    sound_options: tuple[str, ...]
    quiet: bool

    @cached_property
    def codecs(self) -> dict[str | Path, Codec]:
        """By what they are called."""
        return {}

    def codec_for(self, stored: StoredSound) -> Codec:
        """The codec of a file."""
        from vqaudio.codec.codec import load  # once it is known to be needed: networks take long to import
        from vqaudio.codec.opened import model_of

        chosen = self.model or model_of(stored)
        if chosen not in self.codecs:
            self.codecs[chosen] = load(chosen, self.device, prior=self.prior, backend=self.backend)
        return self.codecs[chosen]

    def __call__(self, job: Job) -> Outcome:
        from vqaudio.audio.sink import known_suffix  # late: --help does without
        from vqaudio.codec.opened import StoredSound, open_vq
        from vqaudio.series import suffix_of

        start, end = self.start, self.end
        live = start is None and end is None and _writes_wav_in_place(job.target)
        with open_vq(job.source, prior=self.prior, table_model=self.model, as_it_arrives=live) as stored:
            if not isinstance(stored, StoredSound):
                for option in self.sound_options:
                    raise VqaudioError(f"{option} is for sound, and {stored.name} holds a table")
                outcome: Outcome = _write_table(stored, job, (start, end), self.quiet)
                found = stored.damage
            else:
                if suffix_of(job.target):
                    raise VqaudioError(
                        f"{job.target}: {stored.name} holds sound; name an output like {job.target.stem}.wav"
                    )
                known_suffix(job.target)
                sound = self.codec_for(stored).open(stored, self.speaker)
                span = _seconds("--start", start), _seconds("--end", end)
                outcome, found = _write_sound(sound, job, span, self.subtype, self.quiet)
        for problem in found:
            print(f"damaged: {stored.name}: {problem}", file=sys.stderr)
        return replace(outcome, damaged=bool(found))


def _writes_wav_in_place(target: Path) -> bool:
    """Whether a sound can be passed on as it arrives."""
    return writes_in_place(target) and target.suffix.lower() in ("", ".wav")


def _out_suffix(path: Path) -> str:
    """What the output of a file is called with ``--out-dir``."""
    if not path.is_file():  # which will be said when it is opened
        return ".wav"
    from vqaudio.codec.opened import open_vq

    try:
        with open_vq(path) as stored:
            return stored.suffix
    except ContainerError:  # which will be said when its turn comes, and keeps no other file waiting
        return ".wav"


def _write_sound(
    sound: DecodedSound, job: Job, span: tuple[float | None, float | None], subtype: str | None, quiet: bool
) -> tuple[SoundDone, list[Damage]]:
    """Decode a span of seconds into the target; what is damaged in it is returned."""
    from vqaudio.audio.sink import write_sound

    started, rate = time.perf_counter(), sound.sample_rate
    first, stop = _samples(sound, *span)
    total = (stop - first) / rate if stop < ENDLESS else None
    with seconds_bar(total, job.source.name, quiet=quiet) as bar:
        loss = write_sound(sound, job.target, start=first, stop=stop, subtype=subtype, done=bar.update)
    if loss:
        print(f"warning: {loss}", file=sys.stderr)
    stop = min(stop, sound.n_samples)
    found = [damage for damage in sound.damage if damage.touches(first / rate, stop / rate)]
    return SoundDone((stop - first) / rate, time.perf_counter() - started), found


def _write_table(stored: StoredTable, job: Job, edges: tuple[Edge | None, Edge | None], quiet: bool) -> TableDone:
    """Decode a table, or some rows of it, into the target."""
    from vqaudio.series import write_file

    started = time.perf_counter()
    start, end = (None if edge is None else int(edge.text) if edge.text.isdecimal() else edge.text for edge in edges)
    if start == 0 or end == 0:
        raise VqaudioError(f"{stored.name}: has no row 0: rows are counted from 1")
    start = start - 1 if isinstance(start, int) else start
    with rows_bar(stored.n_rows, job.source.name, quiet=quiet) as bar:
        n_rows, n_columns = write_file(stored, job.target, progress=bar.update, start=start, end=end)
    return TableDone.of(n_rows, n_columns, elapsed=time.perf_counter() - started)


def _seconds(option: str, edge: Edge | None) -> float | None:
    """Where a sound begins or ends.

    Raises:
        VqaudioError: at a date.
    """
    if edge is not None and edge.seconds is None:
        raise VqaudioError(f"{option} {edge.text}: dates are for tables; expected seconds, or a time as in 1:23.5")
    return None if edge is None else edge.seconds


def _samples(sound: DecodedSound, start: float | None, end: float | None) -> tuple[int, int]:
    """Seconds to samples.

    Raises:
        VqaudioError: a span that is empty or starts outside the sound.
    """
    stored, rate = sound.stored, sound.sample_rate
    stored.reader.reach(0)  # of a sound that is still arriving, so that it is known whether it holds anything
    total = sound.n_samples
    if total >= ENDLESS:
        return 0, ENDLESS
    seconds = total / rate
    first = 0.0 if start is None else start
    last = seconds if end is None else min(end, seconds)
    if 0 <= first < last:  # false for NaN too
        span = round(first * rate), round(last * rate)
        if span[0] < span[1]:
            return span
    if total == 0:
        raise VqaudioError(f"{stored.name}: holds no sound that can be decoded")
    raise VqaudioError(
        f"{stored.name}: nothing to decode from {first:g} to {last:g} s in {seconds:.3f} s of sound: "
        "expected 0 <= START < END"
    )


if __name__ == "__main__":
    raise SystemExit(main())
