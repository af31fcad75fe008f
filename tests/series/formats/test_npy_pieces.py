"""NPY and NPZ in pieces: the same arrays, however many rows are read and written at a time."""

from __future__ import annotations

import io

import numpy as np
import pytest
from series_tables import same_tables

from vqaudio.errors import SeriesError
from vqaudio.series.formats.npy_reader import NpyReader
from vqaudio.series.formats.npy_writer import NpyWriter
from vqaudio.series.pieces import joined

ARRAYS = {
    "vector": np.arange(20.0) / 8,
    "matrix": np.arange(60, dtype=np.int16).reshape(20, 3),
    "Fortran's order": np.asfortranarray(np.arange(60.0).reshape(20, 3)),
    "big-endian": np.arange(20, dtype=">f4"),
    "stamps": np.array(["2020-01-01T00:00:01", "NaT"] * 10, "datetime64[ms]"),
    "text": np.array([f"w{number * number}" for number in range(20)]),
    "one column": np.arange(20, dtype=np.uint8).reshape(20, 1),
}


def file_of(array: np.ndarray, suffix: str) -> io.BytesIO:
    file = io.BytesIO()
    if suffix == ".npy":
        np.save(file, array)
    else:
        np.savez_compressed(file, b=array, a=np.arange(20))
    return file


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("rows", [1, 7, 20, 100])
@pytest.mark.parametrize("is_length_known", [True, False])
def test_pieces_are_the_whole(array, suffix, rows, is_length_known):
    reader = NpyReader(file_of(array, suffix), "in", suffix=suffix)
    pieces, (whole,) = list(reader.pieces(rows)), reader.pieces(20)
    assert reader.n_rows == 20
    assert [piece.n_rows for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
    assert same_tables(joined(pieces), whole)
    file = io.BytesIO()
    with NpyWriter(file, "out", suffix=suffix, n_rows=20 if is_length_known else None) as writer:
        for piece in pieces:
            writer.write(piece)
    file.seek(0)
    if suffix == ".npy":
        back = io.BytesIO()
        np.save(back, np.ascontiguousarray(array).astype(array.dtype.newbyteorder("=")))
        assert file.getvalue() == back.getvalue()
    else:
        with np.load(file) as found:
            np.testing.assert_array_equal(found["b"], array)
            np.testing.assert_array_equal(found["a"], np.arange(20))
            assert found["b"].dtype == array.dtype.newbyteorder("=")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("array", [np.zeros(0), np.zeros((0, 2), np.int8)])
def test_arrays_without_rows_have_one_piece_without_rows(array, suffix):
    file = io.BytesIO()
    (np.save if suffix == ".npy" else np.savez)(file, array)
    (piece,) = NpyReader(file, "in", suffix=suffix).pieces(10)
    assert (piece.n_rows, len(piece.columns)) == (0, 1 if array.ndim == 1 else 2)


def test_two_who_read_do_not_disturb_each_other():
    reader = NpyReader(file_of(ARRAYS["matrix"], ".npy"), "in", suffix=".npy")
    one, other = reader.pieces(6), reader.pieces(6)
    assert all(same_tables(next(one), next(other)) for _ in range(4))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_that_end_early_are_refused(suffix):
    data = file_of(ARRAYS["vector"], suffix).getvalue()
    with pytest.raises(SeriesError, match=f"in: cannot be read as {suffix}"):
        NpyReader(io.BytesIO(data[:-9]), "in", suffix=suffix)


def test_objects_are_refused():
    file = io.BytesIO()
    np.save(file, np.array([1, "a"], object))
    with pytest.raises(SeriesError, match="holds Python's objects"):
        NpyReader(file, "in", suffix=".npy")


def test_fewer_rows_than_were_told_are_refused():
    (piece,) = NpyReader(file_of(ARRAYS["vector"], ".npy"), "in", suffix=".npy").pieces(20)
    writer = NpyWriter(io.BytesIO(), "out", suffix=".npy", n_rows=30)
    writer.write(piece)
    with pytest.raises(SeriesError, match="20 rows were written, expected 30"):
        writer.finish()
    writer.abandon()
