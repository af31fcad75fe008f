"""The decode command: tokens on disk back to sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_models import RATE, sound, tiny_model
from tools import one_line

import vqaudio
from vqaudio import tokenize, tokens
from vqaudio.decode import main
from vqaudio.model import checkpoint
from vqaudio.tokens import Row


@pytest.fixture(autouse=True)
def _tokens(tmp_path, monkeypatch):
    """Two recordings, one of them below a folder, tokenized by a tiny model."""
    monkeypatch.chdir(tmp_path)
    for name in ("sounds/a.wav", "sounds/deep/b.wav"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(name, sound(RATE // 4, seed=len(name))[0], RATE)
    checkpoint.save(tiny_model(), "model.safetensors")
    options = ["--model", "model.safetensors", "--jobs", "1", "--quiet", "--codebooks", "1,3"]
    assert tokenize.main(["sounds", "tokens", *options]) == 0


def decode(*arguments: str) -> int:
    return main([*arguments, "--model", "model.safetensors"])


def made() -> set[str]:
    return {str(path) for path in Path("out").rglob("*") if path.is_file()}


def test_every_row_becomes_the_sound_that_the_codec_makes_of_it(capsys):
    assert decode("tokens", "out") == 0
    assert made() == {f"out/{name}-{count}-codebooks.wav" for name in ("a", "deep/b") for count in (1, 3)}
    assert "4 sounds: 1.00 s, " in capsys.readouterr().err
    codec = vqaudio.load("model.safetensors")
    wav, _ = soundfile.read("sounds/a.wav", dtype="float32")
    expected = codec.decode(codec.encode(wav, RATE, n_codebooks=3, with_margin=False))[0]
    found, rate = soundfile.read("out/a-3-codebooks.wav", dtype="float32")
    assert (rate, len(found)) == (RATE, RATE // 4)
    np.testing.assert_allclose(found, np.clip(expected, -1, 1), atol=1 / 32768)


def test_one_shard_and_what_exists_is_left(capsys):
    origin, rows = tokens.read(Path("tokens"))
    tokens.write(Path("a.parquet"), origin, [row for row in rows if row.path == "a.wav"])
    assert decode("a.parquet", "out", "--quiet") == 0
    assert made() == {"out/a-1-codebooks.wav", "out/a-3-codebooks.wav"}
    assert capsys.readouterr() == ("", "")
    assert decode("a.parquet", "out") == 1
    assert one_line(capsys, "error: out/a-1-codebooks.wav: exists already")
    assert decode("tokens", "out", "--skip-existing") == 0
    assert len(made()) == 4


def test_names_stay_below_the_folder():
    origin, rows = tokens.read(Path("tokens"))
    odd = ("../../up.wav", "/etc/passwd", "..", "same.wav", "same.wav")
    written = [Row(path, "c", "", "", "train", version, rows[0].codes) for version, path in enumerate(odd)]
    tokens.write(Path("odd.parquet"), origin, written)
    assert decode("odd.parquet", "out") == 0
    assert made() == {
        "out/up.wav",
        "out/etc/passwd-version-1.wav",
        "out/recording-version-2.wav",
        "out/same-version-3.wav",
        "out/same-version-4.wav",
    }


def test_tokens_that_cannot_be_decoded(capsys):
    origin, rows = tokens.read(Path("tokens"))
    beyond = [rows[0].codes[0] + 99]
    bad = [Row("a.wav", "c", "", "", "train", 0, []), Row("b.wav", "c", "", "", "train", 0, beyond)]
    tokens.write(Path("bad.parquet"), origin, bad)
    assert decode("bad.parquet", "out") == 1
    said = capsys.readouterr().err
    assert "error: a.wav: its row holds no tokens" in said
    assert "do not fit a codebook of 16" in said
    assert main(["tokens", "out"]) == 1
    assert one_line(capsys, "error: tokens: was written by the model ", "is not shipped here")
    assert main(["tokens", "out", "--model", "digits"]) == 1
    assert one_line(capsys, "error: tokens: holds tokens of the model ", "give that model with --model")
    assert not made()
