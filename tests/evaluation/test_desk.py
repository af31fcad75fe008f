"""What the listening desk shows of a take, as JSON."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from judged import SAMPLE_RATE, speech
from tools import tiny_codec

import vqaudio
from vqaudio.codec.opened import open_vq
from vqaudio.evaluation.desk import HERE, PARTS, script, style
from vqaudio.evaluation.desk.data import Desk, Take, mel_levels, mel_picture, stored_streams, tokens_picture
from vqaudio.registry import DEFAULT_MODEL


def test_a_spectrogram_is_bytes_from_80_db_below_the_loudest_place_up():
    wave = speech(1.0)
    levels = mel_levels(wave)
    picture = mel_picture(wave, loudest=float(levels.max()))
    found = np.frombuffer(base64.b64decode(picture["levels"]), np.uint8).reshape(picture["frames"], picture["bands"])
    assert found.max() == 255
    expected = np.clip(1 + (levels - levels.max()) / 80, 0, 1) * 255
    assert np.abs(found - expected).max() <= 0.5
    shares = [share for share, _ in picture["ticks"]]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1
    # a sine of 1 kHz is brightest where the axis says so
    sine = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    brightest = int(mel_levels(sine).mean(axis=0).argmax()) / picture["bands"]
    assert brightest == pytest.approx({text: share for share, text in picture["ticks"]}["1"], abs=0.02)


def test_a_spectrogram_of_almost_nothing_has_a_frame():
    assert mel_picture(np.zeros(3, np.float32), loudest=0.0)["frames"] == 1


def test_tokens_are_those_of_the_file():
    wave = speech(1.0)
    codec = tiny_codec()
    codes = codec.encode(wave, SAMPLE_RATE, n_codebooks=3)
    stored = open_vq(io.BytesIO(codec.compress(wave, SAMPLE_RATE, n_codebooks=3)))
    picture = tokens_picture(codec, codes.streams, margin=codes.margin)
    assert picture["codes"] == [part[0].tolist() for part in stored_streams(stored)]
    assert picture["alphabets"] == [64] * 3
    assert picture["plain"] == 6
    assert picture["start"] == -0.02
    assert "bits" not in picture  # this model has no prior
    json.dumps(picture, allow_nan=False)


def test_bits_add_up_to_the_payload():
    """What the prior says of the tokens, in chunks, is what their file takes beyond its header and heads."""
    codec = vqaudio.load(DEFAULT_MODEL)
    wave = speech(7.0)  # more than one chunk
    codes = codec.encode(wave, SAMPLE_RATE)
    picture = tokens_picture(codec, codes.streams, margin=codes.margin)
    bits = sum(picture["bits"]) * codec.n_codebooks
    size = 8 * len(codec.compress(wave, SAMPLE_RATE))
    assert 0 < size - bits < 8 * 120
    assert len(picture["bits"]) == len(picture["codes"][0])


def test_a_desk_is_json():
    take = Take("a", "A", "own", "a.wav", facts=(("rate", "1 kb/s"),))
    data = json.loads(json.dumps(Desk("1", "A sound", (take,), waiting=("B",)).as_data()))
    assert data["takes"][0]["facts"] == [["rate", "1 kb/s"]]
    assert data["waiting"] == ["B"]


def test_the_script_is_one_function_of_all_parts():
    assert script().startswith("(() => {")
    assert all(f"class {name}" in script() for name in ("Player", "BlindTest", "Stack", "Desk"))
    assert {*PARTS} == {path.name for path in HERE.glob("*.js")}
    assert "</script" not in script()
    assert ".dark .vqdesk" in style()
