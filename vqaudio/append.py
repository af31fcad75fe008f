"""``python -m vqaudio.append OLD.vq MORE.csv``: rows of a table to the ``.vq`` file of one like it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from vqaudio.cli import options
from vqaudio.cli.jobs import rows_bar
from vqaudio.cli.outcomes import TableDone
from vqaudio.cli.program import Command
from vqaudio.files import input_name, refuse_existing


@click.command("append", cls=Command, example="2016.vq 2017.csv --out both.vq")
@click.argument("coded", metavar="OLD.vq", type=options.PATH)
@click.argument("more", metavar="MORE", type=options.PATH)
@click.option("--out", type=options.PATH, metavar="NEW.vq", help="write all rows there, and leave OLD.vq as it is")
@options.model(help="default: the shipped model that wrote the file")
@options.delimiter
@options.decimal
@options.table_format
@options.force
@options.quiet
def main(
    coded: Path,
    more: Path,
    out: Path | None,
    model: str | None,
    delimiter: str | None,
    decimal: str | None,
    table_format: str | None,
    force: bool,
    quiet: bool,
) -> int:
    """Add the rows of a table to a .vq file.

    MORE is a CSV, Parquet, NPY or NPZ with the same columns, or - for standard input. What OLD.vq holds is not coded
    anew, and its bounds are kept: numbers of MORE are as far off as those. OLD.vq stays whole until all is written,
    whatever happens meanwhile.
    """
    from vqaudio.series import append_file  # late: --help does without

    if out is not None:
        refuse_existing(out, force)
    started = time.perf_counter()
    with rows_bar(None, more.name, quiet=quiet) as bar:
        written = append_file(
            coded,
            more,
            out or coded,
            progress=bar.update,
            model=model,
            suffix=f".{table_format}" if table_format else "",
            delimiter=delimiter,
            decimal=decimal,
        )
    if not quiet:
        for remark in written.remarks:
            print(f"warning: {input_name(more)}: {remark}", file=sys.stderr)
        elapsed = time.perf_counter() - started
        done = TableDone.of(written.n_rows, written.n_columns, elapsed=elapsed)
        print(f"{input_name(more)} -> {out or coded}: {done}, {written.size} bytes in all", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
