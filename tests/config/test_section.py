"""What all groups of settings have in common."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from vqaudio.config.bottleneck import VQConfig
from vqaudio.errors import ConfigError, VqaudioError


def test_a_section_cannot_change_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        VQConfig().codebook_size = 3  # type: ignore[misc]
    assert issubclass(ConfigError, VqaudioError)
