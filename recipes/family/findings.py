"""What the table shows, in sentences: what theory leads one to expect, beside what was found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recipes.family.measure import Figures

ALIKE = 0.01  # figures of one run each, which differ by less than this share, say nothing
AT_1_KBPS = (
    "pca-1k",
    "kmeans",
    "gmm",
    "vq",
    "vq-loss",
    "vq-rotation",
    "vq-gumbel",
    "fsq",
    "residual",
    "grouped",
    "vqvae2",
)


@dataclass(frozen=True)
class Finding:
    """An expectation, the figures that speak to it, and whether they agree (None where they cannot)."""

    expected: str
    found: str
    agrees: bool | None

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "as expected", False: "**not as expected**", None: "no clear difference"}[self.agrees]


def findings(
    figures: Mapping[str, Figures], levels: Mapping[str, Figures], denoising: Figures, varied: Mapping[str, float]
) -> Iterator[Finding]:
    """All that there is to say, from the figures alone."""
    yield from _ancestors(figures)
    yield from _latents(figures, varied)
    yield from _codes(figures)
    yield from _levels(levels)
    yield from _noise(denoising)


def _less(
    figures: Mapping[str, Figures], one: str, other: str, key: str, unit: str, digits: int = 2
) -> tuple[str, bool | None]:
    """The figure of two systems, and whether that of the first is the smaller one."""
    first, second = figures[one].get(key), figures[other].get(key)
    if first is None or second is None or math.isnan(first + second):
        return "not measured", None
    titles = figures[one]["title"], figures[other]["title"]
    return f"{titles[0]} {first:.{digits}f}{unit}, {titles[1]} {second:.{digits}f}{unit}", below(first, second)


def below(first: float, second: float) -> bool | None:
    """Whether one figure is smaller than another; None where they differ by less than ``ALIKE``."""
    return None if abs(first - second) < ALIKE * max(abs(first), abs(second)) else first < second


def _ancestors(figures: Mapping[str, Figures]) -> Iterator[Finding]:
    found, agrees = _less(figures, "pca-1k", "kmeans", "snr_db", " dB")
    yield Finding("At one rate, quantizing vectors loses less of the waveform than scalars, one by one.", found, agrees)
    found, agrees = _less(figures, "gmm", "pca", "nll", " nats a frame", 1)
    yield Finding("A mixture fits frames better than the single Gaussian of probabilistic PCA.", found, agrees)
    found, agrees = _less(figures, "gmm", "kmeans", "snr_db", " dB")
    yield Finding(
        "k-means minimises the squared error, a mixture does not, so k-means has the better signal-to-noise ratio.",
        found,
        agrees,
    )
    found, agrees = _less(figures, "vq", "kmeans", "log_mel", "", 3)
    yield Finding("At one rate, a VQ-VAE keeps spectra better than k-means of the waveform's frames.", found, agrees)


def _latents(figures: Mapping[str, Figures], varied: Mapping[str, float]) -> Iterator[Finding]:
    found, agrees = _less(figures, "ae", "vae", "log_mel", "", 3)
    yield Finding(
        "An autoencoder, which pays for nothing, reconstructs better than a VAE of the same size.", found, agrees
    )
    pathwise, score = varied["pathwise"], varied["score"]
    yield Finding(
        "The score function's gradient varies more than the pathwise one, of the same model on the same crops.",
        f"variances (traces of the covariance) {score:.3g} and {pathwise:.3g}: {score / pathwise:.3g} times",
        below(pathwise, score),
    )
    found, agrees = _less(figures, "vae", "vae-score", "log_mel", "", 3)
    yield Finding("So with it as long a training leads less far.", found, agrees)
    active = {name: figures[name]["active_units"] for name in ("vae", "vae-score")}
    sizes = figures["vae"]["latent_dim"]
    yield Finding(
        "No posterior collapses: all units are active.",
        f"pathwise {active['vae']} of {sizes}, score function {active['vae-score']} of {sizes}",
        all(count == sizes for count in active.values()),
    )


def _codes(figures: Mapping[str, Figures]) -> Iterator[Finding]:
    found, agrees = _less(figures, "vq-rotation", "vq", "log_mel", "", 3)
    yield Finding("The rotation trick reconstructs better than straight-through.", found, agrees)
    found, agrees = _less(figures, "vq", "vq-loss", "log_mel", "", 3)
    yield Finding("Moving averages teach a codebook sooner than its own loss.", found, agrees)
    found, agrees = _less(figures, "vq", "vq-gumbel", "log_mel", "", 3)
    yield Finding("Drawing codes in training (Gumbel-softmax) costs quality.", found, agrees)
    found, agrees = _less(figures, "vq", "fsq", "used", "", 3)
    yield Finding("FSQ, which has no codebook to collapse, uses more of its codes than a VQ-VAE.", found, agrees)
    found, agrees = _less(figures, "vq", "residual", "log_mel", "", 3)
    yield Finding("At one rate, a single codebook loses less than two, each of the root of its size.", found, agrees)
    at_rate = [name for name in AT_1_KBPS if name in figures]
    for key, label in (("log_mel", "log-mel distance"), ("bound", "bound on the negative log-likelihood")):
        best = min(at_rate, key=lambda name: figures[name][key])
        worst = max(at_rate, key=lambda name: figures[name][key])
        yield Finding(
            f"Near 1 kb/s, the least {label} is that of a network.",
            f"least: {figures[best]['title']} ({figures[best][key]:.3g}), most: {figures[worst]['title']} "
            f"({figures[worst][key]:.3g})",
            best not in ("pca-1k", "kmeans", "gmm"),
        )
    cheaper = [figures[name]["title"] for name in at_rate if figures[name]["counted_kbps"] < figures[name]["kbps"]]
    yield Finding(
        "A prior, even of counts, makes codes cheaper than they are under a uniform one.",
        f"so it is for {len(cheaper)} of {len(at_rate)}",
        len(cheaper) == len(at_rate),
    )


def _levels(levels: Mapping[str, Figures]) -> Iterator[Finding]:
    own, top, bottom = (levels[name] for name in ("own", "top shuffled", "bottom shuffled"))
    yield Finding(
        "Both levels of VQ-VAE-2 are heard: the spectra are worse where the codes of either change places.",
        f"log-mel distance {own['log_mel']:.3f}; top shuffled {top['log_mel']:.3f}, bottom {bottom['log_mel']:.3f}",
        below(own["log_mel"], min(top["log_mel"], bottom["log_mel"])),
    )
    yield Finding(
        "The bottom prior listens to the top: bottom codes cost more after top codes in random order.",
        f"{own['bottom_bits']:.2f} bits a code, with the top shuffled {top['bottom_bits']:.2f}",
        below(own["bottom_bits"], top["bottom_bits"]),
    )


def _noise(denoising: Figures) -> Iterator[Finding]:
    weights = denoising["weights"]
    names = [name for name in denoising if name not in ("weights", "in")]
    for weight in (0.0, 0.5):
        at = weights.index(weight)
        scores = {name: denoising[name][at]["log_mel"] for name in names}
        others = min(score for name, score in scores.items() if name != "ae")
        told = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
        if weight:
            claim = f"Under noise of weight {weight:g}, an autoencoder that learned to remove noise comes nearer."
            yield Finding(claim, f"log-mel distance: {told}", below(others, scores["ae"]))
        else:
            claim = "Without noise, the one that never learned of it comes nearest."
            yield Finding(claim, f"log-mel distance: {told}", below(scores["ae"], others))
