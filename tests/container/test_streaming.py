"""``.vq`` files that are still arriving: chunk by chunk, and in the end what a reader of the whole file would say."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tools import MODEL, reader, synthetic, tiny_codec

from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.opened import StoredSound, open_vq
from vqaudio.codec.options import CodingOptions
from vqaudio.container.streaming import StreamingReader
from vqaudio.decompress import main
from vqaudio.errors import ContainerError
from vqaudio.files.pipe import ENDLESS, Pipe
from vqaudio.series import SUFFIXES

RATE = 16000


def packed(seconds: float = 3.3, rate: int = RATE, **how: object) -> bytes:
    """A file with chunks of a second."""
    file = io.BytesIO()
    tiny_codec().write(
        ArraySource(synthetic(seconds, rate), rate), file, options=CodingOptions(chunk_seconds=1.0, **how)
    )  # type: ignore[arg-type]
    return file.getvalue()


def cuts(data: bytes) -> list[int]:
    """Where each chunk ends."""
    found = reader(data)
    return [offset + size for offset, size in zip(found._offsets, found._sizes, strict=True)]


@contextmanager
def arriving(data: bytes) -> Iterator[StreamingReader]:
    """A reader of what came through a pipe, which has ended."""
    near, far = os.pipe()
    with Pipe(f"/dev/fd/{near}") as pipe, open(far, "wb", buffering=0) as file:
        threading.Thread(target=lambda: (file.write(data), file.close())).start()
        with StreamingReader(pipe) as found:
            found.coder_for = reader(data).coder_for
            yield found
    os.close(near)


@pytest.mark.parametrize("entropy", ["none", "context"])
def test_chunks_can_be_read_as_they_come(entropy):
    data = packed(entropy=entropy)
    ends = cuts(data)
    stored = open_vq(io.BytesIO(data), name="x.vq")
    near, far = os.pipe()
    with Pipe(f"/dev/fd/{near}") as pipe, open(far, "wb", buffering=0) as file:
        file.write(data[: ends[0]])
        with StreamingReader(pipe) as found:
            arrived = tiny_codec().open(StoredSound(found))
            for index, (start, stop) in enumerate(pairwise(ends)):
                assert found.reach(index)
                assert found.n_samples == arrived.n_samples == ENDLESS
                for one, other in zip(found.chunk(index).codes, stored.reader.chunk(index).codes, strict=True):
                    np.testing.assert_array_equal(one, other)
                file.write(data[start : stop - 1])
                assert not found.reach(index + 1, wait=False)
                file.write(data[stop - 1 : stop])
            assert not found.reach(3, wait=False)  # how short the last chunk's sound is, only the trailer says
            file.write(data[ends[3] :])
            file.close()
            assert found.reach(3)
            assert not found.reach(4)
            assert (found.n_samples, found.n_chunks, found.has_trailer) == (round(3.3 * RATE), 4, True)
            assert not found.problems
    os.close(near)


@pytest.mark.parametrize("entropy", ["none", "context"])
@pytest.mark.parametrize(
    "damage", ["cut in a chunk", "cut in the trailer", "a byte", "a chunk", "the trailer", "behind"]
)
def test_what_is_damaged_reads_as_from_a_file(damage, entropy):
    data = packed(entropy=entropy)
    ends = cuts(data)
    bad = {
        "cut in a chunk": data[: ends[1] + 20],
        "cut in the trailer": data[: ends[-1] + 3],
        "a byte": data[: ends[1] + 9] + bytes([data[ends[1] + 9] ^ 1]) + data[ends[1] + 10 :],
        "a chunk": data[: ends[0]] + data[ends[1] :],
        "the trailer": data[: ends[-1] + 1] + b"?" + data[ends[-1] + 2 :],
        "behind": data + b"\xc0 and so on",
    }[damage]
    expected = tiny_codec().open(open_vq(io.BytesIO(bad), name="x.vq"))
    with arriving(bad) as found:
        stored = tiny_codec().open(StoredSound(found))
        assert found.reach(0)
        sound = stored.read(0, 5 * RATE)
        np.testing.assert_array_equal(sound, expected.read(0, 5 * RATE))
        assert stored.n_samples == expected.n_samples
        assert list(map(str, stored.damage)) == list(map(str, expected.damage))


@pytest.mark.parametrize("data", [b"", b"no such thing " * 99, packed()[:20]])
def test_what_is_no_file_is_refused_as_any_other(data):
    with pytest.raises(ContainerError) as expected:
        open_vq(io.BytesIO(data), name="x.vq")
    with pytest.raises(ContainerError) as found, arriving(data):
        pass
    assert str(found.value).split(": ", 1)[1] == str(expected.value).split(": ", 1)[1]


def test_a_file_of_no_samples_has_no_chunk():
    data = packed(1.0)
    ends = cuts(data)
    with arriving(data[: reader(data)._start] + b"\x7e\x00" + data[ends[-1] :][-5:]) as found:
        assert not found.reach(0)


# --------------------------------------------------------------------------------------------------------- commands


def through(data: bytes, tmp_path: Path, *options: str) -> tuple[int, bytes]:
    """The exit status and the output of ``decompress`` from a pipe into another."""
    fifo = tmp_path / "out"
    os.mkfifo(fifo)
    heard: list[bytes] = []
    near, far = os.pipe()
    threads = [threading.Thread(target=lambda: heard.append(fifo.read_bytes()))]
    threads.append(threading.Thread(target=lambda: (os.write(far, data), os.close(far))))
    for thread in threads:
        thread.start()
    status = main([f"/dev/fd/{near}", str(fifo), "--force", "--model", str(MODEL), *options])
    while status and threads[0].is_alive():  # nobody may have opened it for writing
        with suppress(OSError):  # nor for reading, yet or any more
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        threads[0].join(0.01)
    for thread in threads:
        thread.join()
    os.close(near)
    return status, heard[0]


@pytest.mark.parametrize("rate", [RATE, 44100])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_the_samples_are_those_of_the_file(rate, subtype, tmp_path):
    data = packed(rate=rate)
    (tmp_path / "x.vq").write_bytes(data)
    assert main([str(tmp_path / "x.vq"), str(tmp_path / "x.wav"), "--model", str(MODEL), "--subtype", subtype]) == 0
    status, found = through(data, tmp_path, "--subtype", subtype)
    assert status == 0
    expected, _ = soundfile.read(tmp_path / "x.wav")
    samples, found_rate = soundfile.read(io.BytesIO(found))
    assert found_rate == rate
    np.testing.assert_array_equal(samples, expected)


def test_a_part_and_damage_through_pipes(tmp_path, capsys):
    data = packed()
    status, found = through(data, tmp_path, "--start", "1", "--end", "2")
    assert status == 0
    assert len(soundfile.read(io.BytesIO(found))[0]) == RATE
    (tmp_path / "out").unlink()
    capsys.readouterr()
    status, found = through(data[: cuts(data)[1] + 20], tmp_path)
    assert status == 1
    assert len(soundfile.read(io.BytesIO(found))[0]) == 1.96 * RATE  # two chunks without the margin at either end
    assert "damaged: " in capsys.readouterr().err


def test_the_first_chunk_is_heard_when_the_second_has_come(tmp_path):
    data = packed()
    ends = cuts(data)
    fifo = tmp_path / "out"
    os.mkfifo(fifo)
    near, far = os.pipe()
    os.write(far, data[: ends[1]])
    command = [f"/dev/fd/{near}", str(fifo), "--force", "--model", str(MODEL), "--quiet"]
    thread = threading.Thread(target=main, args=[command])
    thread.start()
    with fifo.open("rb", buffering=0) as heard:
        found = b""
        while len(found) < 44 + 2 * round(0.9 * RATE):  # of 0.98 s, which the margin leaves of a chunk
            found += heard.read(1 << 16)
        os.write(far, data[ends[1] :])
        os.close(far)
        found += heard.readall()
    thread.join()
    os.close(near)
    assert len(soundfile.read(io.BytesIO(found))[0]) == round(3.3 * RATE)


def test_a_table_through_pipes(tmp_path):
    from vqaudio.compress import main as compress

    assert ".csv" in SUFFIXES
    (tmp_path / "in.csv").write_text("a,b\n1,2.5\n3,4.5\n")
    assert compress([str(tmp_path / "in.csv"), str(tmp_path / "in.vq")]) == 0
    near, far = os.pipe()
    os.write(far, (tmp_path / "in.vq").read_bytes())
    os.close(far)
    assert main([f"/dev/fd/{near}", str(tmp_path / "out.csv")]) == 0
    os.close(near)
    assert (tmp_path / "out.csv").read_text() == "a,b\n1,2.5\n3,4.5\n"
