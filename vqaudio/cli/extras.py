"""What a bare installation does not bring: packages of the extras in ``pyproject.toml``, and a sentence for each."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection

from vqaudio.errors import VqaudioError, install

EXTRAS = {
    "tables": ("pyarrow", "wasmtime"),
    "media": ("av",),
    "torch": ("torch",),
    "hub": ("huggingface_hub",),
    "cluster": ("ray",),
    "train": ("librosa", "lightning", "pytorch_optimizer", "sklearn", "tensorboard", "torch", "torchaudio", "yaml"),
    "eval": ("jinja2", "librosa", "matplotlib", "pesq", "pystoi", "sklearn", "scipy", "torch", "torchaudio"),
}
"""Names to import, by the extra that brings them; of extras within it, who needs them asks."""


def need(extra: str, what: str, *, later: Collection[str] = ()) -> None:
    """Do nothing where all packages of an extra are installed; ``what`` is it that needs them.

    ``later`` names those of them that are not needed always: who needs one asks for it there.

    Raises:
        VqaudioError: one is missing; the message says how to install it.
    """
    missing = [name for name in EXTRAS[extra] if name not in later and importlib.util.find_spec(name) is None]
    if missing:
        raise VqaudioError(f"{what} needs {', '.join(missing)}: {install(extra)}")
