"""Files of an earlier version decode as they did, and its model still codes as it did (``golden/make.py``)."""

from __future__ import annotations

import numpy as np
import pytest
from tools import GOLDEN, MODEL, reader, synthetic, tiny_codec, untied

from vqaudio.audio import ArraySource
from vqaudio.resampling import resample

RATE, SECONDS, EVERY = 22050, 6.3, 499
FILE = GOLDEN / "tiny.vq"


@pytest.fixture(scope="module")
def expected():
    """Codes ``(codebooks, channels, frames)``, and one in so many decoded samples ``(channels, samples)``."""
    with np.load(GOLDEN / "expected.npz", allow_pickle=False) as arrays:
        return arrays["codes"], arrays["samples"]


def test_the_file_decodes_to_the_codes_it_was_made_of(expected):
    chunks = [np.stack(chunk.codes) for chunk in reader(FILE.read_bytes())]
    assert [chunk.shape for chunk in chunks] == [(4, 2, 250), (4, 2, 65)]
    np.testing.assert_array_equal(np.concatenate(chunks, axis=2), expected[0])
    assert all(len(np.unique(stream)) > 30 for stream in expected[0])


def test_the_file_decodes_to_the_same_sound(expected):
    wav, rate = tiny_codec().decompress(FILE.read_bytes())
    assert rate == RATE
    assert wav.shape == (2, round(SECONDS * RATE))
    np.testing.assert_allclose(wav[:, ::EVERY], expected[1], rtol=0, atol=1e-4)
    assert expected[1].std() > 0.05


def test_the_sound_is_coded_the_same(expected):
    sound = ArraySource(synthetic(SECONDS, RATE, channels=2), RATE)
    codes = tiny_codec().encode(synthetic(SECONDS, RATE, channels=2), RATE).streams
    assert not untied(tiny_codec(), resample(sound, 16000), list(expected[0].astype(np.int32)), codes)


def test_the_golden_files_are_small():
    assert MODEL.stat().st_size < 150_000
    assert FILE.stat().st_size < 5000
