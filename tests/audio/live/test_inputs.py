"""Recordings by the command line: a signal ends them, and they are whole whenever it comes."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from feeding import sized
from sounds import RATE, encoded, tones
from tools import MODEL, one_line, reader, synthetic, tiny_codec

from vqaudio.audio.file_source import FileSource
from vqaudio.audio.live.inputs import open_inputs
from vqaudio.codec.options import CodingOptions
from vqaudio.compress import main


def compress(*arguments: object) -> int:
    return main([*map(str, arguments), "--model", str(MODEL)])


@pytest.fixture
def listened_to() -> Iterator[None]:
    """Signals that whoever started the tests had them ignore (``nohup`` does) are not ignored for a while."""
    defaults = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    ignored = [number for number in defaults if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, defaults[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def test_a_signal_that_whoever_started_us_had_ignored_stays_ignored(feeder):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with open_inputs([feeder.path]) as inputs:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not inputs.ended_by
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("listened_to")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_recording_and_keeps_it(number, feeder, tmp_path, capsys):
    wav = synthetic(3.3, RATE)
    feeder.write(sized(encoded(wav), 0xFFFFFFFF))

    def interrupt() -> None:
        feeder.settle()
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    timer = threading.Timer(0.5, interrupt)
    timer.start()
    assert compress(feeder.path, tmp_path / "out.vq", "--chunk", 1) == 0
    timer.join()
    assert signal.getsignal(number) is before
    data = (tmp_path / "out.vq").read_bytes()
    assert reader(data).has_trailer
    expected = io.BytesIO()
    tiny_codec().write(FileSource(io.BytesIO(encoded(wav))), expected, options=CodingOptions(chunk_seconds=1))
    assert data == expected.getvalue()
    name = {signal.SIGINT: "Ctrl-C"}.get(number, number.name)
    said = capsys.readouterr().err
    assert f"ended by {name}; all that came until then is in {tmp_path}/out.vq\n" in said
    assert "3.30 s" in said


@pytest.mark.usefixtures("listened_to")
def test_a_signal_before_any_sound_leaves_nothing(feeder, tmp_path, capsys):
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    assert compress(feeder.path, tmp_path / "out.vq") == 130
    assert one_line(capsys, "interrupted")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("listened_to")
def test_a_second_signal_acts_at_once(feeder):
    with open_inputs([feeder.path]) as inputs:
        os.kill(os.getpid(), signal.SIGINT)
        assert inputs.ended_by == "Ctrl-C"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_bad_sample_is_an_error_after_which_the_rest_is_there(feeder, tmp_path, capsys):
    wav = tones(1, 3 * RATE)
    wav[0, 2 * RATE] = np.inf
    feeder.write(encoded(wav, subtype="FLOAT"))
    threading.Thread(target=feeder.end).start()
    assert compress(feeder.path, tmp_path / "out.vq") == 1
    assert one_line(capsys, "error: ", f"; what came before is in {tmp_path}/out.vq")
    assert reader((tmp_path / "out.vq").read_bytes()).n_samples == 2 * RATE


def test_raw_samples_from_a_file(tmp_path, capsys):
    path = Path(tmp_path / "in.pcm")
    path.write_bytes((tones(2, RATE) * 32767).astype("<i2").T.tobytes())
    assert compress(path, tmp_path / "out.vq", "--raw", 22050, 2, "PCM_16") == 0
    found = reader((tmp_path / "out.vq").read_bytes())
    assert (found.header.source_rate, found.header.channels, found.n_samples) == (22050, 2, RATE)
    capsys.readouterr()
    assert compress(path, tmp_path / "no.vq", "--raw", 22050, 2, "PCM16") == 1
    assert one_line(capsys, "error: raw samples: no type is called 'PCM16'; use PCM_16, ")


class Recorder:
    """A program that writes 16-bit samples into a pipe as fast as they are heard, until nobody reads them."""

    def __init__(self, near: int, far: int, wav: np.ndarray):
        self._near, self._far = near, far
        self._data = sized(encoded(wav), 0xFFFFFFFF)
        self.sent = 0
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        start = time.monotonic()
        with suppress(BrokenPipeError):
            while self.sent < len(self._data):
                due = 44 + 2 * int((time.monotonic() - start) * RATE)
                self.sent += os.write(self._far, self._data[self.sent : due])
                time.sleep(0.005)

    def wait_for_a_listener(self) -> None:
        """Until nothing of what was written is left in the pipe."""
        while not self.sent or struct.unpack("i", fcntl.ioctl(self._near, termios.FIONREAD, b"    "))[0]:
            time.sleep(0.01)

    def samples(self) -> int:
        """How many were written by now."""
        return (self.sent - 44) // 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_recording_is_whole_whenever_it_is_ended(number, tmp_path):
    random, wav = np.random.default_rng(int(number)), synthetic(60, RATE)
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # off in background jobs
        "from vqaudio.compress import main; sys.exit(main())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    for moment in random.uniform(0, 5, 20):
        near, far = os.pipe()
        command = [sys.executable, "-c", code, "-", str(tmp_path / "out.vq"), "--force", "--model", str(MODEL)]
        process = subprocess.Popen(
            [*command, "--chunk-seconds", "0.5"], stdin=near, stderr=subprocess.PIPE, env=environment
        )
        recorder = Recorder(near, far, wav)
        recorder.wait_for_a_listener()
        time.sleep(moment)
        before = recorder.samples()
        process.send_signal(number)
        said = process.communicate(timeout=100)[1].decode()
        os.close(near)
        recorder.thread.join()
        os.close(far)
        assert process.returncode == 0, said
        assert said.count("\n") == 2
        data = (tmp_path / "out.vq").read_bytes()
        found = reader(data)
        assert found.has_trailer
        assert before <= found.n_samples <= recorder.samples()
        expected = io.BytesIO()
        with FileSource(io.BytesIO(encoded(wav[:, : found.n_samples]))) as sound:
            tiny_codec().write(sound, expected, options=CodingOptions(chunk_seconds=0.5))
        assert data == expected.getvalue()
        decoded, _ = tiny_codec().decompress(data)
        assert decoded.shape == (1, found.n_samples)
