"""Made-up series of many kinds, so that a model sees more than there is data of. Each is float64 ``(rows,)``.

python recipes/timeseries/processes.py FOLDER writes tables of one or two of them, for ``data.tables`` of a run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Random = np.random.Generator


def autoregressive(random: Random, rows: int) -> Series:
    """Noise through up to four resonances, all of which die away."""
    poles = random.uniform(0.3, 0.995, 4) * np.exp(1j * random.uniform(0, np.pi, 4))
    kept = poles[: random.integers(1, 5)]
    weights = -np.real(np.poly([*kept, *kept.conj()]))[1:]
    made, noise = np.zeros(rows + 200), random.normal(0, 1, rows + 200)
    for row in range(len(weights), len(made)):
        made[row] = weights @ made[row - len(weights) : row][::-1] + noise[row]
    return made[200:]


def seasonal(random: Random, rows: int) -> Series:
    """A day and a week of any shape, whose height drifts, under noise."""
    made, time = random.normal(0, random.uniform(0.02, 0.5), rows), np.arange(rows)
    period = random.choice([24, 48, 60, 96, 100])
    for factor in (1, 7):
        shape = random.normal(0, 1, period * factor)
        shape = np.convolve(np.tile(shape, 3), np.hanning(period // 4), "same")[len(shape) : 2 * len(shape)]
        made += shape[time % len(shape)] / shape.std() * (1 + 0.02 * random.normal(0, 1, rows).cumsum() / 10)
    return made


def walk(random: Random, rows: int) -> Series:
    """Steps that may be drawn back to where they began."""
    made, noise, pull = np.zeros(rows), random.standard_t(4, rows), random.choice([0, 0.001, 0.02])
    for row in range(1, rows):
        made[row] = made[row - 1] * (1 - pull) + noise[row]
    return made


def bursts(random: Random, rows: int) -> Series:
    """Quiet, and at times something loud that rings off."""
    loud = np.convolve(random.random(rows) < 0.003, np.exp(-np.arange(200) / random.uniform(5, 60)))[:rows]
    return random.normal(0, 1, rows) * (0.05 + loud) + random.normal(0, 0.02, rows).cumsum()


def heartbeats(random: Random, rows: int) -> Series:
    """Five waves a beat at intervals that waver, some beats early and wide, on a baseline that breathes."""
    rate, time = random.choice([125, 250, 360]), np.arange(-200, 400)
    heights, places = random.normal([0.12, -0.1, 1.2, -0.25, 0.3], 0.08), np.array([-0.17, -0.03, 0, 0.03, 0.25])
    widths = np.array([0.025, 0.01, 0.012, 0.012, 0.05]) * random.uniform(0.8, 1.3, 5)
    made, at, usual = np.zeros(rows + 1000), 200.0, random.uniform(0.55, 1.1)
    early = random.choice([0, 0, 0.15, 0.4])
    while at < rows + 500:
        odd = random.random() < early
        wide, shape = (2.5, heights * [0, 1, 1.1, 3, -1]) if odd else (1.0, heights * random.normal(1, 0.03, 5))
        seconds = (time - at % 1) / rate
        beat = (shape * np.exp(-0.5 * ((seconds[:, None] - places) / (widths * wide)) ** 2)).sum(1)
        made[int(at) - 200 : int(at) + 400] += beat
        at += rate * usual * random.normal(0.65 if odd else 1.0, 0.04)
    made = made[:rows]
    made += 0.1 * np.sin(np.arange(rows) / rate * random.uniform(1, 2)) + random.normal(0, 0.01, rows)
    return made


PROCESSES: tuple[Callable[[Random, int], Series], ...] = (autoregressive, seasonal, walk, bursts, heartbeats)


def table(random: Random) -> NDArray[np.float64]:
    """One series, or two that hang together: float64 ``(rows, columns)``."""
    rows = int(random.integers(2500, 10_000))
    made = PROCESSES[random.integers(len(PROCESSES))](random, rows)
    columns = [made]
    if random.random() < 0.5:
        noise = random.normal(0, made.std() * random.choice([0.03, 0.2]), rows)
        columns.append(made * random.normal() + noise)
    return np.stack(columns, axis=1)


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the tables go, as .npy")
    parser.add_argument("--count", type=int, default=60, help="of tables (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(options.seed)
    for number in range(options.count):
        np.save(options.folder / f"{number:03}.npy", table(random))


if __name__ == "__main__":
    main()
