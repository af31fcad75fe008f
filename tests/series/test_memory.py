"""Tables in memory to the bytes of files and back."""

from __future__ import annotations

import numpy as np
import pytest

from vqaudio import compress_table, decompress_table
from vqaudio.errors import ContainerError, SeriesError
from vqaudio.series import StoredTable


def signals(rows: int = 500) -> dict[str, np.ndarray]:
    walk = np.random.default_rng(0).normal(size=rows).cumsum()
    return {"t": np.arange(rows) / 10, "a": walk, "b": walk.astype("f4") * 7, "n": (walk * 1e4).astype("i4")}


def test_without_a_bound_all_bits_are_kept():
    data = signals()
    data["a"][3:6] = np.inf, -0.0, np.nan
    found = decompress_table(compress_table(data), to="dict")
    assert all(found[key].tobytes() == data[key].tobytes() for key in data)


def test_bounds_are_for_all_or_by_name():
    data = signals()
    found = decompress_table(compress_table(data, max_error={"a": 0.1, None: "1%", "n": 0}), to="dict")
    assert 0.05 < np.abs(found["a"] - data["a"]).max() <= 0.1
    assert 0 < np.abs(found["b"].astype("f8") - data["b"]).max() <= 0.01 * np.ptp(data["b"])
    assert np.array_equal(found["n"], data["n"])
    assert np.array_equal(found["t"], data["t"])  # a clock
    found = decompress_table(compress_table(data, max_relative_error=0.01, psnr={"b": 40}, prd={"n": 1}), to="dict")
    assert (np.abs(found["a"] - data["a"]) <= 0.01 * np.abs(data["a"])).all()
    assert [column.asked for column in StoredTable(compress_table(data, psnr=40)).columns] == [
        "",
        *["PSNR of 40 dB"] * 3,
    ]


def test_a_clock_that_is_named_is_bounded():
    data = signals()
    found = decompress_table(compress_table(data, max_error={"t": 0.5}), to="dict")
    assert 0 < np.abs(found["t"] - data["t"]).max() <= 0.5
    assert np.array_equal(found["a"], data["a"])


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"max_error": 0.1, "psnr": 40}, "all columns have two bounds, 0.1 and PSNR of 40 dB"),
        ({"max_error": {"aa": 0.1}}, "a bound is given for 'aa', and there is no such column: did you mean a"),
        ({"max_error": -1}, "--max-error -1: expected a number above 0"),
        ({"max_error": "much"}, "--max-error much: expected a number above 0"),
    ],
)
def test_bounds_that_make_no_sense_are_one_sentence(bounds, message):
    with pytest.raises(SeriesError, match=message):
        compress_table(signals(), **bounds)


def test_damage_is_not_passed_over():
    data = bytearray(compress_table(signals(), model="none"))
    data[len(data) // 2] ^= 1
    with pytest.raises(ContainerError, match=r"is damaged: chunk 0 .* take what can be read from vqaudio\.open_vq"):
        decompress_table(bytes(data))
    with pytest.raises(ContainerError):
        decompress_table(b"nothing")
