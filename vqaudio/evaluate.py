"""``python -m vqaudio.evaluate``: quality and rate of a model on recordings, or of tables, beside others."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vqaudio.cli.options import PATH, Listed, refuse_given
from vqaudio.cli.program import Command
from vqaudio.evaluation import EvaluationError, require
from vqaudio.evaluation.choices import JUDGE_NAMES, TABLE_PEER_NAMES
from vqaudio.evaluation.options import Setup, chosen_peers, evaluation_options, prepare

SOUND_OPTIONS = (
    *("codebooks", "entropy", "rdo", "prior", "device", "backend", "split", "limit", "min_seconds"),
    *("judges", "noise"),
)
TABLE_OPTIONS = ("max_error", "last", "sizes_out")


def _check_output(path: Path | None) -> None:
    """Fail before minutes of work rather than after."""
    if path is not None and not path.parent.is_dir():
        raise EvaluationError(f"{path}: its folder does not exist; create the folder or write elsewhere")


@click.command("evaluate", cls=Command, example="recordings --codebooks 3,9 --plot report.png")
@click.argument("folder", metavar="FOLDER|TABLE", type=PATH)
@click.argument("tables", metavar="[TABLE...]", nargs=-1, type=PATH)
@evaluation_options()
@click.option(
    "--judges",
    type=Listed(click.Choice((*JUDGE_NAMES, "all"), case_sensitive=False)),
    metavar="NAME,...",
    help=f"judges beside the metrics: {', '.join(JUDGE_NAMES)}, or all (extra judges; default: none)",
)
@click.option(
    "--noise",
    type=Listed(click.IntRange(-60, 120)),
    metavar="DB,...",
    help="mix each clip with others talking at once, at these signal-to-noise ratios (default: no noise)",
)
@click.option(
    "--max-error",
    metavar="E|P%",
    help="of tables: how far decoded numbers may be off; 1% is a share of each column's range (default: not at all)",
)
@click.option(
    "--last",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    metavar="SHARE",
    help="of the rows of tables, the last ones alone (default: all)",
)
@click.option("--json", "json_out", type=PATH, metavar="OUT", help="write means and the values of every file")
@click.option(
    "--plot", "plot_out", type=PATH, metavar="OUT.png", help="draw PESQ-WB, STOI and judges over the rate; or columns"
)
@click.option(
    "--plot-sizes",
    "sizes_out",
    type=PATH,
    metavar="OUT.png",
    help="of tables: draw sizes and speeds beside other codecs",
)
def main(
    setup: Setup,
    tables: tuple[Path, ...],
    judges: list[str] | None,
    noise: list[int] | None,
    max_error: str | None,
    last: float,
    json_out: Path | None,
    plot_out: Path | None,
    sizes_out: Path | None,
) -> int:
    """Code recordings with a model and with other codecs, or compress tables of numbers, and print how good it is.

    FOLDER is all audio below it, or what its manifest.csv lists: PESQ-WB, STOI, SI-SDR, log-mel distance and rate, as a
    Markdown table of means with 95 % intervals. Recordings become mono at 16 kHz first. With judges or noise, the
    recordings themselves are a row as well.

    TABLE ends in .csv, .parquet, .npy or .npz: the errors of each column, sizes beside gzip, zstd, Parquet and PCA, and
    sizes and seconds beside pcodec, SZ3, zfp, fpzip, Blosc2 and others at the same bound (extra peers).
    --model is then one of time series, or none (default: as compress has it).
    """
    from vqaudio.evaluation.judges import find_judges  # late: --help does without
    from vqaudio.evaluation.metrics import METRICS
    from vqaudio.evaluation.report import as_data, plot, table
    from vqaudio.evaluation.scoring import evaluate
    from vqaudio.evaluation.systems import Original
    from vqaudio.evaluation.writing import write_json
    from vqaudio.series import SUFFIXES, suffix_of

    for path in (json_out, plot_out, sizes_out):
        _check_output(path)
    paths = [setup.folder, *tables]
    if all(suffix_of(path) and not path.is_dir() for path in paths):
        refuse_given(SOUND_OPTIONS, f"is for sound, and {paths[0]} is a table")
        return _evaluate_tables(paths, max_error, last, setup, json_out, plot_out, sizes_out)
    if tables:
        raise click.UsageError(f"{tables[0]}: expected one folder of sound, or tables ({', '.join(SUFFIXES)}) alone")
    refuse_given(TABLE_OPTIONS, f"is for tables, which end in {', '.join(SUFFIXES)}")
    judged = find_judges(judges or [])
    prepared = prepare(setup, *(["matplotlib.figure"] if plot_out else []))
    selection, codec = prepared.selection, prepared.codec
    originals = [Original()] if judged or noise else []
    result = evaluate(
        selection,
        [*originals, *prepared.systems],
        codec=codec,
        progress=not setup.quiet,
        metrics={**METRICS, **judged},
        noise_db=noise or [],
    )
    print(table(result))
    if json_out:
        about = {"folder": str(setup.folder), "model": codec.name, "too_short": selection.too_short}
        write_json(json_out, {**about, **as_data(result)})
    if plot_out:
        plot(result, plot_out)
    return 0


def _evaluate_tables(
    paths: list[Path],
    max_error: str | None,
    last: float,
    setup: Setup,
    json_out: Path | None,
    plot_out: Path | None,
    sizes_out: Path | None,
) -> int:
    from tqdm import tqdm

    from vqaudio.evaluation import peers_report, series, series_report
    from vqaudio.evaluation.table_peers import find_table_peers
    from vqaudio.evaluation.writing import write_json
    from vqaudio.series import MaxError

    bound = None if max_error is None else MaxError.parse(max_error)
    for package in ("sklearn", *(["matplotlib.figure"] if plot_out or sizes_out else [])):
        require(package)
    peers, sentences = find_table_peers(chosen_peers(setup, TABLE_PEER_NAMES, "tables"))
    for sentence in sentences if not setup.quiet else []:
        print(sentence, file=sys.stderr)
    with tqdm(paths, unit="table", desc="evaluating", leave=False, disable=True if setup.quiet else None) as bar:
        results = [
            series.evaluate_table(path, bound, last=last, model=setup.model, peers=peers, step=bar.set_postfix_str)
            for path in bar
        ]
    print("\n\n".join(map(series_report.table, results)))
    if json_out:
        about = {"max_error": max_error, "last": last}
        write_json(json_out, {**about, "tables": [series_report.as_data(result) for result in results]})
    if sizes_out:
        peers_report.plot([(result.name, result.comparison) for result in results if result.comparison], sizes_out)
    if plot_out:
        columns = [(result.name if len(results) > 1 else "", column) for result in results for column in result.columns]
        series_report.plot([(f"{name} {column.name}".strip(), column) for name, column in columns], plot_out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
