"""``python -m vqaudio.evaluate``: quality and rate of a model on recordings, or of tables, beside others."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vqaudio.cli import command
from vqaudio.evaluation import EvaluationError, require, series, series_report
from vqaudio.evaluation.options import add_options, prepare
from vqaudio.evaluation.report import as_data, plot, table
from vqaudio.evaluation.scoring import evaluate
from vqaudio.files import atomic_write
from vqaudio.jobs import refuse_set
from vqaudio.series import SUFFIXES, MaxError, suffix_of

SOUND_OPTIONS = ("codebooks", "entropy", "rdo", "prior", "peers", "split", "limit", "min_seconds")
TABLE_OPTIONS = ("max_error", "last")


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio evaluate",
        description="Code recordings with a model and with other codecs; print PESQ-WB, STOI, SI-SDR, log-mel distance "
        "and rate as a Markdown table of means with 95 % intervals. Recordings become mono at 16 kHz first. Or "
        "compress tables of numbers; print the errors of each column, and sizes beside gzip, zstd, Parquet and PCA.",
    )
    add_options(parser)
    tables = parser.add_argument_group(
        "tables",
        f"({', '.join(SUFFIXES)}) in place of a folder; --model is then one of time series, or none "
        "(default: as compress has it)",
    )
    tables.add_argument("tables", nargs="*", type=Path, metavar="TABLE", help="more of them")
    tables.add_argument(
        "--max-error",
        metavar="E",
        help="how far decoded numbers may be off; 1%% is a share of each column's range (default: not at all)",
    )
    tables.add_argument(
        "--last", type=_share, default=1.0, metavar="SHARE", help="of the rows, the last ones alone (default: all)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write means and the values of every file")
    parser.add_argument("--plot", type=Path, metavar="OUT.png", help="draw PESQ-WB and STOI over the rate; or columns")
    return parser


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share above 0 and up to 1")
    return share


def _check_output(path: Path | None) -> None:
    """Fail before minutes of work rather than after."""
    if path is not None and not path.parent.is_dir():
        raise EvaluationError(f"{path}: its folder does not exist; create the folder or write elsewhere")


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = arguments()
    options = parser.parse_intermixed_args(argv)
    for path in (options.json, options.plot):
        _check_output(path)
    paths = [options.folder, *options.tables]
    if all(suffix_of(path) and not path.is_dir() for path in paths):
        refuse_set(parser, options, SOUND_OPTIONS, f"is for sound, and {paths[0]} is a table")
        return _evaluate_tables(paths, options)
    if options.tables:
        parser.error(f"{options.tables[0]}: expected one folder of sound, or tables ({', '.join(SUFFIXES)}) alone")
    refuse_set(parser, options, TABLE_OPTIONS, f"is for tables, which end in {', '.join(SUFFIXES)}")
    selection, systems, codec = prepare(options, *(["matplotlib.figure"] if options.plot else []))
    result = evaluate(selection, systems, codec)
    print(table(result))
    if options.json:
        about = {"folder": str(options.folder), "model": codec.name, "too_short": selection.too_short}
        _write_json({**about, **as_data(result)}, options.json)
    if options.plot:
        plot(result, options.plot)
    return 0


def _evaluate_tables(paths: list[Path], options: argparse.Namespace) -> int:
    max_error = None if options.max_error is None else MaxError.parse(options.max_error)
    for package in ("sklearn", *(["matplotlib.figure"] if options.plot else [])):
        require(package)
    with tqdm(paths, unit="table", desc="evaluating", leave=False, disable=None) as bar:
        how = max_error, options.last, options.model, bar.set_postfix_str
        results = [series.evaluate_table(path, *how) for path in bar]
    print("\n\n".join(map(series_report.table, results)))
    if options.json:
        about = {"max_error": options.max_error, "last": options.last}
        _write_json({**about, "tables": [series_report.as_data(result) for result in results]}, options.json)
    if options.plot:
        columns = [(result.name if len(results) > 1 else "", column) for result in results for column in result.columns]
        series_report.plot([(f"{name} {column.name}".strip(), column) for name, column in columns], options.plot)
    return 0


def _write_json(data: dict[str, Any], path: Path) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(data, indent=1, allow_nan=False).encode() + b"\n")


if __name__ == "__main__":
    raise SystemExit(main())
