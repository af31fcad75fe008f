"""The recipe that compares the family: its figures by hand, its sentences, and all of it on three takes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from recipe_scripts import run_recipe
from tiny_models import RATE, frames_config
from tools import synthetic

from recipes.family import measure
from recipes.family.findings import below, findings
from recipes.family.systems import SYSTEMS, System, counted_up
from vqaudio.audio.recordings import Recording
from vqaudio.config.training import LossConfig
from vqaudio.container import Stream
from vqaudio.errors import VqaudioError
from vqaudio.model import checkpoint
from vqaudio.prior.context import ContextPrior
from vqaudio.training.classic import fit_components, frames_of
from vqaudio.training.losses import ReconstructionLoss


def test_every_system_has_a_config_that_holds(tmp_path):
    for system in SYSTEMS:
        if system.fit:
            assert system.fitted().bottleneck.kind == system.bottleneck["kind"]
            continue
        for quick in (False, True):
            run = system.run(tmp_path, quick)
            assert (run.out, run.data.noise) == (str(tmp_path / system.name), system.noise)
            assert (run.model.hop_length, run.model.latent_dim) == (80, 32)
    assert {system.noise for system in SYSTEMS} == {0.0, 0.25, 0.5, 0.75}


def test_gaussian_nats_by_hand():
    """Two samples with errors 1 and 3 under variance 4: each log(2π 4)/2 + e²/8."""
    wanted = math.log(2 * math.pi * 4) + (1 + 9) / 8
    assert measure.gaussian_nats(5.0, 4.0, 2) == pytest.approx(wanted)
    uniform = math.log(2.0)  # on -1 to 1, as 16-bit samples are: 16 bits each
    assert measure.bits_per_sample(80 * uniform, 80) == pytest.approx(16.0)


def test_the_bound_of_codes_by_hand(tmp_path):
    """KL is the logarithm of the alphabet; what is unsaid costs log(2π e σ²)/2 a sample where σ² is as learned."""
    wave = synthetic(2.0, RATE)
    fitted = fit_components(frames_config(6, kind="vq", codebook_size=16), frames_of(wave, 32))
    (tmp_path / "one").mkdir()
    checkpoint.save(fitted.model, tmp_path / "one" / "model.safetensors", training={"seconds": 3.0})
    member = measure.Member(System("one", "One", {"kind": "vq"}, 6), tmp_path)
    clip = wave[0, : 900 * 32]
    figures = measure.likelihood(member, clip, clip)
    made = member.reconstruct(clip)
    variance = float(np.square(made - clip, dtype=np.float64).mean())
    assert figures["kl"] == pytest.approx(math.log(16))
    wanted = math.log(16) + 16 * (math.log(2 * math.pi * variance) + 1)
    assert figures["bound"] == pytest.approx(wanted, abs=0.1)
    every = measure.measure(member, [clip, clip], [clip])
    assert every["kbps"] == pytest.approx(4 * RATE / 32 / 1000)
    assert 0 < every["counted_kbps"] < every["kbps"]
    assert every["counted_bound"] - every["bound"] == pytest.approx(
        (every["counted_kbps"] - every["kbps"]) * 1000 * math.log(2) * 32 / RATE
    )
    assert every["snr_db"] == pytest.approx(10 * np.log10(np.square(clip).mean() / variance), abs=0.05)
    assert (every["seconds"], every["used"]) == (3.0, 1.0)


def test_a_vae_pays_for_what_it_draws(tmp_path):
    torch.manual_seed(0)
    model = fit_components(frames_config(6), frames_of(synthetic(1.0, RATE), 32)).model
    gaussian = frames_config(6, kind="gaussian")
    made = type(model)(gaussian)
    made.load_state_dict(model.state_dict() | made.bottleneck.state_dict(prefix="bottleneck."))
    (tmp_path / "vae").mkdir()
    checkpoint.save(made, tmp_path / "vae" / "model.safetensors")
    member = measure.Member(System("vae", "VAE", {"kind": "gaussian"}, 6), tmp_path)
    clip = synthetic(1.0, RATE)[0]
    figures = measure.likelihood(member, clip, clip)
    mean, log_variance = member.model.bottleneck.posterior(member.latents(clip))
    wanted = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean()
    assert figures["kl"] == pytest.approx(float(wanted), rel=1e-4)
    sampled = measure.squared_error(member.forward(clip, sample=True), clip)
    assert sampled > measure.squared_error(member.forward(clip), clip)
    assert figures["bound"] == pytest.approx(figures["kl"] + 16 * (math.log(2 * math.pi * sampled) + 1))
    crops = [clip[:4992], clip[4992:9984], clip[9984:14976]]
    loss = ReconstructionLoss(LossConfig(margin_seconds=0.0), RATE)
    varied = measure.estimators(member, crops, loss, 8)
    assert 0 < 10 * varied["pathwise"] < varied["score"]
    assert measure.estimators(member, crops, loss, 8) == varied


def test_drawn_codes_follow_the_counts():
    """After 0 always came 1, after 1 always 2, after 2 always 0; of every other stream's codes only 3."""
    prior = ContextPrior((Stream(4, 2), Stream(4, 1)), 1)
    cycle = np.tile([0, 1, 2], 400)
    prior.learn([[np.full(600, 3)], [cycle]])
    coarse, fine = measure.sample_codes(prior, 60, seed=1)
    assert (coarse.shape, fine.shape) == ((1, 30), (1, 60))
    assert (coarse == 3).float().mean() > 0.9
    follows = (fine[0, 1:] == (fine[0, :-1] + 1) % 3).float().mean()
    assert follows > 0.85


def test_clips_count_up(tmp_path):
    import soundfile

    recordings = []
    for speaker, level in (("ann", 0.1), ("bob", 0.2)):
        for digit in "01":
            for take in range(2):
                path = tmp_path / f"{digit}_{speaker}_{take}.wav"
                soundfile.write(path, np.full(100, level + int(digit) / 2 + take / 20), 8000, "FLOAT")
                recordings.append(Recording(path, "digits", "valid", speaker, digit))
    clips = counted_up(recordings, 8000, 1)
    np.testing.assert_allclose([clip[[0, 150]] for clip in clips], [[0.1, 0.6], [0.2, 0.7]], rtol=1e-6)
    assert len(counted_up(recordings, 8000, 5)) == 4
    with pytest.raises(VqaudioError, match="bob does not say each of 0, 1"):
        counted_up(recordings[:5], 8000, 1)


def test_findings_follow_the_figures():
    assert (below(1.0, 2.0), below(2.0, 1.0), below(1.0, 1.005), below(-3.0, -2.0)) == (True, False, None, True)
    same = {"snr_db": 1.0, "log_mel": 0.5, "nll": -3.0, "bound": -2.0, "used": 0.5, "active_units": 32}
    figures = {
        one.name: same | {"title": one.title, "kbps": 1.0, "counted_kbps": 0.9, "latent_dim": 32} for one in SYSTEMS
    }
    figures["ae"]["log_mel"], figures["vae-score"]["active_units"] = 0.6, 3
    levels = {"own": 0.5, "top shuffled": 0.7, "bottom shuffled": 0.6}
    levels = {name: {"log_mel": value, "bottom_bits": 10 * value} for name, value in levels.items()}
    noise = {"weights": [0.0, 0.5], "in": [None, 6.0]}
    noise |= {"ae": [{"log_mel": 0.3}, {"log_mel": 0.5}], "dae-50": [{"log_mel": 0.4}, {"log_mel": 0.4}]}
    varied = {"pathwise": 1.0, "score": 50.0}
    found = {one.expected: one for one in findings(figures, levels, noise, varied)}
    verdicts = {expected: one.verdict for expected, one in found.items()}

    def verdict(part: str) -> str:
        return next(value for expected, value in verdicts.items() if part in expected)

    assert verdict("reconstructs better than a VAE") == "**not as expected**"
    assert verdict("all units are active") == "**not as expected**"
    assert verdict("rotation trick") == "no clear difference"
    assert verdict("listens to the top") == verdict("Both levels") == "as expected"
    assert verdict("Without noise") == verdict("Under noise") == "as expected"
    assert verdict("varies more than the pathwise") == "as expected"
    assert verdict("makes codes cheaper") == "as expected"
    assert len(found) == len(verdicts) > 15


@pytest.mark.slow
def test_the_family_goes_from_recordings_to_a_report(data_folder, tmp_path):
    out = tmp_path / "out"
    arguments = data_folder / "speech" / "digits", "--quick", "--out", out
    done = run_recipe("family", *arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    report = (out / "report.md").read_text()
    assert "Made with --quick" in report
    assert report.count("\n| ") > 35  # systems and findings
    figures = json.loads((out / "figures.json").read_text())
    assert figures["pca-10k"]["snr_db"] > figures["pca-3k"]["snr_db"] > figures["pca-1k"]["snr_db"] > 1
    assert figures["kmeans"]["snr_db"] > figures["pca-1k"]["snr_db"]
    assert figures["pca"]["snr_db"] > figures["pca-10k"]["snr_db"]
    assert figures["vae"]["active_units"] > 0
    own, shuffled = (figures["levels"][name] for name in ("own", "top shuffled"))
    assert shuffled["log_mel"] > own["log_mel"]
    assert figures["estimators"]["score"] > figures["estimators"]["pathwise"] > 0
    assert figures["vqvae2"]["trained_kbps"] > 0
    assert min(figures["text"][f"{name}_kbps"] for name in ("untold", "told", "misled")) > 0
    assert "told another word" in report
    pictures = ("rate_distortion", "latents", "denoising", "interpolation", "samples")
    assert all((out / f"{name}.png").stat().st_size > 10_000 and f"({name}.png)" in report for name in pictures)
    assert len(list((out / "sounds").glob("*.wav"))) > 35
    again = run_recipe("family", *arguments, "--stage", "report")
    assert again.returncode == 0, again.stderr[-2000:]
    assert json.loads((out / "figures.json").read_text()) == figures
