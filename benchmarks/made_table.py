"""``python -m benchmarks.made_table``: a long table of sensors by rule, for figures of speed.

Written into a folder, it is a table for ``python -m benchmarks.tables FOLDER``.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from vqaudio.series import Column, Table, suffix_of, write_table

DAY = 86_400


def made_table(n_rows: int) -> Table:
    """Four columns of ``n_rows`` seconds: temperature (2 decimals), vibration, a meter's counts, and load (1 decimal).

    The same on every machine up to the last digit of a cell.
    """
    random = np.random.default_rng(np.random.PCG64(17))
    seconds = np.arange(n_rows)
    drift = random.normal(0, 0.004, n_rows).cumsum()
    temperature = 18 + 6 * np.sin(2 * np.pi * seconds / DAY) + drift + random.normal(0, 0.02, n_rows)
    turning = np.sin(2 * np.pi * seconds / 9.7) + 0.4 * np.sin(2 * np.pi * seconds / 3.1)
    vibration = turning + random.normal(0, 0.3, n_rows) * (1 + 0.5 * np.sin(2 * np.pi * seconds / 5000))
    smooth = _averaged(random.normal(0, 1, n_rows), 20)
    load = 400 + 150 * np.sin(2 * np.pi * seconds / DAY + 1) + 90 * smooth
    counts = (np.maximum(load, 0) / 60 + random.uniform(0, 1, n_rows)).astype(np.int64).cumsum()
    columns = {
        "temperature": np.round(temperature, 2),
        "vibration": np.round(vibration, 3),
        "counts": counts,
        "load": np.round(load, 1),
    }
    made = [Column(name, values.dtype.name, values, np.zeros(n_rows, np.uint8)) for name, values in columns.items()]
    return Table(made, {"suffix": ".parquet"})


def _averaged(noise: np.ndarray, rows: int) -> np.ndarray:
    """Means of so many values, twice: smooth, as a load of many small parts is."""
    for _ in range(2):
        sums = np.concatenate([np.zeros(rows), noise]).cumsum()
        noise = (sums[rows:] - sums[:-rows]) / np.sqrt(rows)
    return noise


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rows", type=click.IntRange(1), default=1_000_000, help="Rows of four columns.")
def main(file: Path, rows: int) -> None:
    """Write the table to a .csv, .parquet or .npz file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        write_table(made_table(rows), out, name=file.name, suffix=suffix_of(file) or ".parquet")


if __name__ == "__main__":
    main()
