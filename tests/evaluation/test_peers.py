"""Other codecs: what they make of a clip, how large, aligned with it, and what is said where one is not installed."""

import shutil

import numpy as np
import pytest
import soundfile
from judged import speech

from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.metrics import METRICS, SAMPLE_RATE
from vqaudio.evaluation.opus import Opus, OpusFile, OpusNolace
from vqaudio.evaluation.peers import Codec2, find_peers
from vqaudio.evaluation.systems import run_tool

needs_opus = pytest.mark.skipif(shutil.which("opusenc") is None, reason="opusenc (Debian: opus-tools) is not installed")
needs_codec2 = pytest.mark.skipif(shutil.which("c2enc") is None, reason="c2enc (Debian: codec2) is not installed")


def lag(reference: np.ndarray, decoded: np.ndarray) -> int:
    """Samples by which the decoded envelope is late."""
    smooth = np.hanning(321)
    envelopes = [np.convolve(np.abs(wave), smooth, "same") for wave in (decoded, reference)]
    late, early = (envelope - envelope.mean() for envelope in envelopes)
    return int(np.argmax(np.correlate(late, early[1600:-1600], "valid"))) - 1600


@needs_opus
def test_opus_keeps_the_length_and_the_time_and_more_bits_are_better():
    clip = speech(2.03)
    rough, fine = (Opus(kbps).run(clip) for kbps in (6, 12))
    assert rough.decoded.shape == fine.decoded.shape == clip.shape
    assert rough.n_bytes < fine.n_bytes < 2.03 * 16000 / 8
    assert abs(lag(clip, fine.decoded)) <= 80
    assert METRICS["stoi"].measure(clip, fine.decoded) > 0.9


@needs_opus
def test_opus_tells_how_much_of_its_file_is_packets(tmp_path):
    source, coded = tmp_path / "in.wav", tmp_path / "coded.opus"
    soundfile.write(source, speech(2.03), SAMPLE_RATE)
    run_tool("opusenc", "--quiet", "--bitrate", "8", source, coded)
    data, at, pages = coded.read_bytes(), 0, []
    while at < len(data):  # a page has 27 bytes, a table of lengths, and so many bytes
        body = at + 27 + data[at + 26]
        pages.append(sum(data[at + 27 : body]))
        at = body + pages[-1]
    file = OpusFile.read(coded)
    assert file.n_bytes == len(data)
    assert file.n_packet_bytes == sum(map(len, file.packets)) == sum(pages[2:])  # two pages are headers
    assert len(file.packets) >= 2.03 / 0.02
    assert 0 < file.pre_skip < 4000


@pytest.mark.skipif(OpusNolace.missing() is not None, reason=str(OpusNolace.missing()))
def test_nolace_decodes_wide_band_aligned_with_the_clip():
    clip = speech(2.03)
    rough, fine = (OpusNolace(kbps).run(clip) for kbps in (6, 12))
    assert rough.decoded.shape == fine.decoded.shape == clip.shape
    assert rough.n_packet_bytes < fine.n_packet_bytes < fine.n_bytes
    assert abs(lag(clip, fine.decoded)) <= 80
    assert METRICS["stoi"].measure(clip, fine.decoded) > METRICS["stoi"].measure(clip, rough.decoded) > 0.8


def test_a_node_without_the_package_is_told_what_to_install(monkeypatch, tmp_path):
    for tool in ("opusenc", "node"):
        (tmp_path / tool).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EvaluationError, match=r"--peers opus-nolace: .*npm install --prefix FOLDER @wasm.*NODE_PATH"):
        find_peers(["opus-nolace"])


@needs_codec2
@pytest.mark.parametrize(("mode", "frame_bytes"), [("3200", 2 * 8), ("1200", 6), ("700C", 4)])
def test_codec2_keeps_the_length_and_its_delay_is_taken_out(mode, frame_bytes):
    clip = speech(2.03)
    coded = Codec2(mode).run(clip)
    assert coded.decoded.shape == clip.shape
    assert coded.n_bytes == 7 + 51 * frame_bytes  # a header, and 2.04 s in frames of 40 ms
    assert abs(lag(clip, coded.decoded)) <= 80  # 5 ms; the delay itself is 20 or 30


def test_absent_peers_are_left_out_with_a_note_unless_asked_for(monkeypatch):
    absent = ("c2enc", "c2dec", "node")
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool in absent else f"/bin/{tool}")
    systems, notes = find_peers(None)
    assert [system.name for system in systems] == ["Opus 6", "Opus 8", "Opus 12"]
    assert len(notes) == 2
    assert "Opus, NoLACE is left out: node not found; install them with: apt install opus-tools nodejs" in notes[0]
    assert "apt install codec2" in notes[1]
    assert find_peers([]) == ([], [])
    with pytest.raises(EvaluationError, match=r"c2enc and c2dec not found.*apt install codec2"):
        find_peers(["opus", "codec2"])
    with pytest.raises(EvaluationError, match="--peers mp3: no such codec; choose among opus, opus-nolace, codec2"):
        find_peers(["mp3"])


def test_a_tool_that_fails_is_quoted(monkeypatch, tmp_path):
    tool = tmp_path / "opusenc"
    tool.write_text("#!/bin/sh\necho out of tune >&2\nexit 3\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EvaluationError, match=r"opusenc: failed with exit status 3 \(out of tune\)"):
        Opus(6).run(speech(0.1))
