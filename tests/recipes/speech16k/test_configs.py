"""What the configs of the recipe promise."""

from __future__ import annotations

import torch

from recipes.stages import RECIPES
from vqaudio.config.reading import parse
from vqaudio.config.runs import load_yaml
from vqaudio.config.training import TrainConfig
from vqaudio.model.encoder import build_encoder


def test_the_speech_encoder_hears_at_most_60_ms_ahead_of_a_frames_end():
    config = parse(TrainConfig, load_yaml(RECIPES / "speech16k" / "v4-codes.yaml"))
    encoder = build_encoder(config.model.encoder, config.model.latent_dim)
    assert encoder.span.right / config.model.sample_rate <= 0.060
    sound = torch.randn(1, 1, 40 * encoder.hop_length, requires_grad=True)
    encoder(sound)[0, :, 30].square().sum().backward()
    ahead = int(sound.grad[0, 0].nonzero().max()) + 1 - 31 * encoder.hop_length
    assert ahead == encoder.span.right
