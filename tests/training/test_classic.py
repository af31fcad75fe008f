"""Ancestors that are fitted: lapped frames, principal components, k-means, mixtures; noise for the encoder alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from spans import frames_around_decoder, frames_around_encoder, randomised, touched
from tiny_models import RATE, frames_config, sound, spectral_config, waveforms
from tiny_runs import toy_config, toy_folder
from tools import codec_of, synthetic

from vqaudio.codec.codec import load
from vqaudio.config.model import FramesDecoderConfig, FramesEncoderConfig, ModelConfig
from vqaudio.config.reading import parse
from vqaudio.config.training import DataConfig
from vqaudio.errors import ConfigError
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck import VQ, GroupedVQ
from vqaudio.model.decoder import build_decoder
from vqaudio.model.encoder import build_encoder
from vqaudio.model.transforms import MDCT, InverseMDCT
from vqaudio.training.classic import fit_components, fit_mixture, frames_of
from vqaudio.training.data import Crops
from vqaudio.training.loop import Trainer

HOP = 32


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return frames_of(synthetic(4.0, RATE), HOP)


# ------------------------------------------------------------------------------------------------------ lapped frames


@pytest.mark.parametrize("hop", [2, 8, 80])
def test_lapped_frames_are_orthonormal_coordinates(hop):
    wave = waveforms(2, 12 * hop)
    frames = MDCT(hop)(wave)
    assert frames.shape == (2, hop, 12)
    made = InverseMDCT(hop)(frames)
    inside = slice(hop // 2, 12 * hop - hop // 2)
    torch.testing.assert_close(made[..., inside], wave[..., inside], atol=1e-6, rtol=0)
    some = torch.randn(1, hop, 5)
    quiet = torch.nn.functional.pad(some, (1, 1))
    torch.testing.assert_close(InverseMDCT(hop)(quiet).norm(), some.norm())
    torch.testing.assert_close(MDCT(hop)(InverseMDCT(hop)(quiet)), quiet, atol=1e-5, rtol=0)


def test_a_lapped_frame_by_hand():
    """Two samples a hop: sin(π (n + 1/2) / 4) cos(π (n + 3/2) (k + 1/2) / 2) over n = 0 ... 3."""
    wave = torch.tensor([[[0.0, 0.0, 1.0, 2.0, 3.0, 4.0]]])  # the frame in the middle sees 0, 1, 2, 3
    wanted = [
        sum(
            (0.0, 1.0, 2.0, 3.0)[n] * math.sin(math.pi * (n + 0.5) / 4) * math.cos(math.pi * (n + 1.5) * (k + 0.5) / 2)
            for n in range(4)
        )
        for k in range(2)
    ]
    assert MDCT(2)(wave)[0, :, 1].tolist() == pytest.approx(wanted, abs=1e-6)


def test_spans_are_what_frames_see():
    encoder = randomised(build_encoder(FramesEncoderConfig(hop=HOP), 4))
    frame, count = frames_around_encoder(encoder)
    seen = touched(encoder, frame, count)
    assert (int(seen.min()), int(seen.max())) == (frame * HOP - HOP // 2, (frame + 1) * HOP - 1 + HOP // 2)
    decoder = randomised(build_decoder(FramesDecoderConfig(), 4, hop_length=HOP))
    frame, count = frames_around_decoder(decoder)
    latents = torch.randn(1, 4, count, dtype=torch.double, requires_grad=True)
    decoder(latents)[0, 0, frame * HOP : (frame + 1) * HOP].square().sum().backward()
    seen = latents.grad[0].abs().sum(0).nonzero()[:, 0]
    assert (int(seen.min()), int(seen.max())) == (frame - 1, frame + 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": {"kind": "frames", "hop": 81}}, "multiple of 2"),
        ({"encoder": {"kind": "strided", "strides": [5]}}, "needs an even one"),
        ({"speakers": ["ann"]}, "cannot be told who speaks"),
    ],
)
def test_frames_that_cannot_be(changes, message):
    with pytest.raises(ConfigError, match=message):
        parse(ModelConfig, {"encoder": {"kind": "frames"}, "decoder": {"kind": "frames"}} | changes)


def test_frames_train_as_others_do(tmp_path):
    """A linear autoencoder by gradient."""
    model = frames_config(8).model_copy(update={"sample_rate": RATE})
    run = toy_config(tmp_path, model=model, steps=2)
    path = Trainer(run, progress=False).run()
    assert checkpoint.load(path).model.config == model


# ------------------------------------------------------------------------------------------------------------- fitting


def test_all_components_give_the_sound_back(frames):
    model = fit_components(frames_config(), frames).model
    wave = torch.from_numpy(synthetic(1.0, RATE))[None]
    made = model(wave).waveform
    torch.testing.assert_close(made[..., HOP:-HOP], wave[..., HOP:-HOP], atol=1e-5, rtol=0)


def test_fewer_components_lose_what_the_others_hold(frames):
    """The squared error is the sum of the eigenvalues left out (Pearson, 1901), in frames as in samples."""
    model = fit_components(frames_config(6), frames).model
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(frames.T.astype(float), bias=True)))
    wave = torch.from_numpy(synthetic(4.0, RATE))[None]
    left = (model(wave).waveform - wave)[..., HOP:-HOP].square().mean() * HOP
    assert float(left) == pytest.approx(eigenvalues[:-6].sum(), rel=0.02)


def test_the_density_of_components_by_hand():
    """One component of two: N(μ, C) with the eigenvalue left out as noise, here C itself."""
    random = np.random.default_rng(0)
    points = random.standard_normal((500, 2)) @ np.array([[2.0, 0.3], [0.0, 0.5]]) + [1.0, -1.0]
    two = parse(
        ModelConfig,
        {
            "sample_rate": RATE,
            "latent_dim": 1,
            "encoder": {"kind": "frames", "hop": 2},
            "bottleneck": {"kind": "identity"},
            "decoder": {"kind": "frames"},
        },
    )
    found = fit_components(two, points).log_density(points)
    left, covariance = points - points.mean(0), np.cov(points.T)
    squares = np.einsum("ni,ij,nj->n", left, np.linalg.inv(covariance), left)
    wanted = -0.5 * (squares + np.log(np.linalg.det(covariance)) + 2 * math.log(2 * math.pi))
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_scalar_quantizers_stand_where_lloyd_and_max_put_them(frames):
    fitted = fit_components(frames_config(3, kind="grouped", groups=3, codebook_size=4), frames)
    bottleneck = fitted.model.bottleneck
    assert isinstance(bottleneck, GroupedVQ)
    features = fitted.model.encoder(torch.from_numpy(synthetic(4.0, RATE))[None])
    tokens = bottleneck.encode(features)
    for axis, (codes, group) in enumerate(zip(tokens, bottleneck.groups, strict=True)):
        (centres,) = (book[:, 0] for book in group.additive_codebooks())
        means = torch.stack([features[0, axis][codes[0] == code].mean() for code in range(4)])
        torch.testing.assert_close(centres, means, rtol=0.02, atol=1e-3)  # each the mean of what is nearest to it
    assert [book.shape for book in bottleneck.additive_codebooks()] == [(4, 3)] * 3


def test_k_means_leave_less_the_more_there_are(frames):
    errors = []
    for size in (4, 64):
        model = fit_components(frames_config(12, kind="vq", codebook_size=size), frames).model
        features = model.encoder(torch.from_numpy(synthetic(4.0, RATE))[None])
        errors.append(float((model.bottleneck.decode(model.bottleneck.encode(features)) - features).square().mean()))
    assert errors[1] < 0.5 * errors[0]


def test_the_likelihood_never_falls(frames):
    fitted = fit_mixture(frames_config(9, kind="vq", codebook_size=24), frames, iterations=12)
    assert len(fitted.log_likelihood) > 4
    assert np.all(np.diff(fitted.log_likelihood) > -1e-9)
    assert fitted.log_likelihood[-1] > fitted.log_likelihood[0] + 0.1


def test_the_nearest_entry_is_the_likeliest_component(frames):
    """Tokens of the model against responsibilities of a mixture that scikit-learn fits from the same state."""
    fitted = fit_mixture(frames_config(5, kind="vq", codebook_size=16), frames, iterations=8)
    model = fitted.model
    assert isinstance(model.bottleneck, VQ)
    embeddings = model.bottleneck.codebook.embedding.double().numpy()
    features = model.encoder(torch.from_numpy(synthetic(4.0, RATE))[None])
    codes = model.bottleneck.encode(features)[0][0].numpy()
    known = GaussianMixture(16, covariance_type="spherical")
    known.means_, known.covariances_ = embeddings[:, :-1], np.ones(16)
    known.precisions_cholesky_ = np.ones(16)
    known.weights_ = np.exp(-0.5 * embeddings[:, -1] ** 2)
    known.weights_ /= known.weights_.sum()
    shares = known.predict_proba(features[0, :-1].T.double().numpy())
    assert (codes == shares.argmax(1)).mean() > 0.999
    assert known.weights_.std() > 0.01  # else the last feature would not be tested
    np.testing.assert_allclose(fitted.responsibility(frames), shares.max(1), atol=1e-3)
    assert not features[0, -1].any()


def test_the_density_of_a_mixture_adds_up():
    """One component on all but one axis is a Gaussian with the same density as probabilistic components."""
    frames = np.random.default_rng(0).standard_normal((400, HOP)) * np.linspace(1.0, 2.0, HOP)
    one = frames_config(5, kind="vq", codebook_size=2)
    mixture = fit_mixture(one, np.repeat(frames, 2, axis=0), iterations=40)
    single = fit_components(frames_config(4), np.repeat(frames, 2, axis=0))
    assert mixture.log_density(frames).mean() == pytest.approx(single.log_density(frames).mean(), rel=0.02)


@pytest.mark.parametrize("bottleneck", [{"kind": "vq", "codebook_size": 16}, {"kind": "grouped", "codebook_size": 4}])
def test_files_of_ancestors(tmp_path, frames, bottleneck):
    checkpoint.save(
        fit_components(frames_config(6, **bottleneck), frames).model,
        tmp_path / "old.safetensors",
        training={"seconds": 1},
    )
    codec = load(tmp_path / "old.safetensors")
    wave = sound(3 * RATE, 2)
    made, rate = codec.decompress(codec.compress(wave, RATE))
    assert (made.shape, rate) == (wave.shape, RATE)
    np.testing.assert_array_equal(made, codec.decode(codec.encode(wave, RATE)))


def test_a_mixture_is_a_file_too(frames):
    codec = codec_of(fit_mixture(frames_config(6, kind="vq", codebook_size=8), frames, iterations=3).model)
    wave = synthetic(1.0, RATE)
    made, _ = codec.decompress(codec.compress(wave, RATE))
    assert np.square(made - wave).sum() < 0.9 * np.square(wave).sum()


def test_what_cannot_be_fitted(frames):
    with pytest.raises(ConfigError, match="only `frames` can be fitted"):
        fit_components(spectral_config(), frames)
    with pytest.raises(ConfigError, match="3 frames of 32 numbers found, expected 16"):
        fit_components(frames_config(4, kind="vq", codebook_size=16), frames[:3])
    with pytest.raises(ConfigError, match="no more components"):
        fit_components(frames_config(40), frames)
    with pytest.raises(ConfigError, match="a mixture needs the bottleneck vq"):
        fit_mixture(frames_config(4), frames)


# --------------------------------------------------------------------------------------------------------------- noise


def test_the_encoder_alone_hears_noise(tmp_path):
    toy_folder(tmp_path)

    def crops(noise: float) -> Crops:
        settings = DataConfig(folder=str(tmp_path), crop_seconds=0.5, batch_size=4, noise=noise)
        return Crops(settings, spectral_config(), split="train")

    clean, noisy = crops(0.0).batch(3), crops(0.5).batch(3)
    assert clean.source is clean.target
    assert torch.equal(noisy.target, clean.target)
    added = noisy.source - noisy.target
    level = noisy.target.square().mean(-1).sqrt()
    torch.testing.assert_close(added.square().mean(-1).sqrt(), 0.5 * level, rtol=0.05, atol=0)
    spectrum = torch.fft.rfft(added / level[..., None]).abs().square().mean((0, 1))
    low, high = (float(part.mean()) for part in spectrum.tensor_split(2))
    assert low / high == pytest.approx(1, abs=0.1)
    assert torch.equal(crops(0.5).batch(3).source, noisy.source)  # the same at every call
    with pytest.raises(ConfigError, match="noise"):
        parse(DataConfig, {"noise": -0.1})


def test_a_denoising_run_goes_from_noisy_to_clean(tmp_path, monkeypatch):
    heard = []
    plain = Autoencoder.forward

    def listening(self, waveform, *rest, **more):
        heard.append((self.training, waveform))
        return plain(self, waveform, *rest, **more)

    monkeypatch.setattr(Autoencoder, "forward", listening)
    run = toy_config(tmp_path, steps=1)
    trainer = Trainer(run.model_copy(update={"data": run.data.model_copy(update={"noise": 0.5})}), progress=False)
    trainer.run()
    source = next(wave for training, wave in heard if training)
    batch = trainer.task.train_crops.batch(0, 0)
    assert torch.equal(source, batch.source)
    assert not torch.equal(source, batch.target)
