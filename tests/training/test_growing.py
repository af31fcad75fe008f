"""Arrays that grow on the disk."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from vqaudio.errors import FileError
from vqaudio.training import growing
from vqaudio.training.growing import GrowingArray


def test_a_finished_array_is_what_numpy_saves(tmp_path):
    values = np.arange(1000, dtype=np.int16)
    array = GrowingArray(tmp_path / "a.npy", np.int16)
    for part in np.split(values, (10, 10, 700)):
        array.append(part)
    assert (len(array), array[0], array[999]) == (1000, 0, 999)
    assert not (tmp_path / "a.npy").exists()
    array.finish()
    np.save(tmp_path / "b.npy", values)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "b.npy"]


def test_it_goes_on_where_another_process_was_killed(tmp_path):
    first = GrowingArray(tmp_path / "a.npy", np.int64)
    first.append(np.arange(5))
    first.close()
    with open(tmp_path / "a.part", "ab") as file:
        file.write(b"cut")  # off in the middle of a value
    second = GrowingArray(tmp_path / "a.npy", np.int64)
    assert len(second) == 5
    second.truncate(3)
    second.append(np.array([7]))
    second.finish()
    assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2, 7]
    third = GrowingArray(tmp_path / "a.npy", np.int64)  # it was whole, but what belongs to it was not
    assert len(third) == 4
    third.close()


def test_files_are_appended_and_values_that_are_not_there_are_refused(tmp_path):
    (tmp_path / "raw").write_bytes(np.arange(4, dtype=np.int32).tobytes())
    array = GrowingArray(tmp_path / "a.npy", np.int32)
    array.append_file(tmp_path / "raw")
    with pytest.raises(IndexError, match="holds 4 values, not one of number 4"):
        array[4]
    array.remove()
    assert not list(tmp_path.glob("a.*"))


def test_a_full_disk_is_a_sentence(tmp_path, monkeypatch):
    array = GrowingArray(tmp_path / "a.npy", np.int32)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(growing.shutil, "copyfileobj", full)
    (tmp_path / "raw").touch()
    with pytest.raises(
        FileError, match=r"a\.part: cannot be written \(No space left on device\); free some space or set"
    ):
        array.append_file(tmp_path / "raw")
    array.close()
