"""Judges: their arithmetic with stand-ins for what they load, what a missing package says, and the real ones (slow)."""

import importlib.util
import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from judged import RoundingCodec, speech

from vqaudio import evaluate as command_line
from vqaudio.evaluation.judges import JUDGES, distillmos, find_judges, plcmos, speaker, visqol, words
from vqaudio.evaluation.judges.base import KEPT, remembered

SILENCE = np.zeros(16000, np.float32)
LOUD = 4 * speech(1)


def installed(judge: str) -> bool:
    return all(importlib.util.find_spec(package.partition(".")[0]) for package in JUDGES[judge].packages)


@pytest.fixture(autouse=True)
def fresh():
    """No judge that was loaded for one test is left for the next."""
    yield
    for module in (distillmos, plcmos, speaker, visqol):
        module._model.cache_clear()
    words._recogniser.cache_clear()


# -------------------------------------------------------------------------------------------------------- remembered


def test_what_was_found_is_kept_for_the_last_sounds_and_known_by_object():
    asked = []
    length = remembered(lambda wave: asked.append(wave) or len(wave))
    reference, others = np.zeros(5), [np.zeros(5) for _ in range(6)]
    for other in others:
        assert length(reference) == length(other) == 5
    assert sum(wave is reference for wave in asked) == 1
    assert len(asked) == 1 + len(others)
    for _ in range(KEPT):
        length(np.zeros(1))
    length(reference)
    assert sum(wave is reference for wave in asked) == 2


# ------------------------------------------------------------------------------------------------------- arithmetic


@pytest.mark.parametrize(
    ("before", "after", "edits"),
    [
        ("", "", 0),
        ("a b", "", 2),
        ("", "a", 1),
        ("a b c", "a x c", 1),
        ("a b c", "b c d", 2),
        ("k i t t e n", "s i t t i n g", 3),
    ],
)
def test_edit_distance(before, after, edits):
    assert words.edit_distance(before.split(), after.split()) == edits
    assert words.edit_distance(after.split(), before.split()) == edits


class Recogniser:
    """Hears a word for each second of a sound: its level."""

    fresh = False

    def start_stream(self):
        self.fresh = True

    def start_utt(self):
        assert self.fresh  # noise of the sound before is forgotten
        self.fresh, self.heard = False, None

    def process_raw(self, data, full_utt):
        assert full_utt
        samples = np.frombuffer(data, "<i2").reshape(-1, 16000)
        self.heard = " ".join(f"w{level}" for level in samples.max(axis=1) if level)

    def end_utt(self):
        pass

    def hyp(self):
        return SimpleNamespace(hypstr=self.heard) if self.heard else None


def test_words_changed_is_the_share_of_the_words_heard_before(monkeypatch):
    def decoder(**options):
        assert options == {"samprate": 16000, "cmn": "batch", "loglevel": "FATAL"}
        return Recogniser()

    monkeypatch.setitem(sys.modules, "pocketsphinx", SimpleNamespace(Decoder=decoder))
    levels = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    reference = np.repeat(levels, 16000)
    assert words.words_changed(reference, reference.copy()) == 0.0
    assert words.words_changed(reference, np.repeat(levels[[0, 1, 0, 3]], 16000)) == 25.0
    assert words.words_changed(reference, SILENCE) == 100.0
    assert math.isnan(words.words_changed(SILENCE, reference))


def test_the_speaker_cosine_is_that_of_embeddings(monkeypatch):
    class Encoder:
        def __init__(self, device, verbose):
            assert (device, verbose) == ("cpu", False)

        def embed_utterance(self, wave):
            angle = float(wave[0])
            return np.array([math.cos(angle), math.sin(angle)], np.float32)

    package = SimpleNamespace(VoiceEncoder=Encoder, preprocess_wav=lambda wave: wave[wave > 0])
    monkeypatch.setitem(sys.modules, "resemblyzer", package)
    here, there = np.full(100, 0.25, np.float32), np.full(100, 0.75, np.float32)
    assert speaker.speaker_cosine(here, there) == pytest.approx(math.cos(0.5))
    assert math.isnan(speaker.speaker_cosine(here, SILENCE))
    assert math.isnan(speaker.speaker_cosine(here, -there))  # nothing is left of it


def test_dnsmos_is_asked_once_for_its_three_ratings_of_the_decoded_sound(monkeypatch):
    asked = []

    def run(wave, rate):
        asked.append(wave)
        assert rate == 16000
        assert np.abs(wave).max() <= 1.0
        return {"ovrl_mos": np.float64(3.0), "sig_mos": 3.5, "bak_mos": 4.0, "p808_mos": 3.2}

    monkeypatch.setitem(sys.modules, "speechmos", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "speechmos.dnsmos", SimpleNamespace(run=run))
    decoded = LOUD.copy()
    metrics = find_judges(["dnsmos"])
    values = {name: metric.measure(SILENCE, decoded) for name, metric in metrics.items()}
    assert values == {"dnsmos": 3.0, "dnsmos_signal": 3.5, "dnsmos_background": 4.0}
    assert len(asked) == 1
    assert math.isnan(metrics["dnsmos"].measure(decoded, SILENCE.copy()))


def test_plcmos_is_the_mean_over_listeners_that_stay_the_same(monkeypatch):
    seen = []

    class Plcmos:
        embed_rounds = 4

        def __init__(self):
            self.session = self

        def stft_transform(self, wave):
            return np.ones((7, 257)) * len(wave)

        def run(self, outputs, inputs):
            assert outputs is None
            assert inputs["degraded_audio"].shape == (1, 1, 7, 257)
            assert inputs["rater_embed"].shape == (1, 64)
            assert {value.dtype for value in inputs.values()} == {np.dtype(np.float32)}
            seen.append(inputs["rater_embed"])
            return [np.array([[float(len(seen) % 4)]])]

    monkeypatch.setitem(sys.modules, "speechmos", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "speechmos.plcmos", SimpleNamespace(PLCMOS=Plcmos))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert plcmos.plcmos(SILENCE, LOUD) == plcmos.plcmos(SILENCE, LOUD) == 1.5
    assert np.array_equal(seen[:4], seen[4:])
    assert len({raters.tobytes() for raters in seen}) == 4
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert math.isnan(plcmos.plcmos(LOUD, SILENCE))


def test_distillmos_says_nothing_while_it_loads(monkeypatch, capsys):
    class Model:
        def __init__(self):
            print("weights loaded from: somewhere")

        def eval(self):
            return self

        def __call__(self, batch):
            return 1.0 + batch.abs().amax(dim=1, keepdim=True)

    monkeypatch.setitem(sys.modules, "distillmos", SimpleNamespace(ConvTransformerSQAModel=Model))
    assert distillmos.distillmos(SILENCE, np.array([0.5, -0.75], np.float32)) == 1.75
    assert math.isnan(distillmos.distillmos(LOUD, SILENCE))
    assert capsys.readouterr().out == ""


def test_visqol_compares_in_its_mode_for_speech(monkeypatch):
    class Api:
        def create(self, **options):
            assert options == {"mode": "speech", "use_lattice_model": True}

        def measure_from_arrays(self, reference, decoded, rate):
            assert (reference.dtype, decoded.dtype, rate) == (np.float64, np.float64, 16000)
            return SimpleNamespace(moslqo=np.float64(5.0 - np.abs(reference - decoded).max()))

    monkeypatch.setitem(sys.modules, "visqol", SimpleNamespace(VisqolApi=Api))
    assert visqol.visqol(LOUD, LOUD) == 5.0
    assert visqol.visqol(LOUD, LOUD + np.float32(0.5)) == pytest.approx(4.5)
    for reference, decoded in ((LOUD, SILENCE), (SILENCE, LOUD), (LOUD[:8000], LOUD[:8000])):
        assert math.isnan(visqol.visqol(reference, decoded))


# ----------------------------------------------------------------------------------------------------- command line


@pytest.mark.parametrize("judge", JUDGES)
def test_a_missing_package_is_named_with_its_cure_before_any_work(judge, folder, monkeypatch, capsys):
    for package in JUDGES[judge].packages:
        monkeypatch.setitem(sys.modules, package.partition(".")[0], None)
    assert command_line.main([str(folder), "--judges", judge]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "pip install 'vqaudio[judges]'" in error


def test_an_unknown_judge_is_refused(folder, capsys):
    assert command_line.main([str(folder), "--judges", "jury"]) == 2
    assert "Invalid value for '--judges'" in capsys.readouterr().err


def test_judges_are_columns_beside_a_row_for_the_recordings(folder, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("vqaudio.codec.codec.load", lambda name, device, **given: RoundingCodec())
    monkeypatch.setitem(sys.modules, "pocketsphinx", SimpleNamespace(Decoder=lambda **options: Recogniser()))
    monkeypatch.setattr(Recogniser, "process_raw", lambda self, data, full_utt: setattr(self, "heard", "a b c d"))
    out, picture = tmp_path / "out.json", tmp_path / "out.png"
    arguments = [str(folder), "--peers", "none", "--codebooks", "2", "--judges", "words"]
    assert command_line.main([*arguments, "--json", str(out), "--plot", str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "words changed (%)" in lines[0]
    assert lines[2].startswith("| original ")
    original, coded = json.loads(out.read_text())["systems"]
    assert original["kbps"] == 256.0
    assert original["means"]["words_changed"] == {"mean": 0.0, "half_width_95": 0.0, "clips": 3}
    assert [file["words_changed"] for file in coded["files"]] == [0.0, 0.0, 0.0]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_all_stands_for_every_judge(monkeypatch):
    monkeypatch.setattr("vqaudio.evaluation.judges.load", lambda package: None)
    every = find_judges(["all"])
    assert list(every) == [key for judge in JUDGES.values() for key in judge.metrics]
    assert list(find_judges(["visqol", "words", "visqol"])) == ["visqol", "words_changed"]
    assert find_judges([]) == {}


# -------------------------------------------------------------------------------------------------- the real judges


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("judge", JUDGES)
def test_real_judges_say_the_same_again_and_those_that_compare_prefer_the_recording(judge):
    if not installed(judge):
        pytest.skip(f"what {judge} needs is not installed (extra judges)")
    clip = speech(3.0)
    ruin = (np.round(clip * 8) / 8 + 0.02 * np.random.default_rng(0).standard_normal(len(clip))).astype(np.float32)
    for name, metric in find_judges([judge]).items():
        kept, ruined, again = (metric.measure(clip, wave) for wave in (clip.copy(), ruin, clip.copy()))
        assert again == pytest.approx(kept, nan_ok=True)
        if name == "words_changed":  # where any are heard in what is no speech
            assert kept == 0.0 or math.isnan(kept)
        elif metric.compares:
            assert kept > ruined
        else:  # judges of speech alone have no order to promise between two sounds that are none
            assert 1.0 <= min(kept, ruined) <= max(kept, ruined) <= 5.0
            assert kept != ruined
