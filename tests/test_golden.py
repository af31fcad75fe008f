"""Files of all releases decode as they did (``golden/make_release.py``), and the tiny model still codes as it did."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from tools import GOLDEN, MODEL, heard, reader, synthetic, tiny_codec, untied

from vqaudio import decompress, registry
from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.blocks import at_rate
from vqaudio.container import ENTROPY_MODES, PLAIN
from vqaudio.inference.backends import BACKENDS

sys.path.insert(0, str(GOLDEN))
import make_release
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


@pytest.fixture(params=BACKENDS)
def codec(request):
    """The tiny model in each backend."""
    return tiny_codec(request.param)


def test_the_file_decodes_to_the_same_sound(golden, codec):
    _, data, _, samples = golden
    wav, rate = codec.decompress(data)
    assert rate == RATE
    assert wav.shape == (2, round(SECONDS * RATE))
    np.testing.assert_allclose(wav[:, ::EVERY], samples, rtol=1e-4, atol=1e-4)
    assert samples.std() > 0.05


def test_the_sound_is_coded_the_same_but_at_its_ends_by_version_1(codec):
    inner = slice(codec.networks.encoder_context + 2, -codec.networks.encoder_context - 2)
    with np.load(GOLDEN / "expected.npz", allow_pickle=False) as arrays:
        expected = [stream.astype(np.int32) for stream in arrays["codes"]]
    wav = synthetic(SECONDS, RATE, channels=2)
    codes = codec.encode(wav, RATE, with_margin=False).streams
    for old, new in zip(expected, codes, strict=True):
        new[:, : inner.start], new[:, inner.stop :] = old[:, : inner.start], old[:, inner.stop :]
    assert not untied(codec, at_rate(ArraySource(wav, RATE), codec.sample_rate), expected, codes)


def test_the_sound_is_coded_the_same_to_its_ends_by_version_3(codec):
    """Ties apart, which few codes can have; the levels among them."""
    codes = codec.encode(overdriven(), RATE)
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


# -------------------------------------------------------------------------------------------------------- releases

CHANGELOG = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
RELEASES = re.findall(r"^## (\d+\.\d+\.\d+),", CHANGELOG, re.MULTILINE)
KEPT = RELEASES[: RELEASES.index("0.3.0")]
"""Releases whose files all later versions read."""
WAYS = (*ENTROPY_MODES, *make_release.TABLES)
"""All that a release can write: entropy modes of sound, and tables."""


def test_there_is_a_file_of_each_release_and_way():
    found = {path.relative_to(make_release.RELEASES).as_posix() for path in make_release.RELEASES.glob("*/*.vq")}
    assert found == {f"{version}/{way}.vq" for version in KEPT for way in WAYS}
    assert all((make_release.RELEASES / name).stat().st_size < 8000 for name in found)


@pytest.mark.parametrize("mode", ENTROPY_MODES)
@pytest.mark.parametrize("version", KEPT)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sound_of_a_release_decodes_as_it_did(backend, version, mode, tmp_path):
    file = make_release.RELEASES / version / f"{mode}.vq"
    header = reader(file.read_bytes()).header
    assert (header.entropy, header.version) == (mode, 1 if version == "0.4.0" else 3)
    if mode == "prior" and header.codec in registry.RETIRED and not registry.legacy_models():
        pytest.skip("no folder legacy: it is part of checkouts alone")
    options = ["--backend", backend, *([] if mode == "prior" else ["--model", str(MODEL)])]
    assert decompress.main([str(file), str(tmp_path / "out.wav"), "--subtype", "FLOAT", "--quiet", *options]) == 0
    wav, _ = heard(tmp_path / "out.wav")
    with np.load(file.with_suffix(".npz"), allow_pickle=False) as arrays:
        np.testing.assert_allclose(wav[:, :: make_release.EVERY], arrays["samples"], atol=1e-3)
        assert arrays["samples"].std() > 0.03


@pytest.mark.parametrize("way", make_release.TABLES)
@pytest.mark.parametrize("version", KEPT)
def test_a_table_of_a_release_decodes_to_the_byte(version, way, tmp_path):
    file, table = make_release.RELEASES / version / f"{way}.vq", tmp_path / "out.csv"
    assert decompress.main([str(file), str(table), "--quiet"]) == 0
    expected = make_release.BOUNDED if way.startswith("bounded") else make_release.TABLE
    assert table.read_bytes() == expected.read_bytes()


def test_bounded_tables_are_within_their_bound():
    """What all releases gave back, beside what they were given."""
    tables = [path.read_text(encoding="utf-8").splitlines() for path in (make_release.TABLE, make_release.BOUNDED)]
    cells = [
        np.genfromtxt([line.replace(",,", ",nan,") for line in lines], delimiter=",", skip_header=1)[:, 1:7]
        for lines in tables
    ]
    assert np.nanmax(np.abs(cells[0] - cells[1])) == pytest.approx(0.1, abs=0.01)
    assert np.array_equal(np.isnan(cells[0]), np.isnan(cells[1]))
