"""Many sounds at once have the codes that each has alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from coded_blocks import encode
from tiny_models import tiny_model
from tools import MODEL, codec_of, synthetic, tiny_codec

import vqaudio
from vqaudio.audio.resampling import read_mono
from vqaudio.codec.codec import Codec
from vqaudio.codec.codes import Codes
from vqaudio.codec.options import Variant
from vqaudio.config.bottleneck import FSQConfig, HierarchicalConfig
from vqaudio.errors import AudioError, ModelError
from vqaudio.files import files_below
from vqaudio.inference.base import Heard
from vqaudio.model.bottleneck import FSQ, HierarchicalVQ
from vqaudio.model.bottleneck.base import Bottleneck
from vqaudio.registry import shipped_models

RATE = 16000


def made() -> list[np.ndarray]:
    """Sounds of many lengths: of one sample, of several blocks, equal ones, with channels, levels, and near silence."""
    long = synthetic(6.1, RATE)
    return [
        long[0, :1],
        long,
        long[:, :700],
        long[:, :16000].copy(),
        long[:, :16000].copy(),
        synthetic(0.4, RATE, channels=3),
        np.repeat(long[:, :3000], 2, 0),
        0.25 + 3.0 * long[:, :20000],
        2.0**-12 * long[:, :90000],
        np.zeros(5000, np.float32),
    ]


def same(one: Codes, other: Codes) -> bool:
    """Whether all that is told of a sound is equal."""
    told = [(codes.sample_rate, codes.n_samples, codes.margin, codes.levels) for codes in (one, other)]
    return told[0] == told[1] and all(
        mine.dtype == yours.dtype and np.array_equal(mine, yours)
        for mine, yours in zip(one.streams, other.streams, strict=True)
    )


@pytest.fixture(params=["onnx", "torch"])
def codec(request: pytest.FixtureRequest) -> Codec:
    return tiny_codec(request.param)


@pytest.mark.parametrize(
    "asked", [{}, {"n_codebooks": 2, "with_margin": False}, {"code_cost": 1e-3}], ids=["all", "two", "cost"]
)
def test_each_sound_has_the_codes_that_it_has_alone(codec, asked):
    sounds = made()
    found = codec.encode_batch(sounds, RATE, **asked)
    assert all(same(codes, codec.encode(wav, RATE, **asked)) for codes, wav in zip(found, sounds, strict=True))
    assert any(codes.levels for codes in found)


def test_codes_are_those_of_a_file_block_by_block(codec):
    for wav in (synthetic(6.1, RATE), synthetic(0.4, RATE, channels=3)):
        (found,) = codec.encode_batch([wav], RATE, with_margin=False)
        assert all(map(np.array_equal, found.streams, encode(codec, wav, codec.chunk_frames())))


@pytest.mark.parametrize(
    "bottleneck", [HierarchicalVQ(HierarchicalConfig(codebook_size=8, levels=3), 8), FSQ(FSQConfig(levels=(5, 3)), 8)]
)
def test_streams_that_look_across_time_and_others_have_the_codes_of_each_alone(bottleneck: Bottleneck):
    model = tiny_model("spectral")
    model.bottleneck = bottleneck.eval()
    codec, sounds = codec_of(model), [synthetic(seconds, RATE) for seconds in (5.3, 0.7, 0.01)]
    with torch.no_grad():
        bottleneck.initialise(model.encoder(torch.from_numpy(sounds[1][:, :9600])[None]))
    found = codec.encode_batch(sounds, RATE)
    assert all(same(codes, codec.encode(wav, RATE)) for codes, wav in zip(found, sounds, strict=True))
    assert len(set(found[0].streams[0].flat)) > 1
    with pytest.raises(ModelError, match="have a cost in residual codebooks alone"):
        codec.encode_batch(sounds, RATE, code_cost=1e-3)


def test_windows_on_several_threads_have_the_codes_of_each_alone(monkeypatch):
    sounds = made()
    alone = [tiny_codec().encode(wav, RATE) for wav in sounds]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    codec = vqaudio.load(MODEL)
    assert all(map(same, alone, codec.encode_batch(sounds, RATE)))
    wav = synthetic(21, RATE, channels=2)
    found = codec.compress(wav, RATE)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert found == codec.compress(wav, RATE)


def test_no_more_windows_are_taken_than_may_be_held(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    networks = vqaudio.load(MODEL).networks
    taken, done = 0, 0

    def windows() -> Iterator[Heard]:
        nonlocal taken
        for number in range(20):
            taken += 1
            assert taken - done <= 4
            yield Heard((number,), np.zeros(RATE // 2 // 320 * 320, np.float32), [(1, 0.0)])

    for _ in networks.encode_windows(windows(), ahead=1.0):
        done += 1
    assert taken == done == 20


def test_sounds_at_another_rate_are_those_of_each_alone(codec):
    sounds = [synthetic(seconds, 22050) for seconds in (0.3, 0.01)]
    found = codec.encode_batch(sounds, 22050)
    assert all(same(codes, codec.encode(wav, 22050)) for codes, wav in zip(found, sounds, strict=True))


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_a_batch_with_lengths_is_as_many_sounds(codec, kind):
    batch = np.stack([synthetic(0.3, RATE), synthetic(0.3, RATE, seed=1)])
    found = codec.encode_batch(kind(batch), RATE, lengths=[4800, 1234])
    assert same(found[0], codec.encode(batch[0], RATE))
    assert same(found[1], codec.encode(batch[1, :, :1234], RATE))


def test_nothing_has_no_codes(codec):
    assert codec.encode_batch([], RATE) == []
    assert codec.encode_batch(np.zeros((0, 1, 100), np.float32), RATE) == []


def test_variants_of_each_sound_are_those_of_each_alone(codec):
    sounds = made()[:4]
    variants = [[Variant()], [Variant(1), Variant(3, 1e-3), Variant()], [], [Variant(2, 1e-2)]]
    found = codec.encode_variants(sounds, RATE, variants=variants, with_margin=False)
    for wav, wanted, several in zip(sounds, variants, found, strict=True):
        assert len(several) == len(wanted)
        for variant, codes in zip(wanted, several, strict=True):
            asked = {"n_codebooks": variant.n_codebooks, "code_cost": variant.code_cost}
            assert same(codes, codec.encode(wav, RATE, with_margin=False, **asked))


def test_bf16_is_a_precision_of_its_own():
    codec, coarse = tiny_codec("torch"), Codec.from_pretrained(MODEL, precision="bf16")
    assert (coarse.precision, codec.precision) == ("bf16", "float32")
    assert "bf16" in repr(coarse)
    assert "float32" not in repr(codec)
    wav = synthetic(2, RATE)
    exact, (found,), alone = codec.encode(wav, RATE), coarse.encode_batch([wav], RATE), coarse.encode(wav, RATE)
    assert same(found, alone)
    assert 0.5 < np.mean(np.stack(exact.streams) == np.stack(found.streams)) < 1.0


def test_precisions_that_are_none_are_refused():
    with pytest.raises(ModelError, match="precision 'bf61' is not known; did you mean bf16"):
        vqaudio.load(MODEL, precision="bf61")
    with pytest.raises(ModelError, match="precision bf16 cannot be used by the backend onnx: use the backend torch"):
        vqaudio.load(MODEL, backend="onnx", precision="bf16")


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_models())
@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_recordings_at_once_have_the_codes_of_each_alone(data_folder, name, backend):
    codec = vqaudio.load(name, backend=backend)
    paths = files_below(data_folder / "speech", (".flac", ".wav"))
    chosen = np.random.default_rng(0).choice(np.array(paths, dtype=object), 12, replace=False)
    sounds = [read_mono(path, codec.sample_rate)[: 12 * codec.sample_rate] for path in chosen]
    found = codec.encode_batch(sounds, codec.sample_rate)
    assert all(same(codes, codec.encode(wav, codec.sample_rate)) for codes, wav in zip(found, sounds, strict=True))


@pytest.mark.parametrize(
    ("sounds", "lengths", "said"),
    [
        ([np.zeros(100, np.float32), np.zeros(0, np.float32)], None, "sound 1: holds no samples"),
        ([np.zeros(10, np.float32), np.full(9, np.nan, np.float32)], None, "sound 1: channel 1"),
        (np.zeros((2, 100), np.float32), None, r"shape \(2, 100\), expected \(batch, 1, samples\)"),
        (np.zeros((2, 1, 100), np.float32), [100, 0], r"lengths \[100, 0\]: expected one for each of 2 sounds, from 1"),
        (np.zeros((2, 1, 100), np.float32), [100], "expected one for each of 2 sounds"),
        ([np.zeros(100, np.float32)], [100], "arrays in a list have their own"),
    ],
)
def test_what_are_no_sounds_is_refused(codec, sounds, lengths, said):
    with pytest.raises(AudioError, match=said):
        codec.encode_batch(sounds, RATE, lengths=lengths)


def test_variants_are_for_each_sound(codec):
    with pytest.raises(ModelError, match="variants for 1 sounds given, expected them for each of 2"):
        codec.encode_variants([np.zeros(100, np.float32)] * 2, RATE, variants=[[Variant()]])
