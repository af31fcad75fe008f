"""The ancestors of the VQ-VAE, fitted instead of trained: principal components, k-means, a mixture of Gaussians.

What is fitted are the weights of an ordinary model with an encoder and a decoder of kind ``frames``: components are its
linear maps, centres are the embeddings of its codebooks. So it is saved, compresses and is judged as any other model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from vqaudio.config.model import FramesDecoderConfig, FramesEncoderConfig, ModelConfig
from vqaudio.errors import ConfigError
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck import VQ, Bottleneck, GroupedVQ
from vqaudio.model.bottleneck.codebook import Codebook
from vqaudio.model.layers import SameConv1d
from vqaudio.model.transforms import MDCT

Floats = NDArray[np.floating]
LEAST_GAIN = 1e-3  # nats per frame, below which EM has converged


@dataclass
class Fitted:
    """What fitting gives.

    Attributes:
        model: in evaluation mode.
        log_density: frames ``(n, hop)`` to ``log p`` in nats ``(n,)``; the frames' basis is orthonormal, so that this
            is the density of the samples too.
        log_likelihood: of the frames it was fitted to, nats per frame, before each step of EM and after the last.
        responsibility: frames to the share ``(n,)`` of the component that each is assigned to.
    """

    model: Autoencoder
    log_density: Callable[[Floats], Floats]
    log_likelihood: list[float] = field(default_factory=list)
    responsibility: Callable[[Floats], Floats] | None = None


@torch.inference_mode()
def frames_of(sounds: Iterable[NDArray[np.float32]], hop: int) -> NDArray[np.float32]:
    """Sounds ``(samples,)`` to lapped frames ``(n, hop)``, as :class:`vqaudio.model.encoder.FramesEncoder` does."""
    analysis = MDCT(hop)
    parts = []
    for sound in sounds:
        padded = np.pad(sound, (0, -len(sound) % hop))
        parts.append(analysis(torch.from_numpy(padded)[None, None])[0].T.numpy())
    return np.concatenate(parts)


def fit_components(config: ModelConfig, frames: Floats, *, seed: int = 0) -> Fitted:
    """Principal components of frames ``(n, hop)``, and k-means for the codebooks of whatever bottleneck there is.

    With ``identity`` that is PCA, with one component a group of ``grouped`` a PCA codec (k-means along one axis is the
    quantizer of Lloyd and Max), with ``vq`` vector quantization. The density is that of probabilistic PCA (Tipping &
    Bishop, "Probabilistic principal component analysis", 1999, eq. 4); k-means is Lloyd, "Least squares quantization in
    PCM", 1982.

    Raises:
        ConfigError: encoder or decoder are not of kind ``frames``, or there are too few frames.
    """
    frames = np.asarray(frames, np.float64)
    model = _model(config, frames)
    components = PCA(config.latent_dim, random_state=seed).fit(frames)
    _set_maps(model, components.mean_, components.components_, components.components_.T)
    _fit_codebooks(model.bottleneck, components.transform(frames), seed)
    return Fitted(model, components.score_samples)


def fit_mixture(config: ModelConfig, frames: Floats, *, iterations: int = 30, seed: int = 0) -> Fitted:
    """A mixture of as many Gaussians as the codebook of ``vq`` has embeddings, by EM from k-means' centres.

    All components have one covariance, by which principal components are whitened: the likeliest component is then that
    with the least ``||z - μ_k||² - 2 log π_k``. The last of ``latent_dim`` features, 0 for all frames, stands for the
    second term, so that the embedding nearest to a frame is that of the largest responsibility. What the components
    leave out counts as noise, as in probabilistic PCA. Source: Dempster, Laird & Rubin, "Maximum likelihood from
    incomplete data via the EM algorithm", 1977; that the likelihood never falls is its theorem 1.

    Raises:
        ConfigError: as :func:`fit_components`; or the bottleneck is not ``vq``, or ``latent_dim`` is 1.
    """
    frames = np.asarray(frames, np.float64)
    model = _model(config, frames)
    if not isinstance(model.bottleneck, VQ) or config.latent_dim < 2:
        raise ConfigError(
            f"a mixture needs the bottleneck vq and latent_dim 2 or more, found {config.bottleneck.kind} and "
            f"{config.latent_dim}: change them"
        )
    components = PCA(config.latent_dim - 1, random_state=seed).fit(frames)
    known = components.transform(frames)
    mixture, likelihoods = _expect_and_maximise(known, len(model.bottleneck.codebook.counts), iterations, seed)
    whiten = mixture.precisions_cholesky_
    inward = np.pad(whiten.T @ components.components_, ((0, 1), (0, 0)))
    outward = np.pad(components.components_.T @ np.linalg.inv(whiten.T), ((0, 0), (0, 1)))
    _set_maps(model, components.mean_, inward, outward)
    weights = np.log(np.maximum(mixture.weights_, 1e-12))
    aside = np.sqrt(2.0 * (weights.max() - weights))
    _place(model.bottleneck.codebook, np.column_stack([mixture.means_ @ whiten, aside]))

    def log_density(frames: Floats) -> Floats:
        known = components.transform(frames)
        left = np.square(frames - components.mean_).sum(1) - np.square(known).sum(1)
        rest, variance = frames.shape[1] - known.shape[1], max(components.noise_variance_, 1e-12)
        noise = 0.5 * (left / variance + rest * np.log(2.0 * np.pi * variance))
        density: Floats = mixture.score_samples(known) - noise
        return density

    def responsibility(frames: Floats) -> Floats:
        shares: Floats = mixture.predict_proba(components.transform(frames)).max(1)
        return shares

    return Fitted(model, log_density, likelihoods, responsibility)


def _model(config: ModelConfig, frames: Floats) -> Autoencoder:
    if not (isinstance(config.encoder, FramesEncoderConfig) and isinstance(config.decoder, FramesDecoderConfig)):
        raise ConfigError(
            f"encoder and decoder are {config.encoder.kind} and {config.decoder.kind}, but only `frames` can be fitted"
        )
    model = Autoencoder(config).eval().requires_grad_(False)
    needed = max([config.latent_dim, *(stream.alphabet for stream in model.bottleneck.streams)])
    if len(frames) < needed or config.latent_dim > config.hop_length:
        raise ConfigError(
            f"{len(frames)} frames of {config.hop_length} numbers found, expected {needed} frames or more, and no more "
            f"components (latent_dim {config.latent_dim}) than numbers: give more sound, or lower these"
        )
    return model


def _set_maps(model: Autoencoder, mean: Floats, inward: Floats, outward: Floats) -> None:
    """Let features be ``inward @ (frame - mean)``, and frames ``outward @ features + mean``."""
    maps = [part for part in (*model.encoder.layers, *model.decoder.layers) if isinstance(part, SameConv1d)]
    values = ((inward, -inward @ mean), (outward, mean))
    for layer, (weight, bias) in zip(maps, values, strict=True):
        layer.get_parameter("weight").copy_(torch.from_numpy(weight)[..., None])
        layer.get_parameter("bias").copy_(torch.from_numpy(bias))


def _fit_codebooks(bottleneck: Bottleneck, features: Floats, seed: int) -> None:
    """k-means for each codebook: on its own channels, and on what the codebooks before it leave of them."""
    groups = [bottleneck]
    if isinstance(bottleneck, GroupedVQ):
        groups = [group for group in bottleneck.groups if isinstance(group, Bottleneck)]
    for group, part in zip(groups, np.array_split(features, len(groups), axis=1), strict=True):
        for book in group.codebook_modules():
            found = KMeans(len(book.counts), n_init=1, max_iter=100, random_state=seed).fit(part)
            _place(book, found.cluster_centers_)
            part = part - found.cluster_centers_[found.labels_]


def _place(book: Codebook, centres: Floats) -> None:
    book.embedding.copy_(torch.from_numpy(centres))
    if book.update == "ema":
        book.sums.copy_(book.embedding)  # counts are one, so this is what keeps the embeddings in place


def _expect_and_maximise(
    vectors: Floats, components: int, iterations: int, seed: int
) -> tuple[GaussianMixture, list[float]]:
    """EM step by step, until the likelihood gains less than ``LEAST_GAIN``; and the likelihoods."""
    start = KMeans(components, n_init=1, random_state=seed).fit(vectors)
    left = vectors - start.cluster_centers_[start.labels_]
    within = left.T @ left / len(left) + 1e-6 * np.eye(vectors.shape[1]) * vectors.var()
    mixture = GaussianMixture(
        components,
        covariance_type="tied",
        reg_covar=1e-9,
        max_iter=1,
        warm_start=True,
        init_params="random_from_data",  # of what is not given below: nothing
        weights_init=np.bincount(start.labels_, minlength=components) / len(vectors),
        means_init=start.cluster_centers_,
        precisions_init=np.linalg.inv(within),
        random_state=seed,
    )
    likelihoods: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of course not, after one step
        for _ in range(iterations):
            likelihoods.append(mixture.fit(vectors).lower_bound_)  # before the step
            if len(likelihoods) > 1 and likelihoods[-1] - likelihoods[-2] < LEAST_GAIN:
                break
    return mixture, [*likelihoods, float(mixture.score(vectors))]
