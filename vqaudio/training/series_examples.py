"""What a model of time series learns from: rows of tables as the coder of residuals shows them to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from vqaudio.config.series import TableDataConfig
from vqaudio.errors import ConfigError, SeriesError, choice
from vqaudio.files import open_input
from vqaudio.series import read_table, suffix_of
from vqaudio.series.coding.learned import features_and_tokens
from vqaudio.series.prediction.fitting import predict

MOST_COLUMNS = 8
"""Side by side in an example."""
SHORTEST = 2000
"""Rows to learn from; of longer tables stretches of so many and more are taken."""
HELD_OUT = 5
"""One row in so many, at the end, validates alone."""

Columns = list[NDArray[np.float64]]
"""Columns of a table, of one length."""


@dataclass(frozen=True)
class Examples:
    """Rows, one after the other.

    Attributes:
        features: context features, int8 ``(rows, N_FEATURES)``.
        tokens: what came, int64 ``(rows,)``.
    """

    features: NDArray[np.int8]
    tokens: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Source:
    """The tables of a file or a folder: of each the columns to learn from, and those of its last rows."""

    name: str
    train: list[Columns]
    valid: list[Columns]


def read_source(path: Path) -> Source:
    """A table, or all tables in a folder.

    Raises:
        SeriesError: no table, or one with too few rows or no column to learn from.
        FileError: a file that cannot be opened.
    """
    paths = sorted(each for each in path.iterdir() if suffix_of(each)) if path.is_dir() else [path]
    if not paths:
        raise SeriesError(f"{path}: holds no tables; put .csv, .parquet, .npy or .npz files there")
    train, valid = [], []
    for each in paths:
        columns = columns_of(each)
        rows = len(columns[0]) - len(columns[0]) // HELD_OUT
        train.append([column[:rows] for column in columns])
        valid.append([column[rows:] for column in columns])
    return Source(path.name, train, valid)


def columns_of(path: Path) -> Columns:
    """A table's numeric columns that have no gaps and are not all the same.

    Raises:
        SeriesError: too few rows, or no such column.
        FileError: the file cannot be opened.
    """
    with open_input(path) as file:
        table = read_table(file, path.name, suffix=suffix_of(path) or ".csv")
    rows = table.n_rows - table.n_rows // HELD_OUT
    found = []
    for column in table.columns:
        if column.values.dtype.kind in "iuf" and column.known.all() and not column.dtype.startswith(("time", "date")):
            values = column.values.astype(np.float64)
            if np.ptp(values[:rows]) > 0:
                found.append(values)
    if not found or rows < SHORTEST:
        raise SeriesError(
            f"{path}: has {rows} rows and {len(found)} columns without gaps to learn from; expected "
            f"{SHORTEST} or more, and one or more"
        )
    return found


def training_examples(sources: Sequence[Source], config: TableDataConfig, seed: int, *, progress: bool) -> Examples:
    """Examples of all sources by their weights, about ``config.values`` of them.

    Raises:
        ConfigError: weights of sources that there are not, or none above 0.
    """
    random = np.random.default_rng(seed)
    weights = [config.weights.get(source.name, 1.0) for source in sources]
    unknown = set(config.weights) - {source.name for source in sources}
    if unknown or not any(weights):
        name = min(unknown, default="")
        raise ConfigError(
            f"data.weights: no source is called {name}; {choice(name, [source.name for source in sources])}"
            if unknown
            else "data.weights gives every source the share 0; raise one"
        )
    with tqdm(total=config.values, desc="examples", unit="value", unit_scale=True, disable=not progress or None) as bar:
        parts = []
        for source, weight in zip(sources, weights, strict=True):
            for columns in stretches(source.train, round(config.values * weight / sum(weights)), random):
                parts.append(examples_of([quantized(column, random) for column in columns]))
                bar.update(len(parts[-1]))
    return joined(parts)


def validation_examples(source: Source, values: int) -> Examples:
    """About so many examples of a source's last rows: whole tables, at bounds that are the same at each call."""
    random = np.random.default_rng(0)
    parts: list[Examples] = []
    for columns in source.valid:
        if sum(map(len, parts)) >= values:
            break
        parts.append(examples_of([quantized(column, random) for column in columns[:MOST_COLUMNS]]))
    return joined(parts)


def stretches(tables: Sequence[Columns], values: int, random: np.random.Generator) -> Iterator[Columns]:
    """Tables one after the other, about ``values`` of them all: some columns and rows at a time."""
    order: list[int] = []
    while values > 0:
        order = order or random.permutation(len(tables)).tolist()
        table = tables[order.pop()]
        some = random.permutation(len(table)) if random.random() < 0.6 else np.arange(len(table))
        columns = [table[number] for number in some[:MOST_COLUMNS]]
        rows = len(columns[0])
        length = rows if random.random() < 0.5 else int(random.integers(SHORTEST, rows + 1))
        start = int(random.integers(0, rows - length + 1))
        yield [column[start : start + length] for column in columns]
        values -= length * len(columns)


def quantized(values: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
    """On a grid of 12 to 250 steps (mostly 20 to 100) that lies anywhere, either way up."""
    reach = np.ptp(values) or 1.0
    steps = np.exp(random.normal(np.log(40), 0.5)).clip(12, 250)
    found: NDArray[np.int64] = np.rint(random.choice([-1, 1]) * values / reach * steps + random.uniform()).astype(
        np.int64
    )
    return found


def examples_of(columns: Sequence[NDArray[np.int64]]) -> Examples:
    """Each column's rows, as they look to a writer that knows the columns before."""
    previous: list[NDArray[np.int64]] = []
    parts = []
    for column in columns:
        predictor, residuals = predict(column, previous)
        parts.append(Examples(*features_and_tokens(predictor, residuals, values=column, previous=previous)))
        previous.append(column)
    return joined(parts)


def joined(parts: Sequence[Examples]) -> Examples:
    """One after the other."""
    return Examples(np.concatenate([part.features for part in parts]), np.concatenate([part.tokens for part in parts]))
