"""Fits a model of time series to tables of one's own, to made-up series, or to both.

Of each table the first 80 % of the rows are learned from, at many bounds; the last fifth is left for
``report.py``. The model is what ``python -m vqaudio.compress DATA.csv OUT.vq --max-error 1% --model MODEL`` takes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from processes import PROCESSES
from safetensors.numpy import save
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from vqaudio.errors import SeriesError
from vqaudio.files import atomic_write, open_input
from vqaudio.intnet.grids import LARGEST_PRODUCTS, LOGIT
from vqaudio.qat.export import exp_table, export_linear
from vqaudio.qat.fake_quantize import FakeQuantize, QuantizedLinear, fake_quantize, set_quantized
from vqaudio.series import read_table, suffix_of
from vqaudio.series.coding.adaptive import ALPHABET
from vqaudio.series.coding.context_features import N_FEATURES
from vqaudio.series.coding.history import ResidualHistory
from vqaudio.series.coding.model import KIND, LAYERS
from vqaudio.series.prediction.fitting import predict

MOST_COLUMNS = 8
SHORTEST = 2000
INPUT_EXPONENT = 5
"""Exponent of the step of what the network sees."""
BATCH = 512
RATE = 3e-3
FLOAT_SHARE = 0.6
"""Of the run; the rest is on grids."""

HELD_OUT = 5
"""One row in so many, at the end, is not learned from."""

Group = list[NDArray[np.float64]]
"""Columns of a table."""


class Network(nn.Module):
    """The network that :class:`vqaudio.series.coding.model.Model` is the quantized export of."""

    def __init__(self, hidden: int):
        super().__init__()
        self.first, self.second = QuantizedLinear(N_FEATURES, hidden), QuantizedLinear(hidden, hidden)
        self.logits = QuantizedLinear(hidden, ALPHABET)
        self.first_quantizer, self.second_quantizer = FakeQuantize(), FakeQuantize()

    def forward(self, view: Tensor) -> Tensor:
        """Logits ``(rows, ALPHABET)`` in nats from what is seen of rows ``(rows, N_FEATURES)``, integers."""
        hidden = functional.relu(self.first_quantizer(self.first(view * 2.0**-INPUT_EXPONENT, INPUT_EXPONENT)))
        hidden = functional.relu(self.second_quantizer(self.second(hidden, self.first_quantizer.exponent)))
        logits = self.logits(hidden, self.second_quantizer.exponent)
        return fake_quantize(logits, *LOGIT) if self.logits.quantized else logits

    @torch.no_grad()
    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """Of the quantized export."""
        found: dict[str, NDArray[np.generic]] = {"exp": exp_table()}
        inputs, outputs = (
            (INPUT_EXPONENT, self.first_quantizer, self.second_quantizer),
            (self.first_quantizer, self.second_quantizer, LOGIT[0]),
        )
        for name, given, made in zip(LAYERS, inputs, outputs, strict=True):
            step = made if isinstance(made, int) else int(made.exponent)
            export_linear(found, name, getattr(self, name), given, step)
        return found


def columns_of(path: Path) -> Group:
    """The first rows of a table's numeric columns that have no gaps.

    Raises:
        SeriesError: too few rows, or no such column.
    """
    with open_input(path) as file:
        table = read_table(file, path.name, suffix=suffix_of(path))
    rows = table.n_rows - table.n_rows // HELD_OUT
    found = []
    for column in table.columns:
        if column.values.dtype.kind in "iuf" and column.known.all() and not column.dtype.startswith(("time", "date")):
            values = column.values[:rows].astype(np.float64)
            if np.ptp(values) > 0:
                found.append(values)
    if not found or rows < SHORTEST:
        raise SeriesError(
            f"{path}: has {rows} rows and {len(found)} columns without gaps to learn from; expected "
            f"{SHORTEST} or more, and one or more"
        )
    return found


def versions(groups: list[Group], synthetic: int, values: int, random: np.random.Generator) -> Iterator[Group]:
    """Columns as integers: ``values`` of each table, some columns and rows at a time, then made-up ones."""
    for group in groups:
        left = values
        while left > 0:
            some = random.permutation(len(group))[:MOST_COLUMNS] if random.random() < 0.6 else range(len(group))
            columns = [group[number] for number in list(some)[:MOST_COLUMNS]]
            rows = len(columns[0])
            length = rows if random.random() < 0.5 else int(random.integers(SHORTEST, rows + 1))
            start = int(random.integers(0, rows - length + 1))
            yield [quantized(column[start : start + length], random) for column in columns]
            left -= length * len(columns)
    while synthetic > 0:
        rows = int(random.integers(SHORTEST, 8000))
        made = PROCESSES[random.integers(len(PROCESSES))](random, rows)
        columns = [made]
        if random.random() < 0.5:
            noise = random.normal(0, made.std() * random.choice([0.03, 0.2]), rows)
            columns.append(made * random.normal() + noise)
        yield [quantized(column, random) for column in columns]
        synthetic -= rows * len(columns)


def quantized(values: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """On a grid of 12 to 250 steps (mostly 20 to 100) that lies anywhere, either way up."""
    reach = np.ptp(values) or 1.0
    steps = np.exp(random.normal(np.log(40), 0.5)).clip(12, 250)
    return np.rint(random.choice([-1, 1]) * values / reach * steps + random.uniform()).astype(np.int64)


def examples(groups: Iterator[Group], total: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """What a model is shown, and the tokens that came."""
    features, tokens = [], []
    with tqdm(total=total, desc="examples", unit="value", unit_scale=True, disable=None) as bar:
        for columns in groups:
            previous: list[NDArray[np.int64]] = []
            for column in columns:
                predictor, residuals = predict(column, previous)
                history = ResidualHistory(predictor, residuals, values=column, previous=previous)
                features.append(history.features(slice(None)).astype(np.int8))
                tokens.append(history.tokens)
                previous.append(column)
                bar.update(len(column))
    return np.concatenate(features), np.concatenate(tokens)


def train(seen: NDArray[np.int8], tokens: NDArray[np.int64], hidden: int, minutes: float, seed: int) -> Network:
    """A network on grids, after so many minutes."""
    torch.manual_seed(seed)
    network, random = Network(hidden), np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.02)
    started, total, count, last = time.monotonic(), 0.0, 0, 0.0
    form = "{l_bar}{bar}| {elapsed} {postfix}"
    with tqdm(total=100, desc="training", unit="%", bar_format=form, disable=None) as bar:
        while (done := (time.monotonic() - started) / (60 * minutes)) < 1:
            if done >= FLOAT_SHARE and not network.logits.quantized:
                set_quantized(network, quantized=False, observing=True)
                with torch.no_grad():
                    network(torch.from_numpy(seen[random.integers(len(seen), size=20_000)]).float())
                set_quantized(network)
            rows = random.integers(len(seen), size=BATCH)
            loss = functional.cross_entropy(
                network(torch.from_numpy(seen[rows]).float()), torch.from_numpy(tokens[rows])
            )
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1, done / 0.05 + 0.01) * 0.5 * (1 + np.cos(np.pi * done))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, count = total + loss.item(), count + 1
            if count % 500 == 0:
                bar.set_postfix(steps=count, bits=f"{(total - last) / 500 / np.log(2):.3f}")
                bar.update(100 * done - bar.n)
                last = total
    if not network.logits.quantized:
        raise SeriesError(f"{minutes} minutes are too few for a single step on grids; give more by --minutes")
    return network


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="where the model goes: a .safetensors file")
    parser.add_argument("tables", type=Path, nargs="*", help="CSV, Parquet, NPY or NPZ files")
    parser.add_argument("--values", type=float, default=400_000, help="learned from per table (default: %(default)g)")
    parser.add_argument("--synthetic", type=float, default=0, help="values of made-up series (default: %(default)g)")
    parser.add_argument("--hidden", type=int, default=64, help="width of the network (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    if not 1 <= options.hidden <= LARGEST_PRODUCTS:  # before minutes are spent on examples
        parser.error(f"--hidden {options.hidden}: expected 1 to {LARGEST_PRODUCTS}, whose sums are exact everywhere")
    random = np.random.default_rng(options.seed)
    groups = [columns_of(path) for path in options.tables]
    total = int(options.values * len(groups) + options.synthetic)
    seen, tokens = examples(versions(groups, int(options.synthetic), int(options.values), random), total)
    network = train(seen, tokens, options.hidden, options.minutes, options.seed)
    config = {"kind": KIND, "tables": [path.name for path in options.tables], "hidden": options.hidden}
    with atomic_write(options.out) as file:
        file.write(save(network.tensors(), metadata={"config": json.dumps(config, sort_keys=True)}))


if __name__ == "__main__":
    main()
