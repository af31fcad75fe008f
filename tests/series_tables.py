"""Tables, columns and series for tests, there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vqaudio.container.fields import Cursor
from vqaudio.series import Column, StoredTable, Table
from vqaudio.series.coding import adaptive
from vqaudio.series.prediction.fitting import predict
from vqaudio.series.prediction.predictor import Predictor
from vqaudio.series.table import known_cells

GOLDEN = Path(__file__).parent / "golden"


def column(values: object, name: str = "x", dtype: str | None = None) -> Column:
    array, cells = known_cells(np.asarray(values, dtype))
    return Column(name, array.dtype.name if array.dtype != object else "string", array, cells)


def table(*columns: object) -> Table:
    made = [one if isinstance(one, Column) else column(one, f"c{i}") for i, one in enumerate(columns)]
    return Table(made, {"suffix": ".csv"})


def back(data: bytes) -> Table:
    stored = StoredTable(data)
    found = stored.table()
    assert stored.damage == []
    return found


def same_tables(one: Table, other: Table) -> bool:
    return len(one.columns) == len(other.columns) and all(
        (a.name, a.dtype, a.zone, a.notes) == (b.name, b.dtype, b.zone, b.notes)
        and (a.cells == b.cells).all()
        and a.values.dtype == b.values.dtype
        and np.array_equal(a.values[a.known], b.values[b.known], equal_nan=a.values.dtype.kind == "f")
        for a, b in zip(one.columns, other.columns, strict=True)
    )


def clock(rows: int) -> Column:
    return Column("when", "timestamp[s]", np.arange(rows) * 3600 + 1_467_331_200, np.zeros(rows, np.uint8))


def long_table(rows: int = 2500) -> Table:
    values = np.rint(100 * np.sin(np.arange(rows) / 50)) / 100
    return table(clock(rows), values, np.arange(rows) % 7)


def coded(values: np.ndarray, columns: list[np.ndarray]) -> tuple[bytes, bytes]:
    predictor, residuals = predict(values, columns)
    return predictor.to_bytes(), adaptive.encode(residuals)


def decoded(predictor_bytes: bytes, data: bytes, count: int, columns: list[np.ndarray]) -> np.ndarray:
    return Predictor.from_cursor(Cursor(predictor_bytes), len(columns)).restore(adaptive.decode(data, count), columns)


def sines(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    time = np.arange(rows)
    one = 300 * np.sin(time / 7) + 200 * np.sin(time / 23) + random.normal(0, 2, rows)
    return np.rint(one).astype(np.int64), np.rint(0.5 * one + random.normal(0, 1, rows)).astype(np.int64)
