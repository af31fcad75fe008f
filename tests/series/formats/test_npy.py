"""NPY and NPZ: arrays come back as they were, and what is no plain array is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from series_files import npy, through

from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress


@pytest.mark.parametrize("name", ["in.npy", "in.npz"])
def test_what_follows_an_array_is_not_dropped(name, capsys):
    data = npy(np.arange(3)) + npy(np.arange(4))
    Path("in.npy").write_bytes(data)
    with zipfile.ZipFile("in.npz", "w") as archive:
        archive.writestr("a.npy", data)
    assert compress([name, "out.vq"]) == 1
    assert f"{name}: cannot be read as {name[2:]} (something follows its array" in capsys.readouterr().err
    assert not Path("out.vq").exists()


def test_archives_with_two_arrays_of_one_name_are_refused(capsys):
    with zipfile.ZipFile("in.npz", "w") as archive:
        archive.writestr("a.npy", npy(np.arange(3)))
        archive.writestr("a", npy(np.arange(3) + 1))
    assert compress(["in.npz", "out.vq"]) == 1
    assert "it holds two arrays named 'a'" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["before", "behind"])
def test_bytes_around_an_archive_are_refused(place, capsys):
    np.savez("in.npz", a=np.arange(3))
    data = Path("in.npz").read_bytes()
    Path("in.npz").write_bytes(data + b"more" if place == "behind" else data + data)
    assert compress(["in.npz", "out.vq"]) == 1
    assert "something stands before or behind its arrays" in capsys.readouterr().err


def test_a_damaged_array_in_an_archive_is_refused(capsys):
    np.savez_compressed("in.npz", a=np.arange(3000) % 7)
    data = bytearray(Path("in.npz").read_bytes())
    data[100] ^= 255
    Path("in.npz").write_bytes(data)
    assert compress(["in.npz", "out.vq"]) == 1
    assert capsys.readouterr().err.startswith("error: in.npz: cannot be read as .npz (")
    assert decompress(["in.npz", "out.npz"]) == 1


def test_damaged_headers_of_arrays_are_refused(capsys):
    whole = npy(np.arange(3))
    for damaged in (
        whole.replace(b"}", b"{"),
        whole.replace(b"(3,)", b"(3,("),
        whole.replace(b"(3,)", b"(-3)"),
        whole[:90],
    ):
        Path("in.npy").write_bytes(damaged)
        assert compress(["in.npy", "out.vq"]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: in.npy: cannot be read as .npy (")
        assert error.count("\n") == 1


ARRAYS = {
    "vector": np.arange(30.0) / 8,
    "matrix": np.arange(60, dtype=np.int16).reshape(20, 3),
    "Fortran's order": np.asfortranarray(np.arange(60.0).reshape(20, 3)),
    "big-endian": np.arange(9, dtype=">f4"),
    "half": np.array([1.5, np.nan, 0.1], np.float16),
    "unsigned": np.array([0, 2**64 - 1], np.uint64),
    "truth": np.array([True, False]),
    "stamps": np.array(["2020-01-01T00:00:01", "NaT"], "datetime64[ms]"),
    "spans": np.array([5, 7], "timedelta64[s]"),
    "text": np.array(["a", "bcd"]),
    "one cell": np.array([[7]], np.uint8),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_npy_comes_back_as_it_was(array):
    np.save("in.npy", array)
    found = np.load(through("in.npy"))
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)


def test_npz_comes_back_with_names_and_shapes():
    arrays = {"t": np.arange(20) / 360, "x y": np.arange(40, dtype=np.int32).reshape(20, 2), "b": np.zeros((20, 1))}
    np.savez_compressed("in.npz", **arrays)
    with np.load(through("in.npz")) as found:
        assert set(found.files) == set(arrays)
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)


def test_noise_in_npy_stays_within_the_bound():
    array = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    np.save("in.npy", array)
    found = np.load(through("in.npy", "--max-error", "1%"))
    assert found.dtype == np.float32
    assert (np.abs(found.astype(float) - array).max(0) <= np.ptp(array.astype(float), 0) / 100).all()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": np.zeros(3), "b": np.zeros(4)}, "the array 'b' has the shape (4,)"),
        ({"a": np.zeros((2, 2, 2))}, "the array 'a' has the shape (2, 2, 2)"),
        ({"a": np.array(5)}, "the array 'a' has the shape ()"),
        ({"a": np.zeros(3, complex)}, "'a' holds complex128"),
        ({"a": np.zeros(3, "datetime64[D]")}, "'a' holds datetime64[D]"),
        ({"a": np.array([{}], object)}, "cannot be read as .npz"),
        ({}, "holds no arrays"),
    ],
)
def test_arrays_that_are_refused(arrays, said, capsys):
    np.savez("in.npz", **arrays)
    assert compress(["in.npz", "out.vq"]) == 1
    assert said in capsys.readouterr().err


def test_files_that_are_no_arrays_are_refused(capsys):
    for name in ("in.npy", "in.npz"):
        Path(name).write_text("no arrays")
        assert compress([name, "out.vq"]) == 1
        assert f"error: {name}: cannot be read as {name[2:]}" in capsys.readouterr().err


def test_an_archive_holds_plain_arrays(tmp_path):
    np.savez("in.npz", a=np.arange(3))
    with zipfile.ZipFile(through("in.npz")) as archive:
        assert archive.namelist() == ["a.npy"]
        assert archive.infolist()[0].date_time[0] == 1980
