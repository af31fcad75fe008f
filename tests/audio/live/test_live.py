"""Sound that is still arriving: the same samples and codes as from a file, at once, and whole whenever it ends."""

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
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, encoded, tones, whole
from tools import MODEL, one_line, reader, synthetic, tiny_codec

from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.file_source import FileSource
from vqaudio.audio.live.inputs import open_inputs
from vqaudio.audio.live.source import PipeSource, RawFormat, open_pipe
from vqaudio.codec.options import CodingOptions
from vqaudio.compress import main
from vqaudio.errors import AudioError, FileError
from vqaudio.files import pipe as pipes
from vqaudio.files.pipe import ENDLESS, Pipe, is_pipe

FORMATS = [
    (format, subtype, endian)
    for format, endians in {
        "WAV": ("LITTLE", "BIG"),
        "WAVEX": ("FILE",),
        "RF64": ("FILE",),
        "W64": ("FILE",),
        "AU": ("BIG", "LITTLE"),
        "AIFF": ("BIG", "LITTLE"),
    }.items()
    for subtype in ("PCM_16", "PCM_S8", "PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
    for endian in endians
    if soundfile.check_format(format, subtype, endian)
]


class Feeder:
    """The far end of a pipe, and the path of the near one."""

    def __init__(self) -> None:
        self._near, self._far = os.pipe()
        self.path = f"/dev/fd/{self._near}"
        self._threads: list[threading.Thread] = []

    def write(self, data: bytes) -> None:
        """From another thread, as pipes are short."""
        self._threads.append(threading.Thread(target=self._write, args=[data]))
        self._threads[-1].start()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._far, data) :]

    def settle(self) -> None:
        """Wait until all is written."""
        for thread in self._threads:
            thread.join()

    def end(self) -> None:
        self.settle()
        os.close(self._far)
        self._far = -1

    def close(self) -> None:
        if self._far >= 0:
            self.end()
        os.close(self._near)


@pytest.fixture
def feeder() -> Iterator[Feeder]:
    feeder = Feeder()
    yield feeder
    feeder.close()


@contextmanager
def piped(data: bytes, raw: RawFormat | None = None) -> Iterator[PipeSource | FileSource]:
    """The sound in a pipe through which ``data`` came."""
    feeder = Feeder()
    with Pipe(feeder.path) as pipe:
        feeder.write(data)
        threading.Thread(target=feeder.end).start()
        with open_pipe(pipe, raw) as sound:
            yield sound
        pipe.read(1 << 30)
    feeder.settle()
    os.close(feeder._near)


def heard_in_windows(sound: PipeSource | FileSource, size: int = 701, context: int = 99) -> np.ndarray:
    """The sound from windows that overlap, as blocks read them."""
    pieces, start = [], 0
    while start < sound.n_samples:
        pieces.append(sound.read(start - context, start + size + context)[:, context : context + size])
        start += size
    samples = np.concatenate(pieces, axis=1)
    assert not samples[:, sound.n_samples :].any()
    return samples[:, : sound.n_samples]


def sized(data: bytes, size: int) -> bytes:
    """A WAV whose header says another size."""
    at = data.index(b"data") + 4
    return data[:4] + struct.pack("<I", size) + data[8:at] + struct.pack("<I", size) + data[at + 4 :]


# ---------------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize(("format", "subtype", "endian"), FORMATS)
def test_a_sound_through_a_pipe_equals_the_file_to_the_bit(format, subtype, endian):
    file = io.BytesIO()
    soundfile.write(file, tones(2, 5003).T, 44100, format=format, subtype=subtype, endian=endian)
    with piped(file.getvalue()) as sound, FileSource(file) as expected:
        assert isinstance(sound, PipeSource)
        assert (sound.sample_rate, sound.channels, sound.n_samples) == (44100, 2, ENDLESS)
        np.testing.assert_array_equal(heard_in_windows(sound), whole(expected))
        assert not sound.problem


@pytest.mark.parametrize("size", [0, 10**6, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF - 36, 0xFFFFFFFF])
def test_a_size_that_nobody_knew_is_no_size(size):
    data = encoded(tones(1, 5000))
    with piped(sized(data, size)) as sound, FileSource(io.BytesIO(data)) as expected:
        np.testing.assert_array_equal(heard_in_windows(sound), whole(expected))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT"])
def test_what_the_largest_size_of_a_wav_does_not_reach_is_heard(subtype, monkeypatch):
    """As if 4000 were the largest number that a size could be."""
    monkeypatch.setattr("vqaudio.audio.live.header._ENDLESS", 4000)
    data = encoded(tones(1, 50_000), subtype=subtype)
    with piped(sized(data, 4000)) as sound, FileSource(io.BytesIO(data)) as expected:
        np.testing.assert_array_equal(heard_in_windows(sound), whole(expected))


def test_what_follows_the_samples_is_no_sound():
    data = sized(encoded(tones(1, 5000)), 4000)
    with piped(data) as sound:
        assert heard_in_windows(sound).shape == (1, 2000)
        assert not sound.problems


def test_what_a_pipe_lacks_of_what_its_header_announces_is_told():
    data = encoded(tones(1, 5000))
    with piped(data[:-2000]) as sound:
        assert not sound.problems  # it goes on, for all that is known
        assert heard_in_windows(sound).shape == (1, 4000)
        sentence = f"{sound.name}: ends at 0.250 s, 0.062 s (1000 samples) before its header says"
        assert sound.problems == (sentence,)
    with piped(data + data) as sound:
        assert heard_in_windows(sound).shape == (1, 5000)
        assert sound.problems == (
            f"{sound.name}: more sound comes behind the first, which is not read: save it as a file first",
        )


@pytest.mark.parametrize(
    ("subtype", "dtype"), [("PCM_16", "<i2"), ("PCM_32", "<i4"), ("PCM_S8", "i1"), ("FLOAT", "<f4"), ("DOUBLE", "<f8")]
)
def test_samples_without_a_header(subtype, dtype):
    wav = tones(3, 4001)
    full = 1.0 if "f" in dtype else 2.0 ** (8 * np.dtype(dtype).itemsize - 1)
    values = (wav * full).astype(dtype)
    with piped(values.T.tobytes(), RawFormat(11025, 3, subtype)) as sound:
        assert (sound.sample_rate, sound.channels) == (11025, 3)
        np.testing.assert_array_equal(heard_in_windows(sound), (values / full).astype(np.float32))


def test_half_a_sample_at_the_end_is_none():
    with piped(np.arange(100, dtype="<i2").tobytes()[:-1], RawFormat(RATE, 2, "PCM_16")) as sound:
        assert heard_in_windows(sound).shape == (2, 49)


@pytest.mark.parametrize(
    ("format", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("WAV", "IMA_ADPCM"), ("W64", "MS_ADPCM")]
)
def test_other_formats_are_read_once_they_are_there(format, subtype):
    data = encoded(tones(1, 5000), format, subtype)
    with piped(data) as sound, FileSource(io.BytesIO(data)) as expected:
        assert isinstance(sound, FileSource)
        np.testing.assert_array_equal(whole(sound), whole(expected))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"no sound at all", "is not a sound file"),
        (encoded(tones(1, 10))[:30], "ends within its header, after 30 bytes"),
        (encoded(tones(1, 10))[:44], "holds no samples"),
        (b"RIFF\xff\xff\xff\xffWAVEjunk\xff\xff\xff\x7f", "its header goes on for more than 16 MiB"),
        (encoded(tones(1, 10)).replace(b"\x10\x00\x00\x00\x01\x00", b"\x10\x00\x00\x00\x77\x66"), "header cannot be"),
    ],
)
def test_a_pipe_without_sound(data, message):
    with pytest.raises(AudioError, match=message), piped(data):
        pass


def test_what_came_before_a_bad_sample_is_not_lost():
    wav = tones(2, 9000)
    wav[1, 7000] = np.nan
    with piped(encoded(wav, subtype="FLOAT")) as sound:
        np.testing.assert_array_equal(heard_in_windows(sound), wav[:, :7000])
        assert "channel 2 of 2 holds nan at 0.438 s" in sound.problem


@pytest.mark.parametrize("words", [("1.5", "1", "PCM_16"), ("16000", "0", "PCM_16"), ("16000", "1", "PCM_17")])
def test_raw_samples_that_there_are_not(words):
    with pytest.raises(AudioError, match="raw samples: "):
        RawFormat.parse(*words)


# ------------------------------------------------------------------------------------------------------------ pipes


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


# ------------------------------------------------------------------------------------------------------------ codes


@pytest.mark.parametrize(
    ("rate", "n_samples", "channels"),
    [
        (RATE, 1, 1),
        (RATE, 320, 2),
        (RATE, 2 * RATE, 1),
        (RATE, 2 * RATE + 1, 1),
        (RATE, 3 * RATE - 1, 2),
        (8000, 5 * 8000, 1),
        (11025, 33_001, 1),
        (22050, 2 * 22050, 2),
        (44100, 777, 1),
        (44100, 4 * 44100 + 9, 2),
        (44101, 100_000, 1),
        (48000, 2 * 48000 + 17, 3),
    ],
)
def test_codes_are_those_of_the_file(rate, n_samples, channels):
    data = encoded(synthetic(n_samples / rate, rate, channels)[:, :n_samples], rate=rate)
    assert soundfile.info(io.BytesIO(data)).frames == n_samples
    from_pipe, from_file = io.BytesIO(), io.BytesIO()
    with piped(sized(data, 0xFFFFFFFF)) as sound:
        tiny_codec().write(sound, from_pipe, options=CodingOptions(chunk_seconds=1.0))
        assert sound.n_samples == n_samples
    with FileSource(io.BytesIO(data)) as sound:
        tiny_codec().write(sound, from_file, options=CodingOptions(chunk_seconds=1.0))
    assert from_pipe.getvalue() == from_file.getvalue()


def test_codes_are_those_of_the_file_where_a_sound_ends_with_a_window():
    codec = tiny_codec()
    for extra in range(-1, 2):
        n_samples = (codec.chunk_frames(1.0) + codec.model.encoder_context) * codec.hop_length + extra
        wav = tones(1, n_samples)
        from_pipe, from_array = io.BytesIO(), io.BytesIO()
        with piped(encoded(wav, subtype="FLOAT")) as sound:
            codec.write(sound, from_pipe, options=CodingOptions(chunk_seconds=1.0))
        codec.write(ArraySource(wav, RATE), from_array, options=CodingOptions(chunk_seconds=1.0))
        assert from_pipe.getvalue() == from_array.getvalue()


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_a_chunk_is_written_once_it_and_its_context_have_come(rate, feeder):
    """And no more than that: the pipe stays open, and silent."""
    codec = tiny_codec()
    seconds = 1 + codec.model.encoder_context / codec.frame_rate + (0 if rate == RATE else 0.06)
    samples = (tones(1, round(seconds * rate)) * 32767).astype("<i2").tobytes()
    near, far = os.pipe()

    def compress() -> None:
        with Pipe(feeder.path) as pipe, open_pipe(pipe, RawFormat(rate, 1, "PCM_16")) as sound, open(far, "wb") as file:
            codec.write(sound, file, options=CodingOptions(chunk_seconds=1.0))

    thread = threading.Thread(target=compress)
    thread.start()
    feeder.write(samples)
    with open(near, "rb", buffering=0) as file:
        data = file.read(1 << 16)
        while len(data) < 100:  # the header may come alone
            data += file.read(1 << 16)
        assert reader(data).n_chunks == 1
        feeder.end()
        data += file.readall()
    thread.join()
    assert reader(data).n_samples == len(samples) // 2


# --------------------------------------------------------------------------------------------------------- commands


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


# ------------------------------------------------------------------------------------------ in real time, at any moment


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
