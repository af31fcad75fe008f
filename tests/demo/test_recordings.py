"""What visitors bring as sound: whole, small enough, or one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tools import synthetic

from vqaudio.audio.decoding.ffmpeg import FFmpegReader
from vqaudio.audio.decoding.reader import Block
from vqaudio.errors import AudioError, VqaudioError

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # other people's packages warn as they like

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from demo import recordings


def written(path: Path, seconds: float, rate: int = 8000, channels: int = 1, **how: str) -> str:
    soundfile.write(path, np.zeros((round(seconds * rate), channels), np.float32), rate, **how)
    return str(path)


def test_recordings_are_read_whole(tmp_path):
    wav = synthetic(0.5, 22050, channels=2)
    soundfile.write(tmp_path / "a.wav", wav.T, 22050, "FLOAT")
    sound = recordings.read(str(tmp_path / "a.wav"))
    assert np.array_equal(sound.wav, wav)
    assert (sound.name, sound.sample_rate, sound.seconds, sound.wav_bytes) == ("a.wav", 22050, 0.5, 44 + 4 * 11025)
    assert sound.mono(16000).shape == (8000,)


@pytest.mark.parametrize(
    ("name", "seconds", "channels", "sentence"),
    [
        ("long.wav", recordings.MAX_SECONDS + 1, 1, "long.wav: lasts more than the 60 s"),
        ("long.mp3", recordings.MAX_SECONDS + 5, 1, "long.mp3: lasts more than the 60 s"),
        ("wide.wav", 0.1, 3, "wide.wav: has 3 channels"),
    ],
)
def test_what_is_too_large_is_refused_by_name(tmp_path, name, seconds, channels, sentence):
    with pytest.raises(AudioError, match=sentence) as caught:
        recordings.read(written(tmp_path / name, seconds, channels=channels))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("kind", ["wav", "mp3", "flac"])
def test_what_is_too_long_is_not_decoded_to_its_end(tmp_path, monkeypatch, kind):
    """Hours of silence fit into an upload; a FLAC may also leave its length out."""
    path = Path(written(tmp_path / f"a.{kind}", 3 * recordings.MAX_SECONDS))
    if kind == "flac":
        data = bytearray(path.read_bytes())
        data[21] &= 0xF0  # STREAMINFO: 36 bits of length, 0 where it is not known
        data[22:26] = bytes(4)
        path.write_bytes(data)
    decoded = 0
    blocks = FFmpegReader.blocks

    def counting(self: FFmpegReader) -> Iterator[Block]:
        nonlocal decoded
        for rate, block in blocks(self):
            decoded += len(block)
            yield rate, block

    monkeypatch.setattr(FFmpegReader, "blocks", counting)
    with pytest.raises(AudioError, match="lasts more than"):
        recordings.read(str(path))
    assert decoded <= recordings.MAX_SECONDS * 8000 + 2 * 65536


@pytest.mark.parametrize("data", [b"", b"RIFF nonsense", b"\x1a\x45\xdf\xa3 webm", b"text"])
def test_a_broken_recording_is_one_sentence(tmp_path, data):
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(VqaudioError, match=r"^a\.wav: "):
        recordings.read(str(tmp_path / "a.wav"))


def test_no_recording_is_one_sentence():
    with pytest.raises(VqaudioError, match="no recording yet"):
        recordings.read(None)
