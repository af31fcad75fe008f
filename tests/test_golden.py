"""Files of earlier versions decode as they did, and their model still codes as it did (``golden/make.py``)."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tools import GOLDEN, MODEL, reader, synthetic, tiny_codec, untied

from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.blocks import at_rate
from vqaudio.container import PLAIN

sys.path.insert(0, str(GOLDEN))
from make import EVERY, RATE, SECONDS, overdriven

FILES = {1: ("tiny.vq", "expected.npz"), 3: ("tiny-3.vq", "expected-3.npz")}


@pytest.fixture(scope="module", params=sorted(FILES))
def golden(request):
    """The format's version, a file of it, its codes ``(codebooks, channels, frames)``, and one in so many samples."""
    file, expected = FILES[request.param]
    with np.load(GOLDEN / expected, allow_pickle=False) as arrays:
        return request.param, (GOLDEN / file).read_bytes(), arrays["codes"], arrays["samples"]


def test_the_file_decodes_to_the_codes_it_was_made_of(golden):
    version, data, codes, _ = golden
    found = reader(data)
    assert (found.header.version, found.header.margin) == (version, 320 if version > 1 else 0)
    chunks = [np.stack(chunk.codes) for chunk in found]
    assert [chunk.shape for chunk in chunks] == [(4, 2, 250), (4, 2, 67 if version > 1 else 65)]
    np.testing.assert_array_equal(np.concatenate(chunks, axis=2), codes)
    assert all(len(np.unique(stream)) > 30 for stream in codes)


def test_the_file_decodes_to_the_same_sound(golden):
    _, data, _, samples = golden
    wav, rate = tiny_codec().decompress(data)
    assert rate == RATE
    assert wav.shape == (2, round(SECONDS * RATE))
    np.testing.assert_allclose(wav[:, ::EVERY], samples, rtol=1e-4, atol=1e-4)
    assert samples.std() > 0.05


def test_the_sound_is_coded_the_same_but_at_its_ends_by_version_1():
    codec, inner = tiny_codec(), slice(tiny_codec().model.encoder_context + 2, -tiny_codec().model.encoder_context - 2)
    with np.load(GOLDEN / "expected.npz", allow_pickle=False) as arrays:
        expected = [stream.astype(np.int32) for stream in arrays["codes"]]
    wav = synthetic(SECONDS, RATE, channels=2)
    codes = codec.encode(wav, RATE, with_margin=False).streams
    for old, new in zip(expected, codes, strict=True):
        new[:, : inner.start], new[:, inner.stop :] = old[:, : inner.start], old[:, inner.stop :]
    assert not untied(codec, at_rate(ArraySource(wav, RATE), codec.sample_rate), expected, codes)


def test_the_sound_is_coded_the_same_to_its_ends_by_version_3():
    """Ties apart, which few codes can have; the levels among them."""
    codes = tiny_codec().encode(overdriven(), RATE)
    chunks = list(reader((GOLDEN / FILES[3][0]).read_bytes()))
    assert codes.levels == tuple(chunk.levels for chunk in chunks)
    assert [(first.exponent, first.offset != 0, second.exponent) for first, second in codes.levels] == [
        (0, True, 2),
        (0, True, 2),
    ]
    differs = np.stack(codes.streams) != np.concatenate([np.stack(chunk.codes) for chunk in chunks], axis=2)
    assert differs.mean() < 0.001
    assert PLAIN not in [level for chunk in codes.levels for level in chunk]


def test_the_golden_files_are_small():
    assert MODEL.stat().st_size < 150_000
    assert all((GOLDEN / file).stat().st_size < 8000 for file, _ in FILES.values())
