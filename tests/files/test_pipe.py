"""Pipes: what comes is taken at once, and a signal can say that this was all."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from feeding import Feeder, heard_in_windows
from sounds import RATE

from vqaudio.audio.live.source import RawFormat, open_pipe
from vqaudio.errors import FileError
from vqaudio.files import pipe as pipes
from vqaudio.files.pipe import Pipe, is_pipe


def test_what_is_a_pipe(feeder, tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    found = [is_pipe(path) for path in ("-", feeder.path, tmp_path / "fifo", tmp_path / "file", tmp_path, "missing")]
    assert found == [True, True, True, False, False, False]
    with pytest.raises(FileError, match="no such file"):
        Pipe("missing")


def test_who_writes_need_not_wait_until_much_has_come(feeder, monkeypatch):
    monkeypatch.setattr(pipes, "HELD", 1 << 20)
    data = np.random.default_rng(0).bytes(3 << 20)
    with Pipe(feeder.path) as pipe:
        feeder.write(data[: 1 << 20])
        feeder.settle()
        feeder.write(data[1 << 20 :])
        pipe._thread.join(0.2)
        assert pipe._n_waiting < (1 << 20) + (1 << 17)
        assert pipe.peek(5) == data[:5]
        assert b"".join(pipe.read(70_001) for _ in range(44)) == data[: 44 * 70_001]
        threading.Thread(target=feeder.end).start()
        assert pipe.read(1 << 30) == data[44 * 70_001 :]
        assert pipe.read(1) == b""


def test_what_is_in_a_pipe_when_it_is_ended_can_be_read(feeder):
    with Pipe(feeder.path) as pipe:
        feeder.write(b"heard")
        feeder.settle()
        pipe.end()
        assert pipe.read(100) == b"heard"
        assert pipe.read(100) == b""


def test_a_pipe_that_fails_says_why(monkeypatch):
    def fail(descriptor: int, count: int) -> bytes:
        raise OSError(5, "Input/output error")

    samples = np.ones(100, "<i2").tobytes()
    feeder = Feeder()
    with Pipe(feeder.path) as pipe:
        feeder.write(samples)
        assert pipe.peek(200) == samples
        monkeypatch.setattr(pipes.os, "read", fail)
        feeder.write(samples)
        with open_pipe(pipe, RawFormat(RATE, 1, "PCM_16")) as sound:
            assert heard_in_windows(sound).shape == (1, 100)
            assert "cannot be read any further (Input/output error)" in sound.problem
    feeder.close()
