"""Stretches and channels of recordings."""

from __future__ import annotations

import numpy as np
import pytest
from made_corpora import RATE, make_sounds

from vqaudio.audio.resampling import read_mono
from vqaudio.corpora import reading, storage
from vqaudio.corpora.reading import RecordingReader
from vqaudio.corpora.utterance import Unreached, Utterance
from vqaudio.errors import AudioWarning


def utterance(path, **place) -> Utterance:
    return Utterance("it", str(path), "audio", "train", **place)


@pytest.fixture
def folder(tmp_path):
    return make_sounds(tmp_path / "speech")


def read(path, rate: int = RATE, **place):
    with RecordingReader(rate) as reader:
        return reader.read(utterance(path, **place), str(path))


@pytest.mark.parametrize("name", ["a.wav", "deep/b.wav", "deep/er/c.flac"])
def test_a_whole_recording_is_what_it_is_alone(folder, name):
    np.testing.assert_array_equal(read(folder / name), read_mono(folder / name, RATE))


def test_a_stretch_is_cut_out_of_the_whole(folder):
    for name in ("a.wav", "deep/er/c.flac"):
        whole = read_mono(folder / name, RATE)
        np.testing.assert_array_equal(read(folder / name, begin=0.1, duration=0.15), whole[1600:4000])
        np.testing.assert_array_equal(read(folder / name, begin=0.2), whole[3200:])
        np.testing.assert_array_equal(read(folder / name, begin=0.2, duration=0.5), whole[3200:])


def test_a_channel_is_heard_alone(folder):
    left, right = (read(folder / "deep" / "b.wav", channel=channel) for channel in (0, 1))
    assert not np.array_equal(left, right)
    np.testing.assert_allclose((left + right) / 2, read(folder / "deep" / "b.wav"), atol=1e-7)


def test_what_lies_outside_is_a_sentence(folder):
    assert "a.wav: lasts 0.500 s, but it is to be from 0.500 s on of it" in read(folder / "a.wav", begin=0.5)
    assert "but it is to be from 0.100 s to 1.100 s of it" in read(folder / "a.wav", begin=0.1, duration=1.0)
    assert "b.wav: has 2 channels, but it is to be number 2, counted from 0" in read(folder / "deep/b.wav", channel=2)


def test_what_cannot_be_read_is_a_sentence_and_the_next_is_read(folder):
    (folder / "text.wav").write_text("no sound")
    (folder / "empty.wav").touch()
    with RecordingReader(RATE) as reader:
        found = [
            reader.read(utterance(path), str(folder / path)) for path in ("text.wav", "empty.wav", "no.wav", "a.wav")
        ]
    assert [isinstance(each, str) for each in found] == [True, True, True, False]
    assert [isinstance(each, Unreached) for each in found] == [False, False, True, False]  # which may come later
    assert "text.wav: is not a sound file" in found[0]
    assert "empty.wav: is empty (0 bytes)" in found[1]
    assert "no.wav: no such file; check the name" in found[2]


def test_what_a_recording_lacks_is_a_warning(folder):
    (folder / "cut.wav").write_bytes((folder / "a.wav").read_bytes()[:-4000])
    with pytest.warns(AudioWarning, match=r"cut\.wav"):
        assert len(read(folder / "cut.wav")) == 7000


def test_a_recording_is_opened_once_for_all_that_is_cut_out_of_it(folder, monkeypatch):
    opened = []
    monkeypatch.setattr(reading.storage, "open_local", lambda path: opened.append(path) or storage.open_read(path))
    with RecordingReader(RATE) as reader:
        for name, begin in (("a.wav", 0.0), ("a.wav", 0.2), ("deep/b.wav", 0.1), ("a.wav", 0.1)):
            assert not isinstance(reader.read(utterance(name, begin=begin), str(folder / name)), str)
    assert [path.removeprefix(f"{folder}/") for path in opened] == ["a.wav", "deep/b.wav", "a.wav"]
