"""What is decoded without FFmpeg's libraries is what is decoded with them; the rest is refused in one sentence."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from sound_files import KINDS, PCM, SNDFILE, A, B, read
from sounds import tones

from vqaudio.audio.decoding import chain
from vqaudio.errors import AudioError

FLAC, MP3 = KINDS["FLAC PCM_16"], KINDS["MP3 MPEG_LAYER_III"]
ALONE = [*SNDFILE, "wav adpcm_ima_wav"]
OTHERS = sorted(KINDS.keys() - {*ALONE})


@pytest.fixture
def without_ffmpeg(monkeypatch):
    monkeypatch.setattr(chain, "has_ffmpeg", lambda: False)


def with_ffmpeg(data: bytes) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "has_ffmpeg", lambda: True)
        return read(data)[0]


@pytest.mark.usefixtures("without_ffmpeg")
@pytest.mark.parametrize("kind", ALONE)
def test_of_joined_files_the_same_is_read(kind):
    data = KINDS[kind](A) + KINDS[kind](B)
    sound, problems = read(data)
    assert not problems
    np.testing.assert_allclose(sound, with_ffmpeg(data), atol=0 if kind in PCM else 2e-6)


@pytest.mark.usefixtures("without_ffmpeg")
@pytest.mark.parametrize("kind", OTHERS)
def test_the_rest_is_refused_with_what_to_install(kind):
    with pytest.raises(AudioError, match=r"^x: looks like .*decode: pip install 'vqaudio\[media\]', or convert it"):
        read(KINDS[kind](A))


@pytest.mark.usefixtures("without_ffmpeg")
@pytest.mark.parametrize("data", [b"text, and no sound", b"ID3\4\0\0\0\0\0\0" + b"nonsense" * 100])
def test_what_may_be_none_is_refused_with_what_to_install(data):
    with pytest.raises(AudioError, match=r"^x: is not a sound file that libsndfile reads .*'vqaudio\[media\]'"):
        read(data)


@pytest.mark.usefixtures("without_ffmpeg")
@pytest.mark.parametrize("total", [9_000, 0])
def test_a_flac_is_read_up_to_where_it_was_cut_off(total):
    """Whether or not it tells how long it was."""
    whole = bytearray(FLAC(A))
    struct.pack_into(">I", whole, 22, total)
    sound, problems = read(bytes(whole[: len(whole) * 2 // 3]))
    assert len(problems) == 1
    assert "before its header says" in problems[0] or "cannot be decoded past" in problems[0]
    assert 4_096 <= sound.shape[1] < 9_000
    np.testing.assert_array_equal(sound, with_ffmpeg(bytes(whole))[:, : sound.shape[1]])


@pytest.mark.usefixtures("without_ffmpeg")
def test_a_flac_that_holds_more_than_it_says_is_read_whole():
    data = bytearray(FLAC(A))
    struct.pack_into(">I", data, 22, 5_000)
    np.testing.assert_array_equal(read(bytes(data))[0], with_ffmpeg(bytes(data)))


@pytest.mark.usefixtures("without_ffmpeg")
def test_an_mp3_that_was_cut_off_says_what_it_lacks():
    sound, problems = read(MP3(A)[:-700])
    assert len(problems) == 1
    assert f"({9_000 - sound.shape[1]} samples) before its header says: it is cut off" in problems[0]


@pytest.mark.usefixtures("without_ffmpeg")
def test_an_mp3_whose_header_does_not_tell_its_end_is_not_trusted():
    """libsndfile would stop at a number of samples that it estimates."""
    frame = tones(1, 9_000, seed=3)
    data = MP3(frame)
    for changed, why in [
        (data.replace(b"Info", b"Nope").replace(b"Xing", b"Nope"), "its header does not tell how long it is"),
        (data + data[len(data) // 2 :][data[len(data) // 2 :].index(data[:2]) :], ""),
    ]:
        with pytest.raises(AudioError, match=rf"^x: looks like MP3 \({why}"):
            read(changed)
