"""Offset and overload: found, taken out, put back, and nothing done to ordinary sound."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from tools import MODEL, heard, reader, synthetic, tiny_codec

import vqaudio
from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.codes import Codes
from vqaudio.codec.levels import gain_and_offset, measure, remove_level, restore_level
from vqaudio.codec.opened import open_vq
from vqaudio.container import PLAIN, Level
from vqaudio.decompress import main as decompress
from vqaudio.errors import ModelError

RATE = 16000


@pytest.mark.parametrize(
    ("gain", "offset", "exponent"),
    [
        (1, 0, 0),
        (1.25, 0, 0),
        (1.3, 0, 1),
        (2.5, 0, 1),
        (4, 0, 2),
        (16, 0, 4),
        (900, 0, 10),
        (1, 0.5, 0),
        (4, -3, 2),
        (0.01, 0, 0),
        (1e-4, 0, -12),
        (1e-6, 0, -18),
        (1e-4, 0.25, -12),
        (1e-4, 8, -7),  # as far as an offset of 8 can be told beside it
    ],
)
def test_levels_bring_sound_where_models_know_it(gain, offset, exponent):
    wav = synthetic(1, RATE)[0]
    wav = (wav - wav.mean()) / np.abs(wav - wav.mean()).max()
    sound = (gain * wav + offset).astype(np.float32)
    level, peak = measure(sound, 0.0)
    assert level.exponent == exponent
    assert peak == pytest.approx(gain, rel=0.01)
    assert (level.offset != 0) == (offset != 0)
    coded = remove_level(sound, level)
    assert (coded is sound) == (level == PLAIN)
    assert np.abs(coded).max() <= 1.2501
    assert abs(coded.mean()) < 0.01
    back = restore_level(coded, [level] * 3, hop_length=320)
    np.testing.assert_allclose(back, sound, rtol=1e-5, atol=1e-7 * max(1, abs(offset)) + 1e-6 * gain)


def test_a_pause_after_sound_stays_as_quiet_as_it_is():
    quiet = 1e-4 * synthetic(1, RATE)[0]
    assert measure(quiet, 0.0)[0].exponent < 0
    assert measure(quiet, 0.5)[0] == PLAIN
    assert measure(np.zeros(100, np.float32), 0.0) == (PLAIN, 0.0)


def test_levels_change_without_a_step():
    """A steady sound in frames of one level before a border and another behind it, mixed there as by the decoder."""
    sound = 3.0 + 2.0 * np.sin(np.arange(3200) * 0.05)
    before, after = Level(2, 1 << 14), Level(0, 3 << 16)
    step = (1 + np.sin(np.clip((np.arange(-1600, 1600) + 0.5) / 320, -1, 1) * np.pi / 2)) / 2
    mixed = np.zeros(3200)
    for share, level in ((1 - step, before), (step, after)):
        gain, offset = gain_and_offset(level)
        mixed += share * (sound - offset) / gain
    decoded = mixed.astype(np.float32)
    halves = (
        restore_level(decoded[:1600], [before, before, after], hop_length=320),
        restore_level(decoded[1600:], [before, after, after], hop_length=320),
    )
    np.testing.assert_allclose(np.concatenate(halves), sound, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("gain", "offset"), [(16.0, 0.0), (1.0, 0.5), (1e-4, 0.0)])
def test_sound_at_any_level_comes_back_as_it_does_within_full_scale(gain, offset):
    codec, wav = vqaudio.load(), 2 * synthetic(2, RATE)
    plain = codec.decompress(codec.compress(wav, RATE))[0]
    data = codec.compress(gain * wav + np.float32(offset), RATE, entropy="none")
    found = (codec.decompress(data)[0] - offset) / gain
    assert abs(10 * np.log10(np.square(found).mean() / np.square(plain).mean())) < 1.5
    assert abs(np.corrcoef(found[0], wav[0])[0, 1] - np.corrcoef(plain[0], wav[0])[0, 1]) < 0.05
    assert any(level != PLAIN for chunk in reader(data) for level in chunk.levels)


def test_ordinary_sound_costs_no_byte_for_it():
    codec, wav = tiny_codec(), synthetic(12, RATE, channels=2)
    assert codec.encode(wav, RATE).levels == ()
    assert all(level == PLAIN for chunk in reader(codec.compress(wav, RATE)) for level in chunk.levels)


def test_files_and_codes_hold_the_same_levels_chunk_by_chunk():
    codec, wav = tiny_codec(), synthetic(11, RATE, channels=2)
    wav[0, 80000:] += 0.5
    wav[1, :80000] *= 10
    codes, data = codec.encode(wav, RATE), codec.compress(wav, RATE)
    assert codes.levels == tuple(chunk.levels for chunk in reader(data))
    assert len(set(codes.levels)) == 3
    whole = codec.decompress(data)[0]
    np.testing.assert_array_equal(whole, codec.decode(codes))
    stored = codec.open(open_vq(io.BytesIO(data), name="x.vq"))
    for start, stop in ((79000, 81000), (0, 10), (159_000, 176_000)):
        np.testing.assert_array_equal(stored.read(start, stop), whole[:, start:stop])
    assert abs(whole[0, 90000:150000].mean() - 0.5) < 0.05
    with pytest.raises(ModelError, match="levels of 1 chunks found, expected 3 with 2 levels each"):
        codec.decode(Codes(codes.streams, RATE, 176_000, codes.margin, codes.levels[:1]))


def test_an_offset_alone_comes_back():
    codec = tiny_codec()
    for value in (0.5, -0.75, 3.0):
        found = codec.decompress(codec.compress(np.full((1, 9000), value, np.float32), RATE))[0]
        silence = codec.decompress(codec.compress(np.zeros((1, 9000), np.float32), RATE))[0]
        np.testing.assert_allclose(found, silence + value, rtol=0, atol=1e-6)
    assert open_vq(io.BytesIO(codec.compress(np.ones(400), RATE))).reader.chunk(0).levels == (Level(0, 1 << 16),)


def test_what_goes_on_from_a_loud_sound_is_as_loud():
    loud = ArraySource(8 * synthetic(1, RATE), RATE).read(0, RATE)
    assert tiny_codec().encode(loud, RATE, with_margin=False).levels == ((Level(2, 0),),)


def test_samples_that_end_at_full_scale_are_warned_of(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("loud.vq").write_bytes(tiny_codec().compress(8 * synthetic(1, RATE), RATE))
    given = ["loud.vq", "loud.wav", "--model", str(MODEL), "--quiet", "--force"]
    assert decompress(given) == 0
    said = capsys.readouterr().err
    assert said.startswith("warning: loud.wav: peaks of up to ")
    assert said.endswith(" are cut off at full scale; FLOAT samples keep them\n")
    assert np.abs(heard(Path("loud.wav"))[0]).max() <= 1
    assert decompress([*given, "--subtype", "FLOAT"]) == 0
    assert capsys.readouterr().err == ""
    assert np.abs(heard(Path("loud.wav"))[0]).max() > 1.25
