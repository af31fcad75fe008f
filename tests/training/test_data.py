"""Recordings and the crops drawn from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_models import HOP, RATE, spectral_config

from vqaudio.audio.recordings import list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.config.training import DataConfig
from vqaudio.errors import AudioError, ConfigError, VqaudioError
from vqaudio.training import heard
from vqaudio.training.corpus import Corpus, to_int16
from vqaudio.training.data import Crops

PLAIN = {"speed_probability": 0.0, "level_probability": 0.0}  # crops as they are in the files, up to their sign
MANIFEST = "path,corpus,split\nhigh/a.wav,high,train\nlow/a.wav,low,train\nlow/b.wav,low,valid\n"


def tone(frequency: float, seconds: float = 2.0, rate: int = RATE, level: float = 0.2) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def write(path: Path, sound: np.ndarray, rate: int = RATE, **options: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two corpora, told apart by their pitch: one file at 2 kHz, two at 200 Hz; with a manifest."""
    write(tmp_path / "high" / "a.wav", tone(2000))
    write(tmp_path / "low" / "a.wav", tone(200, 4.0))
    write(tmp_path / "low" / "b.wav", tone(200))
    (tmp_path / "manifest.csv").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


def crops_of(folder: Path, split: str = "train", seed: int = 0, **settings: object) -> Crops:
    config = DataConfig(folder=str(folder), **{"crop_seconds": 0.1, "batch_size": 4} | settings)
    return Crops(config, spectral_config(), split=split, seed=seed)


def pitch(crop: torch.Tensor) -> float:
    """The strongest frequency of ``(1, samples)``, Hz, to a fraction of a bin."""
    spectrum = torch.fft.rfft(crop[0] * torch.hann_window(crop.shape[-1]), n=1 << 14).abs()
    return spectrum.argmax().item() * RATE / (1 << 14)


def level_db(crop: torch.Tensor) -> float:
    return 10 * torch.log10(crop.square().mean()).item()


def test_splits_and_weights_that_name_nothing_are_refused(folder):
    with pytest.raises(AudioError, match="no recordings in the split 'test'"):
        crops_of(folder, "test")
    with pytest.raises(AudioError, match=r"data\.weights names hihg, but .* holds no such corpus"):
        crops_of(folder, weights={"hihg": 0.5, "low": 0.5})
    with pytest.raises(AudioError, match=r"data\.corpora names hihg, but .* holds no such corpus"):
        crops_of(folder, corpora=("hihg",))
    with pytest.raises(AudioError, match=r"data\.weights gives every corpus .* the share 0"):
        crops_of(folder, weights={"high": 0.0, "low": 0.0})


# ------------------------------------------------------------------------------------------------------------ reading


def test_files_become_mono_at_the_models_rate(tmp_path):
    stereo = np.stack([tone(300, rate=8000), np.zeros(16000)], axis=1)
    write(tmp_path / "a.wav", stereo, 8000)
    sound = to_int16(read_mono(tmp_path / "a.wav", RATE))
    assert sound.dtype == np.int16
    expected = 0.5 * tone(300) * 32767
    np.testing.assert_allclose(sound[1000:-1000], expected[1000:-1000], atol=15)


def test_loud_floats_are_clipped(tmp_path):
    write(tmp_path / "a.wav", np.array([2.0, -2.0, 0.5]), subtype="FLOAT")
    assert to_int16(read_mono(tmp_path / "a.wav", RATE)).tolist() == [32767, -32767, 16384]


@pytest.mark.parametrize("content", [b"no audio at all", None], ids=["text", "absent"])
def test_damaged_files_are_named(tmp_path, content):
    if content is not None:
        (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(VqaudioError, match=r"a\.wav: "):
        read_mono(tmp_path / "a.wav", RATE)


def test_samples_that_are_not_finite_are_refused(tmp_path):
    write(tmp_path / "c.wav", np.array([0.0, np.nan]), subtype="FLOAT")
    with pytest.raises(AudioError, match=r"c\.wav"):
        read_mono(tmp_path / "c.wav", RATE)


# -------------------------------------------------------------------------------------------------------------- crops


def test_crops_depend_on_seed_step_and_rank_alone(folder):
    first = crops_of(folder)
    batch = first.batch(7, 1).target
    assert batch.shape == (4, 1, 1600)
    assert batch.dtype == torch.float32
    first.batch(8, 0)  # what was drawn between does not matter
    assert torch.equal(first.batch(7, 1).target, batch)
    assert torch.equal(crops_of(folder).batch(7, 1).target, batch)
    others = [first.batch(8, 1).target, first.batch(7, 0).target, crops_of(folder, seed=1).batch(7, 1).target]
    assert not any(torch.equal(batch, other) for other in others)
    assert first.batch(7, 1, size=6).target.shape == (6, 1, 1600)


def test_crops_are_whole_frames(folder):
    assert crops_of(folder, crop_seconds=0.1005).samples % HOP == 0
    assert crops_of(folder, crop_seconds=0.1005).samples == 1600
    assert crops_of(folder, crop_seconds=1e-6).samples == HOP


def test_a_split_is_heard_alone(folder):
    batch = crops_of(folder, "valid", **PLAIN).batch(0, 0, size=16).target
    assert all(pitch(crop) == pytest.approx(200, abs=8) for crop in batch)


@pytest.mark.parametrize(("weights", "share"), [({}, 1 / 3), ({"high": 3.0, "low": 1.0}, 0.75), ({"high": 0.0}, 0.0)])
def test_corpora_share_by_weight_and_else_by_duration(folder, weights, share):
    crops = crops_of(folder, weights=weights, **PLAIN)
    assert crops.seconds == pytest.approx(6.0)
    high = np.mean([pitch(crop) > 1000 for crop in crops.batch(0, 0, size=200).target])
    assert high == pytest.approx(share, abs=0.11)  # three standard deviations


def test_corpora_that_are_not_named_are_not_heard(folder):
    crops = crops_of(folder, corpora=("low",), **PLAIN)
    assert all(pitch(crop) < 1000 for crop in crops.batch(0, 0, size=50).target)
    assert crops.seconds < crops_of(folder, **PLAIN).seconds


def test_speed_moves_the_pitch(folder):
    slow = crops_of(folder, speed_probability=1.0, speed_range=(0.8, 0.8), level_probability=0.0, weights={"low": 0.0})
    assert all(pitch(crop) == pytest.approx(1600, abs=20) for crop in slow.batch(0).target)


def test_levels(folder):
    moved = crops_of(folder, level_probability=1.0, level_db=(-30.0, -30.0), speed_probability=0.0)
    assert all(level_db(crop) == pytest.approx(-30, abs=0.1) for crop in moved.batch(0, 0, size=32).target)
    loud = (
        crops_of(folder, level_probability=1.0, level_db=(10.0, 10.0), speed_probability=0.0)
        .batch(0, 0, size=32)
        .target
    )
    assert loud.abs().max() <= 1.0


def test_perturbed_sources_keep_their_targets_and_their_timing(folder):
    plain = crops_of(folder, weights={"low": 0.0}, **PLAIN)
    batch = plain.batch(0)
    assert batch.source is batch.target
    moved = crops_of(folder, weights={"low": 0.0}, perturbed=1.0, pitch_semitones=(-12.0, -12.0), **PLAIN)
    batch = moved.batch(0)
    assert torch.equal(batch.target, plain.batch(0).target)
    assert batch.source.shape == batch.target.shape
    halves = [pitch(source) / pitch(target) for source, target in zip(batch.source, batch.target, strict=True)]
    assert halves == pytest.approx([0.5] * len(halves), abs=0.02)


def test_crops_say_who_speaks(folder):
    lines = ["path,corpus,split,speaker", "high/a.wav,high,train,ann", "low/a.wav,low,train,bob"]
    (folder / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    model = spectral_config().model_copy(update={"speakers": ("zoe", "ann")})

    def heard(**settings: object) -> list[tuple[int, bool]]:
        config = DataConfig(folder=str(folder), crop_seconds=0.1, level_probability=0.0, **settings)
        batch = Crops(config, model, split="train").batch(0, 0, size=40)
        return [(int(who), pitch(crop) > 1000) for who, crop in zip(batch.speaker, batch.target, strict=True)]

    told = heard(speed_probability=0.0, unknown_speaker=0.0)
    assert set(told) == {(2, True), (0, False)}  # ann by her number, bob is not known to the model
    half = [who for who, high in heard(speed_probability=0.0, unknown_speaker=0.5) if high]
    assert 0.2 < np.mean(np.array(half) == 0) < 0.8
    assert {who for who, _ in heard(speed_probability=1.0, unknown_speaker=0.0)} == {0}  # nobody's voice


def test_both_polarities_are_heard(folder):
    write(folder / "high" / "a.wav", np.full(2 * RATE, 0.25))
    means = crops_of(folder, weights={"low": 0.0}, **PLAIN).batch(0, 0, size=32).target.mean(-1)
    assert means.min() < -0.1
    assert means.max() > 0.1


def test_silence_is_mostly_drawn_again(tmp_path):
    sound = np.concatenate([np.zeros(3 * RATE), tone(500, 1.0)])
    for name in "ab":
        write(tmp_path / f"{name}.wav", sound)

    def silent(**settings: object) -> float:
        batch = crops_of(tmp_path, **PLAIN, **settings).batch(0, 0, size=200).target
        return float(np.mean([crop.abs().max().item() < 1e-3 for crop in batch]))

    assert silent(silence_db=-200.0) > 0.6
    assert silent() < 0.25


def test_recordings_shorter_than_a_crop_are_padded(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.wav", tone(500, 0.02))
    batch = crops_of(tmp_path, **PLAIN).batch(0, 0, size=16).target
    assert torch.isfinite(batch).all()
    assert 0 < (batch != 0).sum(-1).max() <= 320


def test_what_is_silent_all_through_is_drawn_all_the_same(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.wav", np.zeros(RATE))
    shares = {"noisy": 1.0, "reverberant": 1.0, "equalised": 1.0, "level_probability": 1.0}
    batch = crops_of(tmp_path, **shares).batch(0)
    assert batch.target.shape == (4, 1, 1600)
    assert torch.isfinite(batch.target).all()
    assert batch.target.abs().max() < 1e-3


def test_recordings_without_samples_are_never_drawn(folder, monkeypatch):
    """As a shorter rate may leave them. The first lies at the start, the last at the end of all that is drawn from."""
    lines = ["path,corpus,split", "x.wav,empty,train", "y.wav,some,train", "z.wav,some,train"]
    (folder / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    samples = to_int16(tone(500).astype(np.float32))
    offsets = np.array([0, 0, len(samples), len(samples)])
    monkeypatch.setattr(heard, "read_corpus", lambda *_, **__: Corpus(samples, offsets))
    crops = crops_of(folder, weights={"empty": 5.0}, silence_db=-200.0, **PLAIN)
    assert crops.seconds == pytest.approx(2.0)
    assert all(pitch(crop) == pytest.approx(500, abs=12) for crop in crops.batch(0, 0, size=64).target)
    monkeypatch.setattr(heard, "read_corpus", lambda *_, **__: Corpus(samples[:0], np.zeros(4, np.int64)))
    with pytest.raises(AudioError, match="no recordings in the split 'train'"):
        crops_of(folder)


def test_crops_from_a_cache_are_the_same(folder, tmp_path):
    expected = crops_of(folder).batch(3).target
    for _ in range(2):
        assert torch.equal(crops_of(folder, cache=str(tmp_path / "cache")).batch(3).target, expected)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_varied_crops_are_what_is_to_come_out_and_stay_within_full_scale(folder):
    shares = {"noisy": 1.0, "noise_db": (0.0, 0.0), "reverberant": 1.0, "equalised": 1.0, "level_probability": 1.0}
    crops = crops_of(folder, level_db=(-3.0, -3.0), **shares)
    batch = crops.batch(0, 0, size=16)
    assert batch.source is batch.target
    assert batch.target.abs().max() <= 1.0
    assert not torch.equal(batch.target, crops_of(folder).batch(0, 0, size=16).target)
    assert torch.equal(crops.batch(0, 0, size=16).target, batch.target)


def test_crops_are_made_where_the_recordings_are(folder):
    crops = crops_of(folder, noise=0.1)
    before = crops.batch(0)
    crops.to(torch.device("cpu"))
    after = crops.batch(0)
    for name in ("target", "source", "speaker"):
        assert torch.equal(getattr(before, name), getattr(after, name))
    crops.to(torch.device("meta"))
    assert crops.sound.device.type == "meta"


def test_real_recordings_can_be_drawn(data_folder):
    config = DataConfig(folder=str(data_folder / "speech"))
    found = list_recordings(Path(config.folder or ""))
    assert {item.split for item in found} >= {"train", "valid"}
    some = next(item for item in found if item.split == "valid")
    assert len(read_mono(some.path, RATE)) > 1000


# ------------------------------------------------------------------------------------------------------- validation


def test_validation_hears_the_recordings_as_they_are(tmp_path):
    """However training varies its crops: each is a stretch of a recording to the sample, with its speaker told."""
    random = np.random.default_rng(0)
    for name in ("learned", "kept"):
        write(tmp_path / f"{name}.wav", random.uniform(-0.5, 0.5, 2 * RATE), subtype="PCM_16")
    manifest = "path,corpus,split,speaker\nlearned.wav,a,train,ann\nkept.wav,a,valid,ann\n"
    (tmp_path / "manifest.csv").write_text(manifest, encoding="utf-8")
    varied = {
        "speed_probability": 1.0,
        "level_probability": 1.0,
        "noise": 0.5,
        "perturbed": 1.0,
        "unknown_speaker": 1.0,
    }
    config = DataConfig(folder=str(tmp_path), crop_seconds=0.1, batch_size=12, **varied)
    model = spectral_config().model_copy(update={"speakers": ("ann",)})
    recording = to_int16(read_mono(tmp_path / "kept.wav", RATE)).astype(np.float32) / 32768
    padded = np.pad(recording, 400)
    kept, learned = (Crops(config, model, split=split).batch(0) for split in ("valid", "train"))
    for crop in kept.target[:, 0].numpy():
        inside = crop[400:-400]
        place = int(np.correlate(padded, inside, "valid").argmax())
        assert np.array_equal(padded[place : place + len(inside)], inside)
    assert torch.equal(kept.source, kept.target)
    assert (kept.speaker == 1).all()
    assert (learned.speaker == 0).all()
    assert not torch.equal(learned.source, learned.target)


def test_perturbation_needs_librosa(folder, monkeypatch):
    monkeypatch.setattr("vqaudio.training.data.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"data\.perturbed needs librosa: pip install"):
        crops_of(folder, perturbed=1.0)
    assert len(crops_of(folder).batch(0).target)
