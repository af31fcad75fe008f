"""What a model makes of the last fifth of a table, which it did not learn from, beside the coder without any."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from vqaudio.files import open_input
from vqaudio.series import Column, MaxError, Stored, Table, compress, model_named, read_table, suffix_of

HELD_OUT = 5
"""One row in so many, at the end, is not learned from."""


def held_out(path: Path) -> Table:
    """The last rows of a table."""
    with open_input(path) as file:
        table = read_table(file, path.name, suffix_of(path))
    start = table.n_rows - table.n_rows // HELD_OUT
    columns = [
        Column(one.name, one.dtype, one.values[start:], one.cells[start:], one.zone, one.notes) for one in table.columns
    ]
    return Table(columns, {"suffix": ".parquet"})


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="where the report goes")
    parser.add_argument("table", type=Path, help="CSV, Parquet, NPY or NPZ file")
    parser.add_argument("--model", required=True, help="the fitted model")
    parser.add_argument("--max-error", default="1%", help="as vqaudio compress takes it (default: %(default)s)")
    options = parser.parse_args()
    table, bound, model = held_out(options.table), MaxError.parse(options.max_error), model_named(options.model)
    alone, plain = (len(compress(table, bound, alone=alone)) for alone in (True, False))
    started = time.perf_counter()
    data = compress(table, bound, model=model)
    rate = table.n_rows * len(table.columns) / (time.perf_counter() - started)
    counts = Counter(part.predictor for _, parts in Stored(data, model=model).chunks() for part in parts or [])
    used = f"{counts['model']} of {counts.total()}"
    lines = [
        f"# {options.table.name}, rows {table.n_rows * (HELD_OUT - 1):,} and after, --max-error {options.max_error}",
        "",
        "| coded | bytes | |",
        "|---|---|---|",
        f"| each column alone, by linear prediction | {alone:,} | |",
        f"| with other columns | {plain:,} | {plain / alone - 1:+.1%} |",
        f"| with the model, in {used} columns | {len(data):,} | {len(data) / alone - 1:+.1%} |",
        "",
        f"Compressed and checked at {rate:,.0f} values/s.",
    ]
    options.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
