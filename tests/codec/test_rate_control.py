"""Files of a rate that was asked for."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import pytest
from arriving import Arriving
from tiny_priors import toy_prior
from tools import MODEL, one_line, reader, synthetic, tiny_codec, wav_bytes

import vqaudio
from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.codec import Codec
from vqaudio.codec.options import CodingOptions
from vqaudio.codec.rate_control import LEAST
from vqaudio.compress import main as compress
from vqaudio.errors import ModelError, RateError

RATE = 16000
SECONDS = 5.3


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sounds = [synthetic(5, RATE, seed=seed)[0] for seed in (0, 1)]
    return toy_prior(tmp_path_factory.mktemp("priors") / "a.int8.safetensors", tiny_codec(), sounds)


@pytest.fixture(scope="module")
def codec(prior: Path) -> Codec:
    return vqaudio.load(MODEL, prior=prior)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rate_of(data: bytes, seconds: float = SECONDS) -> float:
    return len(data) * 8 / seconds / 1000


def n_codebooks(data: bytes) -> int:
    return len(reader(data).header.streams)


@pytest.mark.parametrize(
    ("channels", "share"), [(1, 0.3), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((1, 0.95), (2, 0.6)))]
)
def test_files_are_as_large_as_was_asked(codec, channels, share):
    """Shares of what all codebooks take, of all bytes and channels."""
    wav = synthetic(SECONDS, RATE, channels, seed=5)
    asked = share * rate_of(codec.compress(wav, RATE))
    data = codec.compress(wav, RATE, kbps=asked)
    most = math.floor(asked * SECONDS * 125)  # whole bytes, of some hundred
    assert LEAST * most <= len(data) <= most
    assert codec.decompress(data)[0].shape == wav.shape
    assert data == codec.compress(wav, RATE, kbps=asked)


def test_in_short_chunks(codec):
    wav, made = synthetic(SECONDS, RATE, seed=6), io.BytesIO()
    size = codec.write(ArraySource(wav, RATE), made, options=CodingOptions(kbps=0.8, chunk_seconds=0.5))
    assert size == len(made.getvalue())
    assert LEAST * 0.8 <= rate_of(made.getvalue()) <= 0.8
    assert reader(made.getvalue()).n_chunks == 11


def test_progress_ends_where_the_sound_does(codec):
    found: list[float] = []
    codec.write(
        ArraySource(synthetic(SECONDS, RATE), RATE),
        io.BytesIO(),
        options=CodingOptions(kbps=0.7, chunk_seconds=0.5),
        done=found.append,
    )
    assert sum(found) == pytest.approx(SECONDS)


def test_too_little_is_refused_with_the_least(codec):
    wav = synthetic(SECONDS, RATE)
    with pytest.raises(RateError, match=r"0\.05 kb/s asked for, but the smallest file of these 5\.30 s") as error:
        codec.compress(wav, RATE, kbps=0.05)
    least = float(re.findall(r"takes (\d+\.\d+): ask for that or more", str(error.value))[0])
    assert rate_of(codec.compress(wav, RATE, kbps=least)) <= least
    for nonsense in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(RateError, match="expected a number above 0"):
            codec.compress(wav, RATE, kbps=nonsense)


def test_more_than_all_codebooks_take_is_all_codebooks(codec, prior, capsys):
    wav = synthetic(1.0, RATE)
    assert codec.compress(wav, RATE, kbps=50) == codec.compress(wav, RATE)
    Path("in.wav").write_bytes(wav_bytes(wav, RATE))
    options = ["--model", str(MODEL), "--prior", str(prior), "--kbps", "50"]
    assert compress(["in.wav", "out.vq", *options]) == 0
    assert Path("out.vq").read_bytes() == codec.compress(wav, RATE)
    said = capsys.readouterr().err
    assert re.search(r"^note: in\.wav: \d\.\d\d kb/s is as near as it comes to 50$", said, re.MULTILINE)
    assert compress(["in.wav", "quiet.vq", *options, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("mode", ["none", "context"])
def test_without_a_prior_codebooks_are_chosen(codec, mode):
    """The most that fit, with all bytes: one more would not."""
    wav = synthetic(SECONDS, RATE)
    sizes = [len(codec.compress(wav, RATE, n_codebooks=n, entropy=mode)) for n in (1, 2, 3, 4)]
    for n, size in enumerate(sizes, 1):
        asked = size * 8 / SECONDS / 1000
        assert n_codebooks(codec.compress(wav, RATE, entropy=mode, kbps=asked + 1e-6)) == n
        if n > 1:
            assert n_codebooks(codec.compress(wav, RATE, entropy=mode, kbps=asked - 2e-3)) == n - 1
    with pytest.raises(RateError, match="the smallest file"):
        codec.compress(wav, RATE, entropy=mode, kbps=sizes[0] * 8 / SECONDS / 1000 - 2e-3)


def test_what_arrives_has_the_codebooks_whose_codes_fit(codec):
    """0.3 kb/s each; two channels have half of the rate each."""
    for channels, asked, expected in ((1, 0.95, 3), (2, 1.3, 2)):
        file = io.BytesIO()
        codec.write(Arriving(synthetic(2.0, RATE, channels), RATE), file, options=CodingOptions(kbps=asked))
        assert n_codebooks(file.getvalue()) == expected


@pytest.mark.slow
def test_the_command_does_as_the_api(codec, prior, capsys):
    wav = synthetic(SECONDS, RATE)
    Path("in.wav").write_bytes(wav_bytes(wav, RATE))
    options = ["--model", str(MODEL), "--prior", str(prior)]
    assert compress(["in.wav", "out.vq", *options, "--kbps", "0.7"]) == 0
    assert Path("out.vq").read_bytes() == codec.compress(wav, RATE, kbps=0.7)
    assert "note" not in capsys.readouterr().err
    assert compress(["in.wav", "fast.vq", *options, "--kbps", "0.7", "--fast", "--quiet"]) == 0
    assert Path("fast.vq").read_bytes() == codec.compress(wav, RATE, n_codebooks=2)
    assert compress(["in.wav", "small.vq", *options, "--kbps", "0.01"]) == 1
    assert one_line(capsys, "error: in.wav: 0.01 kb/s asked for, but the smallest file")
    assert not Path("small.vq").exists()


@pytest.mark.parametrize("options", [["--fast"], ["--kbps", "1", "--rdo", "0.2"]], ids=" ".join)
def test_options_that_make_no_sense_are_refused(options, capsys):
    assert compress(["in.wav", "x.vq", *options]) == 2
    assert one_line(capsys, "error: ", "--kbps")


def test_one_wish_at_a_time(codec):
    for wish in ({"n_codebooks": 2}, {"rdo": 0.1}):
        with pytest.raises(ModelError, match="expected one of them"):
            codec.compress(synthetic(0.1, RATE), RATE, kbps=0.7, **wish)
