"""The compress command: files, folders and pipes in, whole outputs or none, one clear line where something is wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from compressing import compress, listing, spoken
from tools import MODEL, heard, one_line, reader, synthetic, tiny_codec, wav_bytes

from vqaudio.compress import main

RATE = 16000
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def python(code: str, *arguments: object, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environment, **pipes)  # type: ignore[call-overload]


def test_a_file_becomes_what_the_api_makes_of_it(capsys):
    spoken("in.wav", 6.2, 22050, channels=2)
    assert compress("in.wav", "out.vq", "--codebooks", 3) == 0
    data = Path("out.vq").read_bytes()
    assert data == tiny_codec().compress(*heard(Path("in.wav")), n_codebooks=3)
    said = capsys.readouterr()
    assert said.out == ""
    kbps = len(data) * 8 / 6.2 / 1000
    assert f"in.wav -> out.vq: 6.20 s, {len(data)} bytes, {kbps:.2f} kb/s, " in said.err
    assert said.err.count("\n") == 1
    assert said.err.endswith(" x real time\n")


def test_through_pipes_and_back():
    """``cat in.wav | compress - - | decompress - - > out.wav``, three processes at once."""
    wav = synthetic(6.2, 22050)
    Path("in.wav").write_bytes(wav_bytes(wav, 22050, subtype="PCM_16"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable, "MODEL": str(MODEL)}
    script = (
        '< in.wav cat | "$PYTHON" -m vqaudio.compress - - --model "$MODEL" | tee between.vq'
        ' | "$PYTHON" -m vqaudio decompress - - --model "$MODEL" --subtype FLOAT > out.wav'
    )
    ran = subprocess.run(["sh", "-c", script], check=False, capture_output=True, env=environment, timeout=120)
    assert ran.returncode == 0
    assert ran.stdout == b""
    said = ran.stderr.decode().splitlines()
    assert [line.split(":")[0] for line in said] == ["stdin -> stdout"] * 2
    assert compress("in.wav", "file.vq") == 0
    assert Path("between.vq").read_bytes() == Path("file.vq").read_bytes()
    codec = tiny_codec()
    expected, _ = codec.decompress(codec.compress(*heard(Path("in.wav"))))
    found, rate = heard(Path("out.wav"))
    assert rate == 22050
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_reader_that_goes_away_is_no_drama():
    spoken("in.wav")
    code = "import sys; from vqaudio.compress import main; sys.exit(main())"
    process = python(code, "in.wav", "-", "--model", MODEL)
    process.stdout.close()
    process.stdout = None
    said = process.communicate(timeout=120)[1].decode()
    assert process.returncode == 1
    assert said.startswith("error: standard output: the program reading it stopped early")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.wav", {"subtype": "PCM_U8"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"format": "RF64", "subtype": "PCM_16"}),
        ("a.w64", {"format": "W64", "subtype": "PCM_32"}),
        ("a.flac", {"format": "FLAC", "subtype": "PCM_24"}),
        ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}),
    ],
    ids=str,
)
def test_kinds_of_input(name, format):
    spoken(name, 0.25, 44100, channels=2, **format)
    assert compress(name, "out.vq", "--quiet") == 0
    found = reader(Path("out.vq").read_bytes())
    assert (found.header.source_rate, found.header.channels) == (44100, 2)
    assert found.n_samples == heard(Path(name))[0].shape[1] == 11025


@pytest.mark.parametrize(
    "wav",
    [np.zeros((1, 8000)), np.full((1, 8000), 0.5), np.full((1, 1), 0.1), np.sign(synthetic(0.5, RATE)) * 2],
    ids=["silence", "DC", "one sample", "clipping"],
)
def test_odd_sounds(wav):
    Path("in.wav").write_bytes(wav_bytes(wav.astype(np.float32), RATE))
    assert compress("in.wav", "out.vq") == 0
    decoded, _ = tiny_codec().decompress(Path("out.vq").read_bytes())
    assert decoded.shape == wav.shape
    assert np.isfinite(decoded).all()


def test_stereo_of_equal_channels_takes_the_room_of_mono():
    wav = synthetic(5, RATE)
    Path("one.wav").write_bytes(wav_bytes(wav, RATE))
    Path("two.wav").write_bytes(wav_bytes(np.concatenate([wav, wav]), RATE))
    assert compress("one.wav", "two.wav", "--out-dir", ".") == 0
    one, two = Path("one.vq").stat().st_size, Path("two.vq").stat().st_size
    assert one <= two <= one + 2


def test_rates_can_be_asked_for():
    spoken("in.wav")
    for number, (option, value, n_codebooks) in enumerate(
        (("--kbps", 0.95, 3), ("--kbps", 0.3, 1), ("--kbps", 99, 4), ("--codebooks", 2, 2), ("--quiet", "", 4))
    ):
        fast = ["--fast"] if option == "--kbps" else []
        assert compress("in.wav", f"{number}.vq", option, *([value] if value else []), *fast) == 0
        assert len(reader(Path(f"{number}.vq").read_bytes()).header.streams) == n_codebooks


def test_chunks_can_be_asked_for():
    spoken("in.wav", 2)
    assert compress("in.wav", "out.vq", "--chunk", "0.5") == 0
    assert reader(Path("out.vq").read_bytes()).n_chunks == 5  # the last for the margin


def test_quiet_says_nothing(capsys):
    spoken("in.wav")
    assert compress("in.wav", "out.vq", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--codebooks", "0"], "0 codebooks asked for, but tiny has 1 to 4"),
        (["--codebooks", "99"], "99 codebooks asked for, but tiny has 1 to 4"),
        (["--kbps", "0.1"], "in.wav: 0.1 kb/s asked for, but the smallest file of these 0.30 s of sound takes"),
        (["--kbps", "0.1", "--fast"], "0.1 kb/s is below the lowest rate of tiny, 0.3 kb/s"),
        (["--kbps", "nan"], "expected a number above 0"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (["--model", "no-such-model"], "no-such-model: no such model"),
        (["--chunk", "60", "--model", "in.wav"], "in.wav: is not a readable safetensors file"),
    ],
    ids=" ".join,
)
def test_impossible_wishes_give_one_line(options, message, capsys):
    spoken("in.wav")
    arguments = ["in.wav", "out.vq", *options]
    assert main(arguments if "--model" in options else [*arguments, "--model", str(MODEL)]) == 1
    assert one_line(capsys, "error: ", message)
    assert listing() == {"in.wav"}


@pytest.mark.parametrize(
    "options",
    [
        ["--chunk", "-1"],
        ["--chunk", "nan"],
        ["--chunk", "1e9"],
        ["--codebooks", "many"],
        ["--codebooks", "1", "--kbps", "1"],
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_refused(options, capsys):
    spoken("in.wav")
    assert compress("in.wav", "out.vq", *options) == 2
    assert one_line(capsys, "error: ", options[0])
    assert listing() == {"in.wav"}


def test_inputs_that_are_no_sound_leave_nothing(capsys):
    Path("text.wav").write_text("no sound at all")
    Path("empty.wav").write_bytes(b"")
    wav = synthetic(12, RATE)
    wav[0, 11 * RATE] = np.nan
    Path("nan.wav").write_bytes(wav_bytes(wav, RATE))
    Path("cut.m4a").write_bytes(b"\0\0\0\x18ftypM4A \0\0\0\0M4A isom\0\0\2\0mdat" + bytes(300))  # its index is gone
    Path("folder").mkdir()
    before = listing()
    for name, message in (
        ("text.wav", "is not a sound file"),
        ("empty.wav", "is empty"),
        ("nan.wav", "channel 1 of 1 holds nan at 11.000 s"),
        ("cut.m4a", "looks like MPEG-4 (M4A, MP4) but cannot be decoded"),
        ("missing.wav", "no such file"),
        ("folder", "is a folder"),
    ):
        assert compress(name, "out.vq") == 1, name
        assert one_line(capsys, f"error: {name}: ", message)
        assert listing() == before


def has_begun(pid: int) -> bool:
    """Whether a process has written to an output: beside the input, or in a file that has no name yet."""
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):  # closed in the meantime
            found = descriptor.stat()
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and found.st_size:
                return True
    return len(listing()) > 1


def test_interrupting_leaves_nothing_behind():
    """Ctrl-C once the output has begun."""
    soundfile.write("in.wav", np.zeros(1200 * 8000, np.float32), 8000, subtype="PCM_U8")
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # off in background jobs
        "from vqaudio.compress import main; sys.exit(main())"
    )
    process = python(code, "in.wav", "out.vq", "--chunk", "0.1", "--model", MODEL)
    deadline = time.monotonic() + 100
    while not has_begun(process.pid) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert has_begun(process.pid)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert (process.returncode, said) == (130, b"interrupted\n")
    assert listing() == {"in.wav"}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_duration():
    code = (  # not ru_maxrss, which begins at what the parent process had
        "import re, sys; from vqaudio.compress import main\n"
        "status = main(); print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]); sys.exit(status)"
    )
    peaks, block = [], synthetic(10, 22050)[0]
    for minutes in (5, 20):  # by then all threads have met the largest arrays that there are
        with soundfile.SoundFile("in.wav", "w", 22050, 1, "PCM_16") as file:
            for _ in range(6 * minutes):
                file.write(block)
        process = python(code, "in.wav", "out.vq", "--force", "--model", MODEL)
        out, said = process.communicate(timeout=600)
        assert process.returncode == 0, said
        peaks.append(int(out))
    assert peaks[1] <= 1.1 * peaks[0]
