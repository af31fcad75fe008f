"""When letters are said: words as a recogniser finds them, letters in them evenly."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.sentences import align
from recipes.sentences.align import Aligner
from vqaudio.audio.resampling import read_mono


def test_letters_share_the_time_of_their_word_and_spaces_come_at_its_end():
    times = align._of_letters(["an", "ox"], [(0.1, 0.3), (0.5, 0.7)])
    assert times == pytest.approx([0.1, 0.2, 0.3, 0.5, 0.6])


def test_a_genitive_is_known_where_its_word_is():
    pytest.importorskip("pocketsphinx")
    aligner = Aligner()
    assert aligner.knows("dora's")
    assert not aligner.knows("xqwzt")
    assert not aligner.knows("xqwzt's")
    assert aligner.letters(np.zeros(16000, np.float32), "xqwzt") is None
    assert aligner.letters(np.zeros(160, np.float32), "we call it bear") is None


def test_words_are_found_where_they_are_said(data_folder):
    pytest.importorskip("pocketsphinx")
    sound = read_mono(data_folder / "speech" / "speechocean762" / "0001" / "000010011.opus", 16000)
    text = "we call it bear"
    times = Aligner().letters(sound, text)
    assert times is not None
    assert len(times) == len(text)
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < len(sound) / 16000
    silence = np.zeros(16000, np.float32)
    later = Aligner().letters(np.concatenate([silence, sound]), text)
    assert later is not None
    assert np.median(np.subtract(later, times)) == pytest.approx(1.0, abs=0.05)
