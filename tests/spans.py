"""How far encoders and decoders see, measured."""

from __future__ import annotations

import torch
from tiny_models import waveforms

from vqaudio.model.decoder import Decoder
from vqaudio.model.encoder import Encoder


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """In float64 with large random weights, so that nothing that is seen is too faint to notice."""
    for parameter in module.double().parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def touched(encoder: Encoder, frame: int, frames: int) -> torch.Tensor:
    """The samples that one frame's features have a gradient for."""
    sound = waveforms(1, frames * encoder.hop_length).double().requires_grad_()
    features = encoder(sound)
    (features[0, :, frame] * torch.randn(features.shape[1], dtype=torch.double)).sum().backward()
    return sound.grad[0, 0].nonzero()[:, 0]


def frames_around_encoder(encoder: Encoder) -> tuple[int, int]:
    """A frame and a number of frames that leave more room on either side than the span."""
    room = 3 + max(encoder.span.left, encoder.span.right) // encoder.hop_length
    return room, 2 * room + 1


def frames_around_decoder(decoder: Decoder) -> tuple[int, int]:
    room = 2 + max(decoder.span.left, decoder.span.right)
    return room, 2 * room + 1
