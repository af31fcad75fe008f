"""Small discriminators of both kinds, and sounds for them."""

from __future__ import annotations

from tiny_models import waveforms
from torch import Tensor

from vqaudio.config.training import AdversarialConfig

CONFIG = AdversarialConfig(windows=(256, 64), channels=4, start=0.5, pretrain_steps=0, learning_rate=3e-3)


ALL_KINDS = CONFIG.model_copy(update={"periods": (2, 7), "channels": 2, "period_channels": 2, "loss": "least_squares"})


SAMPLES = 1024


def sounds(seed: int = 0) -> Tensor:
    """Two waveforms ``(2, SAMPLES)``."""
    return waveforms(2, SAMPLES, seed)[:, 0]
