"""Which models there are, and how a file names the one that wrote it. No torch: looking up a name is quick.

A fingerprint is a digest of a model's config and tensors. It stands in every ``.vq`` file, so that codes are never
decoded by another model than the one that made them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from safetensors import SafetensorError, safe_open

from vqaudio.errors import ModelError

MODELS = Path(__file__).parent / "models"
DEFAULT_MODEL = "speech-16k"


def shipped_models() -> list[str]:
    """Names of the models inside the package."""
    return sorted(path.stem for path in MODELS.glob("*.safetensors"))


def find(name_or_path: str | Path) -> Path:
    """The file of a shipped model's name, or of a path.

    Raises:
        ModelError: neither; the message lists the shipped models.
    """
    if str(name_or_path) in shipped_models():
        return MODELS / f"{name_or_path}.safetensors"
    path = Path(name_or_path)
    if path.is_file():
        return path
    known = ", ".join(shipped_models()) or "none"
    raise ModelError(f"{name_or_path}: no such model; use one of {known}, or the path of a .safetensors file")


def fingerprint(path: Path) -> str:
    """First 12 hexadecimal digits of a SHA-256 over the embedded config and each tensor's name, type, shape and bytes.

    Raises:
        ModelError: not a safetensors file.
    """
    try:
        now = path.stat()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    return _digest(path.absolute(), now.st_ino, now.st_mtime_ns, now.st_size)


@cache
def _digest(path: Path, *version: int) -> str:
    """The fingerprint of one ``version`` of a file: training writes new ones under the same name."""
    try:
        with safe_open(path, framework="numpy") as file:
            digest = hashlib.sha256((file.metadata() or {}).get("config", "").encode())
            for name in sorted(file.keys()):
                tensor = file.get_tensor(name)
                digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
                digest.update(tensor.tobytes())
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # the last two: types that numpy lacks
        raise ModelError(f"{path}: is not a readable safetensors file ({error})") from None
    return digest.hexdigest()[:12]


def name_of(wanted: str) -> str | None:
    """The shipped model with a fingerprint, if there is one."""
    return next((name for name in shipped_models() if fingerprint(find(name)) == wanted), None)
