"""Babble by rule: which clips, how loud, the same each time, and what an evaluation in it tells."""

import json

import numpy as np
import pytest
import soundfile

from vqaudio import evaluate as command_line
from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.clips import select
from vqaudio.evaluation.metrics import SAMPLE_RATE
from vqaudio.evaluation.noise import TALKERS, babble, mix_noise


def tone(frequency: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.01 * frequency / 100 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """Ten tones of 100, 200 ... 1000 Hz, each louder than the one before."""
    for index in range(10):
        soundfile.write(tmp_path / f"{index}.wav", tone(100 * (index + 1)), SAMPLE_RATE, "FLOAT")
    return tmp_path


def test_six_other_clips_talk_equally_loud_and_never_the_clip_itself(folder):
    clips = select(folder)
    for index, path in enumerate(clips.paths):
        strength = np.abs(np.fft.rfft(babble(clips, path, n_samples=SAMPLE_RATE)))[100:1001:100] / (SAMPLE_RATE / 2)
        heard = strength > 0.1
        assert heard.sum() == TALKERS
        assert not heard[index]
        assert strength[heard] == pytest.approx(np.sqrt(2.0), rel=0.01)  # a mean power of one each


def test_babble_is_as_long_as_asked_and_the_same_each_time(folder):
    clips = select(folder)
    first, again = (babble(clips, clips.paths[3], n_samples=40000) for _ in range(2))
    assert first.shape == (40000,)
    assert np.array_equal(first, again)


def test_a_clip_that_is_alone_has_no_babble(folder):
    clips = select(folder, limit=1)
    with pytest.raises(EvaluationError, match=r"0.wav: there is no other clip.*leave --noise out"):
        babble(clips, clips.paths[0], n_samples=100)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
def test_the_ratio_of_powers_is_the_one_asked_for_and_nothing_clips(snr_db):
    clip, noise = 50 * tone(200), 3 * tone(300)
    noisy, clean = mix_noise(clip, noise, snr_db=snr_db)
    disturbance = noisy - clean
    assert 10 * np.log10(np.mean(clean**2) / np.mean(disturbance**2)) == pytest.approx(snr_db, abs=0.01)
    assert np.abs(noisy).max() <= 1.0
    assert np.corrcoef(clean, clip)[0, 1] == pytest.approx(1.0)


def test_silence_stays_silent():
    noisy, clean = mix_noise(np.zeros(100, np.float32), tone(300)[:100], snr_db=10.0)
    assert not noisy.any()
    assert not clean.any()


def test_the_command_scores_against_the_noisy_and_the_clean_clip(folder, monkeypatch, capsys):
    from judged import RoundingCodec

    monkeypatch.setattr("vqaudio.codec.codec.load", lambda name, device, **given: RoundingCodec())
    out = folder / "out.json"
    arguments = [str(folder), "--peers", "none", "--codebooks", "2", "--limit", "3", "--noise", "20,0"]
    assert command_line.main([*arguments, "--json", str(out)]) == 0
    data = json.loads(out.read_text())
    names = [f"{name}, noise at {snr_db} dB" for snr_db in (20, 0) for name in ("original", "rounding, 2 codebooks")]
    assert [system["name"] for system in data["systems"]] == names
    assert data["metrics"]["si_sdr_db_clean"] == "SI-SDR (dB), to clean"
    means = [{name: mean["mean"] for name, mean in system["means"].items()} for system in data["systems"]]
    assert means[0]["si_sdr_db"] == means[2]["si_sdr_db"] == 100.0
    assert means[0]["si_sdr_db_clean"] == pytest.approx(20.0, abs=0.1)
    assert means[2]["si_sdr_db_clean"] == pytest.approx(0.0, abs=0.1)
    assert means[1]["si_sdr_db_clean"] < means[0]["si_sdr_db_clean"]
    assert "SI-SDR (dB), to clean" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["loud", "", "nan", "2.5", "500"])
def test_ratios_are_whole_decibels(folder, given, capsys):
    assert command_line.main([str(folder), "--noise", given]) == 2
    assert "Invalid value for '--noise'" in capsys.readouterr().err
