"""The info command: what it says of files, good and bad, and as JSON."""

from __future__ import annotations

import io
import json
import shutil
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file
from tools import GOLDEN, MODEL, one_line, reader, tiny_codec

from vqaudio import registry
from vqaudio.info import main

FILE = GOLDEN / "tiny.vq"


def test_what_a_file_holds(capsys):
    assert main([str(FILE), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    size = FILE.stat().st_size
    assert facts == {
        "file": str(FILE),
        "format_version": 1,
        "model": "not shipped here",
        "model_fingerprint": tiny_codec().fingerprint,
        "decoder_version": None,
        "decoder_fingerprint": None,
        "seconds": 6.3,
        "samples": 138915,
        "sample_rate_hz": 22050,
        "coded_rate_hz": 16000,
        "channels": 2,
        "codebooks": 4,
        "codebook_size": 64,
        "frame_rate_hz": 50.0,
        "entropy": "none",
        "prior_fingerprint": "none",
        "condition": "none",
        "chunks": 2,
        "chunk_seconds": 5.0,
        "bytes": size,
        "kbps": pytest.approx(size * 8 / 6.3 / 1000, abs=1e-3),
        "damage": [],
        "unchecked": "",
    }


def test_the_same_in_words(capsys):
    assert main([str(FILE)]) == 0
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    found = {name: value.strip() for name, value in lines.items()}
    assert found["model fingerprint"] == tiny_codec().fingerprint
    assert (found["seconds"], found["codebooks"], found["damage"]) == ("6.3", "4", "none")
    assert len(found) == 23


def test_a_shipped_model_is_named(capsys, tmp_path, monkeypatch):
    shutil.copy(MODEL, tmp_path / "small.safetensors")
    monkeypatch.setattr(registry, "MODELS", tmp_path)
    assert main([str(FILE), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["model"], facts["decoder_fingerprint"]) == ("small", registry.decoder_of(MODEL).fingerprint)


def test_a_model_is_told_of_by_its_file_or_its_name(capsys, tmp_path, monkeypatch):
    shutil.copy(MODEL, tmp_path / "small.safetensors")
    monkeypatch.setattr(registry, "MODELS", tmp_path)
    for argument in (str(MODEL), "small"):
        assert main([argument, "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert (facts["model"], facts["fingerprint"]) == ("small", tiny_codec().fingerprint)
        assert facts["decoder_fingerprint"] == registry.decoder_of(MODEL).fingerprint
        assert (facts["decoder_version"], facts["decode_only"], facts["kbps"]) == (None, False, 1.2)
    assert main(["small"]) == 0
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert (lines["decode only"].strip(), lines["decoder version"].strip()) == ("no", "none")


def test_a_file_of_weights_that_is_no_model_is_one_line(capsys, tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(MODEL.read_bytes()[:100])
    assert main([str(path)]) == 1
    assert one_line(capsys, f"error: {path}: is not a readable safetensors file")
    save_file({"weights": np.zeros(3)}, path)
    assert main([str(path)]) == 1
    assert one_line(capsys, f"error: {path}: is no model of sound")


def test_damage_is_told_with_its_time(capsys, tmp_path):
    data = bytearray(FILE.read_bytes())
    found = reader(bytes(data))
    data[found._offsets[1] + 30] ^= 1
    (tmp_path / "bad.vq").write_bytes(data)
    assert main([str(tmp_path / "bad.vq"), "--json"]) == 1
    (damage,) = json.loads(capsys.readouterr().out)["damage"]
    assert damage == "chunk 1 (5.00-6.30 s): its checksum does not match its bytes"
    assert main([str(tmp_path / "bad.vq"), "--quiet"]) == 1
    assert capsys.readouterr() == ("", f"damaged: {tmp_path / 'bad.vq'}: {damage}\n")
    assert main([str(FILE), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    (tmp_path / "cut.vq").write_bytes(data[:-10])
    assert main([str(tmp_path / "cut.vq")]) == 1
    assert "the trailer is missing or damaged" in capsys.readouterr().out


def test_a_pipe_can_be_asked(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FILE.read_bytes())))
    assert main(["-", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["file"], facts["chunks"]) == ("standard input", 2)


@pytest.mark.parametrize(("content", "message"), [(b"RIFF....", "is not a .vq file"), (None, "no such file")])
def test_no_file_of_ours_is_one_line(content, message, capsys, tmp_path):
    path = tmp_path / "x.vq"
    if content is not None:
        path.write_bytes(content)
    assert main([str(path)]) == 1
    assert one_line(capsys, f"error: {path}: ", message)
