"""``python -m vqaudio.compress IN OUT``: audio, or a table of numbers, to ``.vq``."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vqaudio.cli import options
from vqaudio.cli.converting import Converter, Job, Portable
from vqaudio.cli.jobs import Files, file_options, list_jobs, rows_bar, run_jobs, seconds_bar
from vqaudio.cli.options import Seconds, refuse_given, refuse_together
from vqaudio.cli.outcomes import Outcome, SoundDone, TableDone
from vqaudio.cli.program import Command
from vqaudio.config.coding import CHUNK_SECONDS, ENTROPY_MODES, RAW_SUBTYPES
from vqaudio.errors import RateError, VqaudioError
from vqaudio.files import atomic_write, input_name
from vqaudio.files.pipe import ENDLESS
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.audio.live.inputs import Inputs
    from vqaudio.audio.live.source import RawFormat
    from vqaudio.audio.source import Source
    from vqaudio.codec.codec import Codec
    from vqaudio.codec.options import CodingOptions
    from vqaudio.series import Bounds

SOUND_OPTIONS = (
    *("codebooks", "kbps", "fast", "chunk", "entropy", "condition", "rdo"),
    *("raw", "prior", "device", "backend"),
)
BOUNDS = ("max_error", "max_relative_error", "psnr", "prd")


@click.command("compress", cls=Command, example="speech.wav speech.vq --codebooks 3")
@file_options("audio or table", ".vq file")
@click.option("--codebooks", type=int, metavar="N", help="how many codebooks to use; fewer are smaller (default: all)")
@click.option(
    "--kbps",
    type=float,
    metavar="R",
    help="the best file of at most R kb/s, and at least 95 % of that, all channels and bytes counted: codebooks and λ "
    "are found. A recording that goes on gets the most codebooks whose codes fit R before they are made shorter",
)
@click.option("--fast", is_flag=True, help="with --kbps: the most codebooks that fit R, and no λ; quicker, and worse")
@options.model(
    help=f"default: {DEFAULT_MODEL} for sound. Of tables: a network (series-base), or none for the quick coder, which "
    "those of more than 2,000,000 values have anyway; by default many predictions are mixed, for the smallest files"
)
@click.option(
    "--chunk-seconds",
    "--chunk",
    "chunk",
    type=Seconds(0.1, 60),
    default=CHUNK_SECONDS,
    show_default=True,
    metavar="TIME",
    help="of sound in a chunk; of a recording that goes on, so much is held back",
)
@click.option(
    "--entropy",
    type=click.Choice(ENTROPY_MODES),
    help="make files smaller by what came before in a chunk (context) or by a trained prior; none is quicker (default: "
    "prior where the model has one, else none)",
)
@click.option("--condition", default="none", metavar="FIELD=LABEL", help="tell the prior who speaks: speaker=p225")
@click.option(
    "--rdo",
    type=float,
    default=0.0,
    metavar="LAMBDA",
    help="λ, squared distance per bit: spend codes where they are heard; 0.1 to 0.6, the more the smaller, slowly "
    "(default: 0, the nearest codes)",
)
@click.option(
    "--raw",
    type=(str, str, str),
    metavar="RATE CHANNELS SUBTYPE",
    help="of samples without a header: Hz, how many channels, and as what each is stored (little-endian): "
    f"{', '.join(RAW_SUBTYPES)}",
)
@options.own_prior
@options.device
@options.backend
@click.option(
    "--max-error",
    multiple=True,
    metavar="E|P%|NAME=E,...",
    help="of tables: no decoded number is further off than E, or so much of its column's range; clocks stay exact; "
    "1%,temperature=0.1 has a bound of its own for a column, temperature=0.1 leaves others exact, as 0 does",
)
@click.option(
    "--max-relative-error",
    multiple=True,
    metavar="E|NAME=E,...",
    help="of tables: no decoded number is further off than so much of itself (0.001); zeros and signs stay",
)
@click.option(
    "--psnr",
    multiple=True,
    metavar="DB|NAME=DB,...",
    help="of tables: the bounds at which each column's range is so many dB above its root mean square error",
)
@click.option(
    "--prd",
    multiple=True,
    metavar="P|NAME=P,...",
    help="of tables: the same at which its root mean square error is P percent of its root mean square",
)
@options.delimiter
@options.decimal
@options.table_format
@click.option("--lossless", is_flag=True, help="of tables: keep all floats to the bit and all text to the letter")
def main(
    files: Files,
    codebooks: int | None,
    kbps: float | None,
    fast: bool,
    model: str | None,
    chunk: float,
    entropy: str | None,
    condition: str,
    rdo: float,
    raw: tuple[str, str, str] | None,
    prior: Path | None,
    device: str,
    backend: str | None,
    max_error: tuple[str, ...],
    max_relative_error: tuple[str, ...],
    psnr: tuple[str, ...],
    prd: tuple[str, ...],
    delimiter: str | None,
    decimal: str | None,
    table_format: str | None,
    lossless: bool,
) -> int:
    """Compress sound, or a table of numbers.

    Sound: WAV, FLAC, OGG, MP3, Opus, M4A and whatever else libsndfile or FFmpeg reads, also out of MP4 and WebM, at any
    rate, with any number of channels. Where a file holds less than it says, or is damaged, what is there is compressed,
    a warning tells what is missing, and the exit status is 1. Time series and other tables: CSV (also .csv.gz and
    .csv.zst), Parquet, NPY, NPZ, and recordings (EDF, BDF, the .hea of WFDB), which take no options but --model,
    --max-error, --max-relative-error, --psnr, --prd, --lossless, --format, --delimiter and --decimal; integers and
    decimals are kept exactly unless a bound is given. A table may be larger than memory.

    - stands for standard input (of a table with one of its options: --format csv) or output. Without OUT, speech.wav
    becomes speech.vq beside it, and so does every file in a folder.

    WAV, W64, AU, AIFF and raw samples are coded as they come through a pipe. Ctrl-C, or SIGTERM, ends such a recording
    and keeps all of it; exit status 0.
    """
    from vqaudio.audio.file_source import SUFFIXES  # late: --help does without
    from vqaudio.audio.live.inputs import open_inputs
    from vqaudio.audio.live.source import RawFormat
    from vqaudio.codec.options import CodingOptions
    from vqaudio.series import SUFFIXES as TABLES

    refuse_together("codebooks", "kbps")
    if fast and kbps is None:
        raise click.UsageError("--fast: expected --kbps R with it")
    if not fast:
        refuse_together("kbps", "rdo")
    for option in BOUNDS:
        refuse_together(option, "lossless")
    bound = None
    if max_error or max_relative_error or psnr or prd:
        from vqaudio.series import Bounds, MaxError, Prd, Psnr, RelativeError

        given = {MaxError: max_error, RelativeError: max_relative_error, Psnr: psnr, Prd: prd}
        bound = Bounds.parse(given)
    if not 0 <= rdo < 1000 or (rdo and entropy not in (None, "prior")):
        raise click.UsageError(f"--rdo {rdo:g}: expected 0 to 1000, and --entropy prior with it")
    if condition != "none" and entropy not in (None, "prior"):
        raise click.UsageError(f"--condition {condition} needs --entropy prior")
    if delimiter is not None and delimiter == decimal:
        raise click.UsageError(f"--delimiter {delimiter} and --decimal {decimal}: expected different characters")
    wanted = CodingOptions(
        n_codebooks=codebooks,
        kbps=None if fast else kbps,
        entropy=entropy,
        condition=condition,
        rdo=rdo,
        chunk_seconds=chunk,
    )
    tables = TableOptions(bound, lossless, delimiter, decimal, table_format)
    how = Compressing(
        wanted,
        tables,
        model=model,
        prior=prior,
        device=device,
        backend=backend,
        fitting_kbps=kbps if fast else None,
        raw=None if raw is None else RawFormat.parse(*raw),
        quiet=files.quiet,
    )
    if files.out_dir is None and len(files.paths) == 2:
        _refuse_other_kind(files.paths[1])
    jobs = list_jobs(files, TABLES if tables.given else SUFFIXES, out_suffix=".vq")
    sounds = [job.source for job in jobs if not how.is_table(job.source)]
    if sounds and tables.given:
        raise click.UsageError(
            f"{sounds[0]}: --max-error, --lossless, --delimiter and --decimal are for tables, which end in "
            f"{', '.join(TABLES)}, or have their format named (--format csv)"
        )
    if len(sounds) < len(jobs):
        refuse_given(SOUND_OPTIONS, f"is for sound; tables ({', '.join(TABLES)}) do not take it")
    where = files.where(device)
    if not where.is_here(jobs):
        if sounds:
            here = how if files.cluster is None else replace(how, device="cpu")  # who checks needs no GPU
            here.check()
        return run_jobs(jobs, how, quiet=files.quiet, where=where)
    with open_inputs(sounds, how.raw) as inputs:
        how = replace(how, inputs=inputs)
        if sounds:
            how.check()
        return run_jobs(jobs, how, quiet=files.quiet)


def _refuse_other_kind(target: Path) -> None:
    """Do nothing unless the name of an output promises something else than a ``.vq`` file.

    Raises:
        VqaudioError: it does.
    """
    from vqaudio.audio.file_source import SUFFIXES
    from vqaudio.series import suffix_of

    suffix = target.suffix.lower()
    if suffix in SUFFIXES or suffix_of(target):
        raise VqaudioError(
            f"{target}: what is compressed is no {suffix}; name the output {target.with_suffix('.vq').name}, or add "
            "--out-dir DIR to compress several files"
        )


@dataclass(frozen=True)
class TableOptions(Portable):
    """What a command line says of tables."""

    bound: Bounds | None
    lossless: bool
    delimiter: str | None
    decimal: str | None
    format: str | None

    @property
    def given(self) -> bool:
        """Whether it says anything of them."""
        return self.bound is not None or self.lossless or bool(self.delimiter or self.decimal or self.format)


@dataclass(frozen=True)
class Compressing(Converter[Job, Outcome]):
    """What compresses: a command line's options.

    With ``fitting_kbps``, as many codebooks are used as fit it before their codes are made shorter. ``inputs`` are
    those of this process, where it has opened some.
    """

    options: CodingOptions
    tables: TableOptions
    _: KW_ONLY
    model: str | None
    prior: Path | None
    device: str
    backend: str | None
    fitting_kbps: float | None
    raw: RawFormat | None
    quiet: bool
    inputs: Inputs | None = field(default=None, compare=False)

    @cached_property
    def codec(self) -> Codec:
        """The model for sound."""
        from vqaudio.codec.codec import load  # once the arguments are known to be good: it takes long to import

        return load(self.model or DEFAULT_MODEL, self.device, prior=self.prior, backend=self.backend)

    def check(self) -> None:
        """Do nothing where the model can compress sound so.

        Raises:
            ModelError: there is no such model, it has no encoder or not as many codebooks.
        """
        self.codec.check_encodes()
        self.codec.check_codebooks(self.options.n_codebooks)

    def is_table(self, source: Path) -> bool:
        """Whether an input is to be read as one."""
        from vqaudio.series import suffix_of

        return bool(suffix_of(source) or self.tables.format) or (self.tables.given and str(source) == "-")

    def __call__(self, job: Job) -> Outcome:
        return self._table(job) if self.is_table(job.source) else self._sound(job)

    def _sound(self, job: Job) -> SoundDone:
        from vqaudio.audio.live.inputs import open_inputs
        from vqaudio.codec.rate_control import LEAST

        codec, asked = self.codec, self.options.kbps if self.fitting_kbps is None else self.fitting_kbps
        started = time.perf_counter()
        with ExitStack() as stack:
            inputs = self.inputs or stack.enter_context(open_inputs([job.source], self.raw))
            sound = stack.enter_context(inputs.sound(job.source))
            total = sound.n_samples / sound.sample_rate if sound.n_samples < ENDLESS else None
            with seconds_bar(total, job.source.name, quiet=self.quiet) as bar, atomic_write(job.target) as file:
                try:
                    size = codec.write(sound, file, options=self._options_for(sound), done=bar.update)
                except RateError as error:
                    raise RateError(f"{sound.name}: {error}") from None
            seconds = sound.n_samples / sound.sample_rate
            problems = () if inputs.ended_by else sound.problems
        inputs.report(sound, job.target, quiet=self.quiet)
        done = SoundDone(seconds, time.perf_counter() - started, size, problems)
        if asked is not None and not self.quiet and done.kbps < LEAST * asked:
            print(f"note: {sound.name}: {done.kbps:.2f} kb/s is as near as it comes to {asked:g}", file=sys.stderr)
        return done

    def _options_for(self, sound: Source) -> CodingOptions:
        if self.fitting_kbps is None:
            return self.options
        return replace(self.options, n_codebooks=self.codec.codebooks_for(self.fitting_kbps / sound.channels))

    def _table(self, job: Job) -> TableDone:
        from vqaudio.series import compress_file, suffix_of

        tables, started = self.tables, time.perf_counter()
        with rows_bar(None, job.source.name, quiet=self.quiet) as bar:
            written = compress_file(
                job.source,
                job.target,
                max_error=tables.bound,
                lossless=tables.lossless,
                progress=bar.update,
                model=self.model,
                suffix=f".{tables.format}" if tables.format and not suffix_of(job.source) else "",
                delimiter=tables.delimiter,
                decimal=tables.decimal,
            )
        if not self.quiet:
            for remark in written.remarks:
                print(f"warning: {input_name(job.source)}: {remark}", file=sys.stderr)
            if written.reached:
                print(f"note: {input_name(job.source)}: reached {', '.join(written.reached)}", file=sys.stderr)
        elapsed = time.perf_counter() - started
        return TableDone.of(written.n_rows, written.n_columns, elapsed=elapsed, size=written.size)


if __name__ == "__main__":
    raise SystemExit(main())
