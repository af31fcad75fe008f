"""``python -m benchmarks.tables``: tables of numbers beside other compressors at the same bounds, on one thread.

Prints Markdown: for every table and bound the bytes of our whole file and of each other compressor, seconds each way,
on how many pairs of table and bound ours is the smallest, and geometric means of our size over theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from benchmarks.made_table import made_table
from vqaudio.cli.options import PATH, Listed
from vqaudio.cli.program import Command
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.peer_scores import OURS, compare, timed
from vqaudio.evaluation.peers_report import as_data
from vqaudio.evaluation.series_scores import PeerComparison, PeerScore
from vqaudio.evaluation.table_peers import TablePeer, find_table_peers
from vqaudio.evaluation.writing import markdown, write_json
from vqaudio.files import open_input
from vqaudio.series import MaxError, StoredTable, Table, compress, mixes, model_for, read_table, suffix_of

EXACT = "exact"


@dataclass(frozen=True)
class Pair:
    """One table at one bound."""

    table: str
    bound: str
    compared: PeerComparison

    @property
    def best(self) -> PeerScore:
        """The smallest of the others that keep the bound."""
        assert self.compared.best is not None, "zstd keeps every bound"
        return self.compared.best

    @property
    def ratio(self) -> float:
        """Our size over the best one's."""
        return self.compared.ratio


@click.command("benchmarks.tables", cls=Command, example="../shared/data/timeseries --bounds exact,1%")
@click.argument("folder", type=PATH)
@click.option("--bounds", type=Listed(click.STRING), default="exact,0.1%,1%", show_default=True, metavar="E|P%,...")
@click.option("--tables", type=Listed(click.STRING), metavar="NAME,...", help="of these files alone (default: all)")
@click.option("--peers", type=Listed(click.STRING), metavar="NAME,...", help="default: those that are installed")
@click.option(
    "--made-rows",
    type=click.IntRange(0),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="of benchmarks.made_table, which is compared last; 0 for none",
)
@click.option("--model", metavar="NAME|PATH", help="of time series, or none (default: as compress has it)")
@click.option("--json", "json_out", type=PATH, metavar="OUT", help="write all figures")
def main(
    folder: Path,
    bounds: list[str],
    tables: list[str] | None,
    peers: list[str] | None,
    made_rows: int,
    model: str | None,
    json_out: Path | None,
) -> int:
    """Compress all tables of a folder at each bound, with vqaudio and with others."""
    found, sentences = find_table_peers(peers)
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    paths = [path for path in sorted(folder.iterdir()) if suffix_of(path) and (not tables or path.name in tables)]
    if not paths:
        raise VqaudioError(f"{folder}: holds none of the tables that were asked for")
    pairs = []
    made = [Path(f"made, {made_rows:,} rows")] if made_rows and not tables else []
    for path in [*paths, *made]:
        for bound in bounds:
            table = made_table(made_rows) if path in made else read(path)
            pairs.append(measure(table, path.name, bound, found, model=model))
            print(f"{path.name}, {bound}: {pairs[-1].ratio:.3f} of {pairs[-1].best.name}", file=sys.stderr)
    print(report(pairs))
    if json_out:
        write_json(
            json_out,
            {"pairs": [{"table": pair.table, "bound": pair.bound, **as_data(pair.compared)} for pair in pairs]},
        )
    return 0


def read(path: Path) -> Table:
    """The table in a file."""
    with open_input(path) as file:
        return read_table(file, str(path), suffix=suffix_of(path))


def measure(table: Table, name: str, bound: str, peers: Sequence[TablePeer], *, model: str | None) -> Pair:
    """Our file, decoded again, and each of the others on the same columns at the same bounds."""
    max_error = None if bound == EXACT else MaxError.parse(bound)
    chosen, mixing = model_for(model), mixes(table.n_cells, model)
    data, pack_seconds = timed(
        lambda: compress(table, max_error, lossless=max_error is None, model=chosen, mixing=mixing, name=name)
    )
    stored = StoredTable(data, name, model=chosen)
    _, unpack_seconds = timed(stored.table)
    bounds = [column.bound for column in stored.columns]
    compared = compare(table, bounds, n_bytes=len(data), seconds=(pack_seconds, unpack_seconds), peers=peers)
    return Pair(name, bound, compared)


def report(pairs: Sequence[Pair]) -> str:
    """All tables in Markdown."""
    names = [one.name for one in pairs[0].compared.others]
    sizes = markdown(
        ["table", "bound", "values", OURS, *names, "rest", "over the best"],
        [
            [
                pair.table,
                pair.bound,
                f"{pair.compared.n_values:,}",
                *(_size(pair, one) for one in (pair.compared.ours, *pair.compared.others)),
                f"{pair.compared.rest_bytes:,}",
                f"{pair.ratio:.3f} {pair.best.name}",
            ]
            for pair in pairs
        ],
    )
    return "\n\n".join([sizes, *_summaries(pairs)])


def _size(pair: Pair, score: PeerScore) -> str:
    return f"{pair.compared.whole(score):,}" + ("" if score.keeps_bounds else " (off)")


def _summaries(pairs: Sequence[Pair]) -> Iterator[str]:
    """Wins, geometric means and speeds at each bound and at all of them."""
    bounds = dict.fromkeys(pair.bound for pair in pairs)
    groups = {bound: [pair for pair in pairs if pair.bound == bound] for bound in bounds} | {"all": list(pairs)}
    names = [one.name for one in pairs[0].compared.others]
    yield markdown(
        ["bound", "smallest file", "over the best", *(f"over {name}" for name in names)],
        [
            [
                bound,
                f"{sum(pair.ratio < 1 for pair in group)} of {len(group)}",
                f"{geometric_mean([pair.ratio for pair in group]):.3f}",
                *(f"{geometric_mean(_ratios(group, at)):.3f}" for at in range(len(names))),
            ]
            for bound, group in groups.items()
        ],
    )
    n_values = sum(pair.compared.n_values for pair in pairs)
    yield markdown(
        ["codec", "values/s packed", "values/s unpacked"],
        [
            [
                scores[0].name,
                f"{n_values / sum(one.pack_seconds for one in scores):,.0f}",
                f"{n_values / sum(one.unpack_seconds for one in scores):,.0f}",
            ]
            for scores in zip(*([pair.compared.ours, *pair.compared.others] for pair in pairs), strict=True)
        ],
    )


def _ratios(pairs: Sequence[Pair], at: int) -> list[float]:
    return [pair.compared.ours.n_bytes / pair.compared.whole(pair.compared.others[at]) for pair in pairs]


def geometric_mean(ratios: Sequence[float]) -> float:
    """Of numbers above 0."""
    return float(np.exp(np.mean(np.log(ratios))))


if __name__ == "__main__":
    raise SystemExit(main())
