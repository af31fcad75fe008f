"""The report's pictures and sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipes.family.measure import Figures, Member, Streams, sample_codes
from vqaudio.audio.sink import write_array
from vqaudio.evaluation import require
from vqaudio.evaluation.classifier import trim_silence
from vqaudio.evaluation.metrics import Wave
from vqaudio.evaluation.probe import pooled
from vqaudio.model.bottleneck import VQ
from vqaudio.prior.sampling import Sampling

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the way from one recording to the other
POINTS = 1500
PAUSE_SECONDS = 0.15
HOW = Sampling(temperature=0.9, top_p=0.95)  # by a trained prior


def save_sound(path: Path, sound: Wave, rate: int) -> None:
    """A sound ``(samples,)`` as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_array(sound, path, sample_rate=rate)


def new_figure(out: Path, size: tuple[float, float], rows: int = 1, columns: int = 1) -> Any:
    """A figure and its axes, as rows of a list."""
    pyplot = require("matplotlib.pyplot")
    out.mkdir(parents=True, exist_ok=True)
    return pyplot.subplots(rows, columns, figsize=size, constrained_layout=True, squeeze=False)


def save_figure(figure: Any, path: Path) -> None:
    """Written and closed."""
    figure.savefig(path, dpi=130)
    require("matplotlib.pyplot").close(figure)


def spectrogram(axis: Any, sound: Wave, title: str) -> None:
    """70 dB of a sound at 8 kHz."""
    taper = torch.hann_window(256)
    wave = torch.from_numpy(np.ascontiguousarray(sound, np.float32))
    spectrum = torch.stft(wave, 256, 64, window=taper, return_complex=True)
    level = 20.0 * np.log10(spectrum.abs().numpy() + 1e-4)
    axis.imshow(level, origin="lower", aspect="auto", vmin=level.max() - 70.0, cmap="magma")
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=6)


def rate_distortion(out: Path, figures: Mapping[str, Figures]) -> None:
    """Error over rate, of all that have one: a filled mark for codes as they are, a hollow one for counted codes."""
    figure, ((left, right),) = new_figure(out, (13, 5), 1, 2)
    coded = [one for one in figures.values() if one["kbps"] is not None]
    for axis, name, label in ((left, "snr_db", "signal-to-noise ratio (dB)"), (right, "log_mel", "log-mel distance")):
        for index, one in enumerate(coded):
            colour, mark = f"C{index % 10}", "os^D"[index // 10]
            axis.plot([one["kbps"], one["counted_kbps"]], [one[name]] * 2, "-", lw=0.7, color=colour)
            axis.plot(one["kbps"], one[name], mark, color=colour, ms=6, label=one["title"])
            axis.plot(one["counted_kbps"], one[name], mark, mfc="none", color=colour, ms=6)
        axis.set(xlabel="kb/s", ylabel=label, xscale="log")
        axis.grid(alpha=0.3, which="both")
    right.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=7)
    save_figure(figure, out / "rate_distortion.png")


@torch.inference_mode()
def latents(out: Path, members: Sequence[Member], sounds: Sequence[Wave], labels: Sequence[str]) -> None:
    """Principal components of latents, coloured by digit: of single frames above, of whole recordings below.

    Of a VQ-VAE, frames are what is to be quantized, and black dots its codebook's embeddings; of a VAE, a circle is two
    standard deviations of the prior N(0, I).
    """
    from sklearn.decomposition import PCA

    random = np.random.default_rng(0)
    digits = sorted(set(labels))
    numbers = np.array([digits.index(label) for label in labels])
    figure, axes = new_figure(out, (3.6 * len(members), 7), 2, len(members))
    for column, member in enumerate(members):
        vae = member.system.bottleneck["kind"] == "gaussian"
        frames = [member.latents(sound, quantized=vae)[0].numpy() for sound in sounds]
        points = np.concatenate([values.T for values in frames])
        colours = np.repeat(numbers, [values.shape[1] for values in frames])
        chosen = random.permutation(len(points))[:POINTS]
        plane = PCA(2).fit(points)
        shown = plane.transform(points[chosen])
        axis = axes[0][column]
        axis.scatter(*shown.T, c=colours[chosen], s=4, cmap="tab10", alpha=0.6, linewidths=0)
        if isinstance(member.model.bottleneck, VQ):
            axis.scatter(*plane.transform(member.model.bottleneck.codebook.embedding.numpy()).T, c="black", s=2)
        if vae:
            centre = plane.transform(np.zeros((1, points.shape[1])))[0]
            axis.add_patch(require("matplotlib.patches").Circle(centre, 2.0, fill=False, color="grey"))
        axis.set_title(f"{member.system.title}: frames", fontsize=8)
        heard = [pooled(member.latents(sound)[0].numpy()) for sound in sounds]
        recordings = PCA(2).fit_transform(np.stack(heard))
        axes[1][column].scatter(*recordings.T, c=numbers, s=14, cmap="tab10")
        axes[1][column].set_title(f"{member.system.title}: recordings", fontsize=8)
    handles = [
        require("matplotlib.lines").Line2D([], [], marker="o", ls="", ms=4, color=f"C{index}", label=digit)
        for index, digit in enumerate(digits)
    ]
    figure.legend(handles=handles, loc="outside right center", fontsize=7)
    save_figure(figure, out / "latents.png")


def denoised(out: Path, found: Figures, titles: Mapping[str, str]) -> None:
    """What comes out over how much noise goes in."""
    figure, ((left, right),) = new_figure(out, (10, 4), 1, 2)
    for name, title in titles.items():
        for axis, metric in ((left, "snr_db"), (right, "log_mel")):
            axis.plot(found["weights"], [one[metric] for one in found[name]], "o-", ms=4, label=title)
    known = [(weight, value) for weight, value in zip(found["weights"], found["in"], strict=True) if value is not None]
    left.plot(*zip(*known, strict=True), "k:", label="what goes in")
    left.set(xlabel="noise, times the level of speech", ylabel="signal-to-noise ratio (dB)")
    right.set(xlabel="noise, times the level of speech", ylabel="log-mel distance")
    left.legend(fontsize=7)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    save_figure(figure, out / "denoising.png")


@torch.inference_mode()
def interpolation(out: Path, members: Sequence[Member], first: Wave, last: Wave) -> None:
    """From one recording to another through what each bottleneck hears, as pictures and sounds."""
    rate = members[0].codec.sample_rate
    first, last = trim_silence(first, rate), trim_silence(last, rate)
    size = max(len(first), len(last))
    ends = [np.pad(sound, (0, size - len(sound))) for sound in (first, last)]
    pause = np.zeros(round(PAUSE_SECONDS * rate), np.float32)
    figure, axes = new_figure(out, (2.0 * len(STEPS), 1.6 * len(members)), len(members), len(STEPS))
    for row, member in zip(axes, members, strict=True):
        start, end = (member.latents(sound, quantized=False) for sound in ends)
        sounds = []
        for axis, step in zip(row, STEPS, strict=True):
            sounds.append(member.sound(member.model.bottleneck((1.0 - step) * start + step * end).latents))
            spectrogram(axis, sounds[-1], f"{member.system.title}, {step:.0%} of the way")
        joined = np.concatenate([part for sound in sounds for part in (sound, pause)])
        save_sound(out / "sounds" / f"interpolation_{member.system.name}.wav", joined, rate)
    save_figure(figure, out / "interpolation.png")


@torch.inference_mode()
def samples(
    out: Path, members: Sequence[Member], learned: Mapping[str, list[Streams]], seconds: float = 1.0, count: int = 3
) -> None:
    """What each generative system makes from nothing, as pictures and sounds.

    A VAE: latents from its prior N(0, I). Codes: by counts of codes and pairs of codes; where there is a trained prior,
    also by that, told a digit.
    """
    rows: list[tuple[str, str, int, list[Wave]]] = []
    for member in members:
        name, title, rate = member.system.name, member.system.title, member.codec.sample_rate
        frames = round(seconds * member.codec.frame_rate)
        if not member.codec.streams:
            torch.manual_seed(0)
            noise = [torch.randn(1, member.system.latent_dim, frames) for _ in range(count)]
            rows.append((name, f"{title}, z ~ N(0, I)", rate, [member.sound(one) for one in noise]))
            continue
        prior = member.counts(learned[name])
        codes = [sample_codes(prior, frames, seed) for seed in range(count)]
        sounds = [member.sound(member.model.bottleneck.decode(one)) for one in codes]
        rows.append((name, f"{title}, counted codes", rate, sounds))
        if member.codec.prior_file is not None:
            digits, told = said(member, frames, count)
            rows.append((f"{name}_prior", f"{title}, prior, {', '.join(digits)}", rate, told))
    figure, axes = new_figure(out, (2.2 * count, 1.5 * len(rows)), len(rows), count)
    for row, (name, title, rate, sounds) in zip(axes, rows, strict=True):
        for axis, sound in zip(row, sounds, strict=True):
            spectrogram(axis, sound, title)
        save_sound(out / "sounds" / f"sample_{name}.wav", np.concatenate(sounds), rate)
    save_figure(figure, out / "samples.png")


def said(member: Member, frames: int, count: int) -> tuple[list[str], list[Wave]]:
    """Some digits, and what a trained prior makes of them: told as a text where it knows text, else as a label."""
    codec, alphabet = member.codec, member.codec.prior.alphabet
    known = codec.prior.fields["label"] if alphabet is None else alphabet.symbols
    digits = list(known)[:: max(1, len(known) // count)][:count]
    if alphabet is not None:
        return digits, codec.say(digits, sampling=HOW)
    return digits, [codec.sample(frames, condition=f"label={digit}", sampling=HOW)[0] for digit in digits]


def decoded(out: Path, members: Sequence[Member], clip: Wave) -> None:
    """One clip as each system gives it back."""
    for member in members:
        path = out / "sounds" / f"decoded_{member.system.name}.wav"
        save_sound(path, member.reconstruct(clip), member.codec.sample_rate)
    save_sound(out / "sounds" / "original.wav", clip, members[0].codec.sample_rate)
