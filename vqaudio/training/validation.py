"""Scores on validation crops, and what to look at and listen to in TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor

from vqaudio.model.autoencoder import Autoencoder
from vqaudio.training.data import Crops
from vqaudio.training.losses import ReconstructionLoss

BATCH = 8

FIGURES = (
    ("mel", "mel", ""),
    ("magnitude", "magnitude", ""),
    ("complex", "complex", ""),
    ("si_sdr_db", "SI-SDR", " dB"),
)


@torch.inference_mode()
def validate(
    model: Autoencoder, loss: ReconstructionLoss, *, crops: Crops, fabric: Fabric, step: int
) -> dict[str, float]:
    """Losses with and without quantization, code usage per codebook; sounds and pictures go to TensorBoard."""
    training = model.training
    model.eval()
    crop_seconds = crops.samples / crops.sample_rate
    rounds = max(1, round(crops.config.valid_seconds / crop_seconds / BATCH))
    sums: dict[str, float] = {}
    tokens: list[list[Tensor]] = []
    for index in range(rounds):
        batch = crops.batch(index, 0, size=BATCH).to(fabric.device)
        target = batch.target
        made = model(target, speaker=batch.speaker)
        tokens.append(made.tokens)
        plain = model(target, quantize=False, speaker=batch.speaker)
        for prefix, waveform in (("", made.waveform), ("unquantized_", plain.waveform)):
            _, terms = loss(waveform, target)
            terms["si_sdr_db"] = si_sdr(waveform, target).mean()
            for name, value in terms.items():
                sums[prefix + name] = sums.get(prefix + name, 0.0) + float(value) / rounds
        if index == 0:
            _show(fabric, target, made.waveform, crops.sample_rate, step)
    for level, stream in enumerate(model.bottleneck.streams):
        codes = torch.cat([batch[level].flatten() for batch in tokens])
        sums.update(code_usage(codes, stream.alphabet, suffix=f"_{level + 1}"))
    model.train(training)
    return sums


def summary(scores: Mapping[str, float]) -> str:
    """The main figures of a validation, without quantization in brackets; of codebooks, the worst."""
    parts = []
    for name, label, unit in FIGURES:
        if name in scores:
            parts.append(f"{label} {scores[name]:.3f}{unit} ({scores[f'unquantized_{name}']:.3f})")
    used = [value for name, value in scores.items() if name.startswith("used_")]
    if used:
        perplexity = min(value for name, value in scores.items() if name.startswith("perplexity_"))
        parts.append(f"codes used {min(used):.0%}, perplexity {perplexity:.0f} in the worst of {len(used)} codebooks")
    return ", ".join(parts)


def code_usage(codes: Tensor, alphabet: int, *, suffix: str = "") -> dict[str, float]:
    """Perplexity (``exp`` of the entropy in nats) and share of the alphabet seen in a tensor of codes."""
    counts = torch.bincount(codes.flatten().cpu(), minlength=alphabet).double()
    share = counts / counts.sum()
    entropy = -(share * share.clamp(min=1e-12).log()).sum()
    return {f"perplexity{suffix}": float(entropy.exp()), f"used{suffix}": float((counts > 0).double().mean())}


def si_sdr(estimate: Tensor, target: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB over the last axis.

    Source: Le Roux et al., "SDR - half-baked or well done?", 2019, eq. 4.
    """
    scale = (estimate * target).sum(-1, keepdim=True) / target.square().sum(-1, keepdim=True).clamp(min=1e-9)
    wanted = scale * target
    noise = estimate - wanted
    return 10.0 * torch.log10(wanted.square().sum(-1).clamp(min=1e-9) / noise.square().sum(-1).clamp(min=1e-9))


def _show(fabric: Fabric, target: Tensor, made: Tensor, rate: int, step: int) -> None:
    """Two crops as sound and as log spectrograms, original above reconstruction."""
    for logger in fabric.loggers:
        if not isinstance(logger, TensorBoardLogger):
            continue
        for index in range(min(2, target.shape[0])):
            pair = {"original": target[index, 0], "decoded": made[index, 0]}
            for name, sound in pair.items():
                logger.experiment.add_audio(f"{name}/{index}", sound.cpu().clamp(-1, 1), step, rate)
            pictures = torch.cat([_picture(sound) for sound in pair.values()])
            logger.experiment.add_image(f"spectrogram/{index}", pictures, step, dataformats="HW")


def _picture(sound: Tensor) -> Tensor:
    """``(samples,)`` to a grey picture ``(bins, frames)`` of 80 dB, low frequencies at the bottom."""
    taper = torch.hann_window(512, device=sound.device)
    level = 20.0 * torch.stft(sound, 512, 128, window=taper, return_complex=True).abs().clamp(min=1e-5).log10()
    return ((level - level.max()) / 80.0 + 1.0).clamp(0, 1).flip(0).cpu()
