"""Voices: decoders that are told who speaks, and the commands that choose."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_models import TINY_CONFIGS
from tools import MODEL, codec_of, heard, one_line, synthetic

import vqaudio
from vqaudio import compress, decompress
from vqaudio.codec.codec import Codec
from vqaudio.convert import main
from vqaudio.errors import ModelError
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder

RATE = 16000
SPEAKERS = ("ann", "bob")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def talkative(kind: str = "spectral") -> Autoencoder:
    """An untrained model that knows two voices, and makes something of them."""
    model = Autoencoder(TINY_CONFIGS[kind]().model_copy(update={"speakers": SPEAKERS})).eval()
    for name, parameter in model.named_parameters():
        if ".film." in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return model.requires_grad_(False)


@pytest.fixture
def model_file() -> Path:
    checkpoint.save(talkative(), Path("voices.safetensors"))
    return Path("voices.safetensors")


@pytest.fixture
def codec(model_file) -> Codec:
    return vqaudio.load(model_file)


# ------------------------------------------------------------------------------------------------------------ decoder


@pytest.mark.parametrize("kind", sorted(TINY_CONFIGS))
def test_each_of_a_batch_has_its_own_voice(kind):
    model = talkative(kind)
    latents = torch.randn(3, 8, 12)
    together = model.decoder(latents, torch.tensor([1, 0, 2]))
    for row, number in enumerate([1, 0, 2]):
        alone = model.decoder(latents[row : row + 1], torch.tensor([number]))
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-5)
    nobody = model.decoder(latents)
    torch.testing.assert_close(nobody[1], together[1])
    assert not torch.equal(nobody[0], together[0])


def test_a_new_voice_begins_as_nobody():
    """The scale is 1 and the shift 0 at first: what was learned without voices is not lost."""
    plain = Autoencoder(TINY_CONFIGS["spectral"]())
    told = Autoencoder(TINY_CONFIGS["spectral"]().model_copy(update={"speakers": SPEAKERS}))
    told.load_state_dict(told.state_dict() | plain.state_dict())
    latents = torch.randn(1, 8, 12)
    torch.testing.assert_close(told.decoder(latents, torch.tensor([2])), plain.decoder(latents))


# ---------------------------------------------------------------------------------------------------------- from code


def test_codes_decode_to_any_voice(codec):
    wav = synthetic(1.3, 22050, 2)
    codes = codec.encode(wav, 22050)
    voices = [codec.decode(codes, name) for name in ("", *SPEAKERS)]
    assert all(voice.shape == wav.shape for voice in voices)
    assert not any(np.array_equal(a, b) for a, b in pairwise(voices))
    np.testing.assert_array_equal(codec.convert(wav, 22050, speaker="bob"), voices[2])


def test_unknown_speakers_are_refused_with_the_list(codec):
    codes = codec.encode(synthetic(0.2, RATE), RATE)
    with pytest.raises(ModelError, match="speaker 'cat' is not known to voices; choose one of ann, bob"):
        codec.decode(codes, "cat")
    plain = codec_of(Autoencoder(TINY_CONFIGS["spectral"]()).eval())
    with pytest.raises(ModelError, match="does not change voices"):
        plain.convert(synthetic(0.2, RATE), RATE, speaker="ann")


# ------------------------------------------------------------------------------------------------------- command line


def test_convert_is_compress_and_decompress_with_a_speaker(model_file):
    soundfile.write("in.wav", synthetic(12.0, 22050, 2).T, 22050)
    model = ["--model", str(model_file)]
    assert main(["in.wav", "converted.wav", "--speaker", "ann", *model]) == 0
    assert compress.main(["in.wav", "x.vq", *model]) == 0
    assert decompress.main(["x.vq", "ann.wav", "--speaker", "ann", *model]) == 0
    assert decompress.main(["x.vq", "nobody.wav", *model]) == 0
    converted, rate = heard(Path("converted.wav"))
    ann, nobody = heard(Path("ann.wav"))[0], heard(Path("nobody.wav"))[0]
    assert (converted.shape, rate) == (ann.shape, 22050)
    np.testing.assert_array_equal(converted, ann)
    assert not np.array_equal(ann, nobody)


def test_speakers_are_listed(model_file, capsys):
    assert main(["--list-speakers", "--model", str(model_file)]) == 0
    assert capsys.readouterr().out == "ann\nbob\n"
    assert main(["--list-speakers", "--model", str(MODEL)]) == 0
    assert capsys.readouterr().out == "tiny knows no speakers\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["in.wav", "out.wav", "--speaker", "cat"], "speaker 'cat' is not known to voices; choose one of ann, bob"),
        (["none.wav", "out.wav", "--speaker", "ann"], "none.wav"),
        (["in.wav", "in.wav", "--speaker", "ann"], "same file"),
        (["in.wav", "out.mp3", "--speaker", "ann"], "cannot write .mp3"),
        (["in.wav", "--speaker", "ann"], "expected IN OUT, found 1 paths"),
    ],
)
def test_what_cannot_be_converted(arguments, said, model_file, capsys):
    soundfile.write("in.wav", synthetic(0.5, RATE)[0], RATE)
    before = sorted(Path().iterdir())
    assert main([*arguments, "--model", str(model_file)]) == 1
    assert one_line(capsys, "error: ", said)
    assert sorted(Path().iterdir()) == before


def test_a_speaker_is_needed(capsys):
    assert main(["in.wav", "out.wav"]) == 2
    assert "--speaker NAME is needed" in capsys.readouterr().err


def test_fewer_codebooks_can_be_asked_for(model_file, codec):
    wav = synthetic(0.5, RATE)
    soundfile.write("in.wav", wav[0], RATE, "FLOAT")
    model = ["--speaker", "ann", "--model", str(model_file)]
    assert main(["in.wav", "one.flac", "--codebooks", "1", *model]) == 0
    np.testing.assert_allclose(
        heard(Path("one.flac"))[0], codec.convert(wav, RATE, speaker="ann", n_codebooks=1), atol=1e-4
    )
    assert main(["in.wav", "nine.wav", "--codebooks", "9", *model]) == 1
    assert not Path("nine.wav").exists()


def test_a_folder_is_converted(model_file):
    Path("in").mkdir()
    for name in "ab":
        soundfile.write(f"in/{name}.flac", synthetic(0.5, RATE)[0], RATE)
    assert main(["in", "--out-dir", "out", "--speaker", "bob", "--model", str(model_file), "--quiet"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.wav", "b.wav"]


def test_the_shipped_voices_differ(capsys):
    assert main(["--list-speakers"]) == 0
    assert {"p226", "LJ", "1998"} < set(capsys.readouterr().out.split())
    soundfile.write("in.wav", synthetic(1.0, 22050)[0], 22050)
    for name in ("p226", "LJ"):
        assert main(["in.wav", f"{name}.wav", "--speaker", name, "--quiet"]) == 0
    (one, rate), (other, _) = heard(Path("p226.wav")), heard(Path("LJ.wav"))
    assert (one.shape, rate) == ((1, 22050), 22050)
    assert np.abs(one - other).mean() > 0.1 * np.abs(one).mean()
