"""Metrics against values known in closed form, their order under noise, and where they are undefined."""

import math
import sys

import numpy as np
import pytest

from vqaudio.evaluation import EvaluationError, require
from vqaudio.evaluation.metrics import METRICS, SAMPLE_RATE, Mean, log_mel_distance, mean_with_interval, pesq_wb, score
from vqaudio.evaluation.metrics import si_sdr as measure_si_sdr
from vqaudio.evaluation.metrics import stoi as measure_stoi


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Harmonics of a wandering pitch in syllables: enough like speech for PESQ and STOI to find some."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * time)) / SAMPLE_RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 30))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None)
    return (0.1 * syllables * voice + 1e-3 * random.standard_normal(len(time))).astype(np.float32)


def noise(like: np.ndarray, level: float) -> np.ndarray:
    return (level * np.random.default_rng(1).standard_normal(len(like))).astype(np.float32)


def test_equal_sounds_get_the_best_value_of_every_metric():
    clip = speech(3)
    assert score(clip, clip) == {
        "pesq_wb": pytest.approx(4.644, abs=0.001),
        "stoi": pytest.approx(1.0, abs=1e-6),
        "si_sdr_db": 100.0,
        "log_mel": 0.0,
    }


@pytest.mark.parametrize(("name", "sign"), [("pesq_wb", 1), ("stoi", 1), ("si_sdr_db", 1), ("log_mel", -1)])
def test_every_metric_gets_worse_with_noise(name, sign):
    clip = speech(3)
    values = [sign * METRICS[name].measure(clip, clip + noise(clip, level)) for level in (0.001, 0.01, 0.1)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[2]


def test_si_sdr_is_the_ratio_of_energies_to_an_orthogonal_error_and_ignores_scale():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    clip = np.sin(2 * np.pi * 100 * time).astype(np.float32)
    error = 0.1 * np.cos(2 * np.pi * 100 * time).astype(np.float32)
    assert measure_si_sdr(clip, clip + error) == pytest.approx(20.0, abs=1e-3)
    assert measure_si_sdr(clip, -0.3 * (clip + error)) == pytest.approx(20.0, abs=1e-3)
    assert measure_si_sdr(clip, error) == -100.0


def test_log_mel_distance_of_a_changed_level_is_its_logarithm():
    clip = noise(np.zeros(SAMPLE_RATE), 0.1)
    assert log_mel_distance(clip, 10 * clip) == pytest.approx(1.0, abs=1e-5)
    assert log_mel_distance(clip, clip * np.float32(10 ** (2 / 20))) == pytest.approx(0.1, abs=1e-5)


def test_log_mel_distance_has_a_floor_at_100_db_below_a_full_scale_sine():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    sine = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    silence = np.zeros_like(sine)
    assert log_mel_distance(silence, 1e-7 * sine) == 0.0
    assert 0.0 < log_mel_distance(silence, sine) < 5.0  # 5 decades at most, and fewer beside the sine


def test_stoi_sees_a_delay():
    clip = speech(2)
    late = np.concatenate([np.zeros(800, np.float32), clip[:-800]])
    assert measure_stoi(clip, late) < 0.9


@pytest.mark.parametrize(("reference", "decoded"), [(speech(1) * 0, speech(1)), (speech(1), speech(1) * 0)])
def test_silence_has_no_pesq_stoi_or_si_sdr(reference, decoded):
    values = score(reference, decoded)
    assert [name for name, value in values.items() if math.isnan(value)] == ["pesq_wb", "stoi", "si_sdr_db"]


@pytest.mark.parametrize(("name", "samples"), [("pesq_wb", 3000), ("stoi", 4000), ("log_mel", 1000), ("si_sdr_db", 0)])
def test_clips_that_are_too_short_are_undefined_and_not_an_error(name, samples):
    clip = speech(1)[2000 : 2000 + samples]
    assert math.isnan(METRICS[name].measure(clip, clip))


def test_pesq_of_many_utterances_does_not_overrun_its_tables():
    time = np.arange(45 * SAMPLE_RATE) / SAMPLE_RATE  # 107 bursts: in one call they end the process
    bursts = noise(time, 0.1) * (np.mod(time, 0.42) < 0.21)
    clip = bursts.astype(np.float32)
    assert 1.0 < pesq_wb(clip, clip + noise(clip, 0.01)[::-1]) < 4.6


def test_sounds_of_different_length_are_refused():
    with pytest.raises(ValueError, match="equal length"):
        score(speech(1), speech(1)[:-1])


def test_mean_has_a_t_interval_over_what_is_defined():
    result = mean_with_interval([1.0, math.nan, 2.0, 3.0])
    assert result == Mean(2.0, pytest.approx(4.30265 / math.sqrt(3), abs=1e-4), 3)  # t for 2 degrees of freedom, s = 1


def test_mean_of_one_value_has_no_interval_and_of_none_is_undefined():
    one, none = mean_with_interval([0.5]), mean_with_interval([math.nan])
    assert (one.mean, one.count) == (0.5, 1)
    assert math.isnan(one.half_width)
    assert none.count == 0
    assert math.isnan(none.mean)


def test_a_missing_package_is_named_with_its_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(EvaluationError, match=r"pesq.*pip install 'vqaudio\[eval\]'"):
        require("pesq")
