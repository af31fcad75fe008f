"""The decompress command: parts of a sound, damage reported in time, and outputs that are whole or not there."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_models import tiny_model
from tools import MODEL, codec_of, heard, one_line, reader, synthetic, tiny_codec

import vqaudio
from vqaudio import registry
from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.options import CodingOptions
from vqaudio.container import Reader
from vqaudio.decompress import main

RATE = 16000
SECONDS = 18.0


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def decompress(*arguments: object) -> int:
    return main([*map(str, arguments), "--model", str(MODEL)])


def packed(rate: int = RATE, seconds: float = SECONDS, channels: int = 1, chunk_seconds: float = 5.0) -> bytes:
    file = io.BytesIO()
    sound = ArraySource(synthetic(seconds, rate, channels), rate)
    tiny_codec().write(sound, file, options=CodingOptions(n_codebooks=2, chunk_seconds=chunk_seconds))
    return file.getvalue()


def broken_in(data: bytes, seconds: float) -> bytes:
    """The file with a byte changed in the chunk that holds a moment."""
    found = reader(data)
    ranges = map(found.time_range, range(found.n_chunks))
    index = next(index for index, (start, stop) in enumerate(ranges) if start <= seconds < stop)
    place = found._offsets[index] + found._sizes[index] // 2
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


def listing() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


# ------------------------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize("rate", [RATE, 11025, 44100])
def test_parts_equal_the_whole_to_the_sample(rate):
    Path("x.vq").write_bytes(packed(rate, channels=2 if rate == RATE else 1))
    assert decompress("x.vq", "whole.wav", "--subtype", "FLOAT") == 0
    whole, found_rate = heard(Path("whole.wav"))
    assert found_rate == rate
    assert whole.shape[1] == round(SECONDS * rate)
    for number, (start, end) in enumerate(
        ((0, 0.001), (4.99, 5.01), (12.3456, None), (None, 3.3), (5, 10), (17.9, 99))
    ):
        span = [*(["--start", start] if start is not None else []), *(["--end", end] if end is not None else [])]
        assert decompress("x.vq", f"{number}.wav", "--subtype", "FLOAT", *span) == 0
        first, last = round((start or 0) * rate), min(whole.shape[1], round((end or SECONDS) * rate))
        np.testing.assert_array_equal(heard(Path(f"{number}.wav"))[0], whole[:, first:last])


@pytest.mark.parametrize(
    ("rate", "start", "end", "chunks"),
    [
        (RATE, 7, 8, {0, 1, 2}),
        (RATE, 0, 1, {0, 1}),
        (RATE, 17, 18, {2, 3}),
        (RATE, 4.5, 5.5, {0, 1, 2}),
        (44100, 0, 3, {0, 1}),
        (44100, 17, 18, {2, 3}),
    ],
)
def test_only_the_chunks_needed_and_their_neighbours_are_read(rate, start, end, chunks, monkeypatch):
    Path("x.vq").write_bytes(packed(rate))
    read = set()
    chunks_of = Reader.chunks
    monkeypatch.setattr(Reader, "chunks", lambda self, indices: read.update(indices) or chunks_of(self, indices))
    assert decompress("x.vq", "part.wav", "--start", start, "--end", end) == 0
    assert read == chunks


@pytest.mark.parametrize(
    "span",
    [
        ["--start", "18"],
        ["--end", "0"],
        ["--start", "5", "--end", "5"],
        ["--start", "6", "--end", "5"],
        ["--start", "1e300"],
    ],
    ids=" ".join,
)
def test_parts_that_are_not_there(span, capsys):
    Path("x.vq").write_bytes(packed(8000))
    assert decompress("x.vq", "out.wav", *span) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: x.vq: nothing to decode from ")
    assert "in 18.000 s of sound" in said
    assert said.count("\n") == 1
    assert listing() == {"x.vq"}


@pytest.mark.parametrize("span", [["--start", "-1"], ["--start", "nan"], ["--start", "inf"], ["--end", "1:60"]])
def test_what_is_no_time_is_refused(span, capsys):
    Path("x.vq").write_bytes(packed(8000, 2))
    assert decompress("x.vq", "out.wav", *span) == 2
    assert one_line(capsys, "error: ", f"Invalid value for '{span[0]}'")
    assert listing() == {"x.vq"}


def test_times_may_be_minutes_and_seconds():
    Path("x.vq").write_bytes(packed(8000, 62))
    assert decompress("x.vq", "out.wav", "--start", "1:00.5", "--end", "0:01:01") == 0
    assert soundfile.info("out.wav").frames == 4000


def test_an_end_beyond_the_sound_is_its_end():
    Path("x.vq").write_bytes(packed(8000, 2))
    assert decompress("x.vq", "out.wav", "--start", 1, "--end", "1:00") == 0
    assert soundfile.info("out.wav").frames == 8000


# ----------------------------------------------------------------------------------------------------------- outputs


@pytest.mark.parametrize(
    ("name", "options", "kind", "subtype"),
    [
        ("out.wav", [], "WAV", "PCM_16"),
        ("out.wav", ["--subtype", "FLOAT"], "WAV", "FLOAT"),
        ("out.wav", ["--subtype", "PCM_24"], "WAV", "PCM_24"),
        ("out.w64", ["--subtype", "PCM_32"], "W64", "PCM_32"),
        ("out.flac", [], "FLAC", "PCM_16"),
        ("out.ogg", [], "OGG", "VORBIS"),
    ],
)
def test_kinds_of_output(name, options, kind, subtype):
    data = packed(22050, 1, channels=2)
    Path("x.vq").write_bytes(data)
    assert decompress("x.vq", name, *options) == 0
    info = soundfile.info(name)
    assert (info.format, info.subtype, info.samplerate, info.channels, info.frames) == (kind, subtype, 22050, 2, 22050)
    expected, _ = tiny_codec().decompress(data)
    if subtype != "VORBIS":
        np.testing.assert_allclose(heard(Path(name))[0], np.clip(expected, -1, 1), atol=2**-15)


def test_a_summary_without_a_rate(capsys):
    Path("x.vq").write_bytes(packed(8000, 2))
    assert decompress("x.vq", "out.wav", "--start", 0.5, "--end", 1.75) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("x.vq -> out.wav: 1.25 s, ")
    assert said.err.endswith(" x real time\n")
    assert "kb/s" not in said.err
    assert decompress("x.vq", "again.wav", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_a_folder_of_files():
    for name in ("all/a.vq", "all/deep/b.VQ"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(packed(8000, 0.2))
    assert decompress("all", "--out-dir", "made") == 0
    assert listing() == {"all/a.vq", "all/deep/b.VQ", "made/a.wav", "made/deep/b.wav"}


def test_without_a_name_the_output_stands_beside_the_input(capsys):
    Path("sounds").mkdir()
    Path("sounds/x.vq").write_bytes(packed(8000, 0.2))
    assert decompress("sounds/x.vq") == 0
    assert listing() == {"sounds/x.vq", "sounds/x.wav"}
    capsys.readouterr()
    assert decompress("sounds/x.vq") == 1
    assert one_line(capsys, "error: sounds/x.wav: exists already; add --force")
    assert decompress("sounds", "--skip-existing") == 0
    assert one_line(capsys, "1 of 1 skipped: their outputs exist\n")


def test_speeds_leave_out_the_time_that_models_take_to_load(slow_loading, capsys):
    Path("x.vq").write_bytes(packed(8000, 0.3))
    assert decompress("x.vq", "out.wav") == 0
    assert len(slow_loading) == 1
    assert float(re.search(r"([\d.]+) x real time", capsys.readouterr().err)[1]) > 0.01


def test_the_model_is_found_by_the_file(monkeypatch, capsys):
    Path("x.vq").write_bytes(packed(8000, 0.2))
    assert main(["x.vq", "out.wav"]) == 1
    fingerprint = tiny_codec().fingerprint
    assert f"error: x.vq: was written by the model {fingerprint}, which is not shipped here" in capsys.readouterr().err
    Path("models").mkdir()
    shutil.copy(MODEL, "models/small.safetensors")
    monkeypatch.setattr(registry, "MODELS", Path("models").absolute())
    assert main(["x.vq", "out.wav"]) == 0
    assert vqaudio.load("small").fingerprint == fingerprint


# ------------------------------------------------------------------------------------------------------------ damage


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_a_damaged_chunk_is_reported_and_the_rest_decodes(rate, capsys):
    data = packed(rate)
    Path("good.vq").write_bytes(data)
    Path("bad.vq").write_bytes(broken_in(data, 7))
    assert decompress("good.vq", "good.wav", "--quiet") == 0
    assert decompress("bad.vq", "bad.wav", "--quiet") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    reach = tiny_codec().networks.decoder_context / 50 + (0.008 if rate != RATE else 0)
    assert said.startswith(
        f"damaged: bad.vq: chunk 1 ({4.98 - reach:.2f}-{9.98 + reach:.2f} s): its checksum does not match"
    )
    good, bad = heard(Path("good.wav"))[0], heard(Path("bad.wav"))[0]
    assert good.shape == bad.shape
    edges = [round(second * rate) for second in (4.98 - reach, 5.0, 9.96, 9.98 + reach)]
    assert not bad[:, edges[1] : edges[2]].any()
    assert good[:, edges[1] : edges[2]].std() > 0.01
    tolerance = 0 if rate == RATE else 2**-15  # a rounding of 16 bits may flip
    np.testing.assert_allclose(bad[:, : edges[0]], good[:, : edges[0]], rtol=0, atol=tolerance)
    np.testing.assert_allclose(bad[:, edges[3] :], good[:, edges[3] :], rtol=0, atol=tolerance)


def test_damage_counts_where_it_is_heard(capsys):
    Path("bad.vq").write_bytes(broken_in(packed(), 7))
    for number, (start, end, status) in enumerate(((0, 4.7, 0), (0, 4.9, 1), (6, 7, 1), (10.1, 11, 1), (10.3, 18, 0))):
        assert decompress("bad.vq", f"{number}.wav", "--start", start, "--end", end) == status
        assert ("damaged: " in capsys.readouterr().err) == bool(status)


def test_a_file_cut_off_decodes_up_to_the_cut(capsys):
    data = packed()
    Path("good.vq").write_bytes(data)
    assert decompress("good.vq", "good.wav", "--quiet") == 0
    good = heard(Path("good.wav"))[0]
    found = reader(data)
    cut = found._offsets[2] + found._sizes[2] // 2
    Path("cut.vq").write_bytes(data[:cut])
    assert decompress("cut.vq", "cut.wav", "--quiet") == 1
    said = capsys.readouterr().err
    assert "damaged: cut.vq: the trailer is missing or damaged" in said
    assert "hold no readable chunk" in said
    heard_of_it = heard(Path("cut.wav"))[0]
    assert heard_of_it.shape[1] == 9.96 * RATE  # 20 ms before the first frame, and what may be as much behind the last
    certain = round(9.96 * RATE) - tiny_codec().networks.decoder_context * 320
    np.testing.assert_array_equal(heard_of_it[:, :certain], good[:, :certain])


def test_files_that_cannot_be_decoded_leave_nothing(capsys):
    data = packed(8000, 0.5)
    newer, other = bytearray(data), codec_of(tiny_model()).compress(synthetic(0.1, RATE), RATE)
    newer[3] = 7
    Path("text.vq").write_text("RIFF, but not really")
    Path("empty.vq").write_bytes(b"")
    Path("newer.vq").write_bytes(newer)
    Path("other.vq").write_bytes(other)
    Path("header.vq").write_bytes(data[:34])
    before = listing()
    for name, message in (
        ("text.vq", "is not a .vq file"),
        ("empty.vq", "is not a .vq file"),
        ("newer.vq", "has format version 7"),
        ("other.vq", "was written by the model 0123456789ab, not by tiny"),
        ("header.vq", "holds no sound that can be decoded"),
        ("missing.vq", "no such file"),
    ):
        assert decompress(name, "out.wav") == 1, name
        assert one_line(capsys, f"error: {name}: ", message)
        assert listing() == before


def test_outputs_that_cannot_be_are_refused(capsys):
    Path("x.vq").write_bytes(packed(8000, 0.5))
    Path("old.wav").write_text("precious")
    for arguments, message in (
        (["old.wav"], "old.wav: exists already; add --force"),
        (["out.mp3"], "cannot write .mp3"),
        (["out.flac", "--subtype", "FLOAT"], ".flac cannot hold FLOAT"),
        (["x.vq", "--force"], "are the same file"),
        (["out.wav", "--device", "abacus"], "device 'abacus' cannot be used here"),
    ):
        assert decompress("x.vq", *arguments) == 1
        assert one_line(capsys, "error: ", message)
        assert listing() == {"x.vq", "old.wav"}
        assert Path("old.wav").read_text() == "precious"
    assert decompress("x.vq", "old.wav", "--force") == 0
    assert soundfile.info("old.wav").frames == 4000
