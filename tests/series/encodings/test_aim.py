"""Bounds of columns that aim at a signal-to-noise ratio."""

from __future__ import annotations

import math

import numpy as np
import pytest
from series_tables import back, table

from vqaudio.series import Bounds, Prd, Psnr, StoredTable, compress


def signals() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    walk = random.normal(size=4000).cumsum()
    coarse = np.round(random.normal(size=4000) * 3).astype(np.int64)
    spiky = np.where(random.random(4000) < 0.001, 1000.0, random.normal(size=4000))
    return [walk, walk.astype(np.float32), np.round(walk, 1), coarse, spiky, np.full(4000, 2.5)]


def psnr(found: np.ndarray, values: np.ndarray) -> float:
    rms = math.sqrt(np.mean((found.astype(float) - values) ** 2))
    return 20 * math.log10(np.ptp(values.astype(float)) / rms) if rms else math.inf


@pytest.mark.parametrize("decibels", [20, 60, 95])
def test_a_psnr_is_reached_and_hardly_exceeded(decibels):
    columns = signals()
    decoded = back(compress(table(*columns), Psnr(decibels)))
    found = [psnr(one.values, column) for one, column in zip(decoded.columns, columns, strict=True)]
    assert min(found) >= decibels
    assert max(found[:2]) < decibels + 0.5  # others have grids of their own


@pytest.mark.parametrize("percent", [0.1, 2, 20])
def test_a_prd_is_reached_and_hardly_exceeded(percent):
    columns = signals()
    decoded = back(compress(table(*columns), Prd(percent)))
    for number, (one, values) in enumerate(zip(decoded.columns, columns, strict=True)):
        error, size = np.mean((one.values.astype(float) - values) ** 2), np.mean(values.astype(float) ** 2)
        assert 100 * math.sqrt(error / size) <= percent
        assert number > 1 or 100 * math.sqrt(error / size) > 0.93 * percent


def test_files_hold_what_was_asked_and_the_bound_that_was_found():
    walk = signals()[0]
    stored = StoredTable(compress(table(walk, walk, walk), Bounds(Psnr(60.0), {"c1": Prd(1.0), "c2": None})))
    assert [column.asked for column in stored.columns] == ["PSNR of 60 dB", "PRD of 1 %", ""]
    first, second, third = (column.bound for column in stored.columns)
    assert 0 < first < np.ptp(walk) / 1000 * 2
    assert first != second > third == 0
