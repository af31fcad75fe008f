"""``python benchmarks/table_memory.py``: peak memory and speed of the command lines for tables of many values.

Tables are made by rule, a piece at a time: a clock, two random walks of decimals and a counter. Every command, and what
makes the tables, runs as a process of its own, whose peak resident memory the kernel reports when it ends.
"""

from __future__ import annotations

import argparse
import filecmp
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from memory import CommandError, run

COLUMNS = ("time", "load", "pressure", "count")
PIECE_ROWS = 500_000
FORMATS = ("npy", "parquet", "csv")


def pieces(n_rows: int) -> Iterator[list[object]]:
    """The columns, piece after piece: seconds, two walks in steps of 0.01, and a count that now and then rises."""
    import numpy as np

    random = np.random.default_rng(0)
    walked, counted = np.zeros(2, np.int64), 0
    for start in range(0, n_rows, PIECE_ROWS):
        rows = min(PIECE_ROWS, n_rows - start)
        walk = random.integers(-9, 10, (rows, 2)).cumsum(0) + walked
        count = (random.random(rows) < 0.1).cumsum() + counted
        walked, counted = walk[-1], int(count[-1])
        yield [np.arange(start, start + rows) + 1_467_331_200, walk[:, 0] / 100, walk[:, 1] / 100, count]


def make(path: Path, n_rows: int) -> None:
    """Write the table into a file, in the format of its name."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if path.suffix == ".npy":
        array = np.lib.format.open_memmap(path, "w+", np.float64, (n_rows, len(COLUMNS)))
        row = 0
        for columns in pieces(n_rows):
            array[row : row + len(columns[0])] = np.stack(columns, 1)
            row += len(columns[0])
        return
    schema = pa.schema(list(zip(COLUMNS, (pa.int64(), pa.float64(), pa.float64(), pa.int64()), strict=True)))
    kind = pa.csv.CSVWriter if path.suffix == ".csv" else pa.parquet.ParquetWriter
    with kind(path, schema) as writer:
        for columns in pieces(n_rows):
            writer.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True)), schema=schema))


def measure(kind: str, n_rows: int, folder: Path, options: list[str]) -> list[str]:
    """A row of the report for tables in one format."""
    table, coded, back = folder / f"in.{kind}", folder / "coded.vq", folder / f"back.{kind}"
    subprocess.run([sys.executable, __file__, "--make", table, "--rows", str(n_rows)], check=True)
    there = run("compress", table, coded, "--force", *options)
    here = run("decompress", coded, back, "--force")
    same = "to the byte" if filecmp.cmp(table, back, shallow=False) else "in other bytes"
    cells = [kind, f"{table.stat().st_size / 1e6:.0f} MB", f"{coded.stat().st_size / 1e6:.1f} MB"]
    for peak, seconds in (there, here):
        cells += [f"{peak:.0f} MB", f"{n_rows * len(COLUMNS) / seconds / 1e6:.2f}"]
    for path in (table, coded, back):
        path.unlink()
    return [*cells, same]


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="benchmarks/table_memory.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=25_000_000, help="of 4 columns (default: %(default)s)")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS, help="default: all")
    parser.add_argument("--model", default="none", help="of series (default: %(default)s)")
    parser.add_argument("--max-error", help="default: exact")
    parser.add_argument("--folder", type=Path, help="for the files (default: a temporary one)")
    parser.add_argument("--make", type=Path, metavar="PATH", help="write the table there, and measure nothing")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    options = arguments().parse_args(argv)
    if options.make:
        make(options.make, options.rows)
        return 0
    how = ["--model", options.model, *(["--max-error", options.max_error] if options.max_error else ["--lossless"])]
    print(
        f"{options.rows * len(COLUMNS)} values\n\n"
        "| format | table | .vq | compress: peak | million values/s | decompress: peak | million values/s | back |\n"
        "|---|---:|---:|---:|---:|---:|---:|---|"
    )
    with tempfile.TemporaryDirectory(prefix="vqaudio-", dir=options.folder) as name:
        for kind in options.formats:
            try:
                print("| " + " | ".join(measure(kind, options.rows, Path(name), how)) + " |", flush=True)
            except CommandError as error:
                print(f"error: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
