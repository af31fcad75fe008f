"""What a bare installation does not bring: packages of the extras in ``pyproject.toml``, and a sentence for each."""

from __future__ import annotations

import importlib.util

from vqaudio.errors import VqaudioError

EXTRAS = {
    "train": ("lightning", "pytorch_optimizer", "sklearn", "tensorboard", "torchaudio"),
    "eval": ("jinja2", "librosa", "matplotlib", "pesq", "pystoi", "sklearn", "scipy", "torchaudio"),
}
"""Names to import, by the extra that brings them."""


def need(extra: str, what: str) -> None:
    """Do nothing where all packages of an extra are installed; ``what`` is it that needs them.

    Raises:
        VqaudioError: one is missing; the message says how to install it.
    """
    missing = [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
    if missing:
        raise VqaudioError(f"{what} needs {', '.join(missing)}: pip install 'vqaudio[{extra}]'")
