"""Which models there are, and how a file names the one that wrote it. No torch: looking up a name is quick.

A fingerprint is a digest of what a model's codes mean: its bottleneck, at its frame rate. It stands in every ``.vq``
file, so that codes are never decoded by a model of other codes; encoders and decoders may become better, and play all
files of these codes. (Models of before version 0.5 have a digest of everything; one that makes the codes of such a
model says so, and that model's fingerprint is its own.)
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from vqaudio.errors import ModelError

MODELS = Path(__file__).parent / "models"
DEFAULT_MODEL = "speech-16k-v3"


@dataclass(frozen=True)
class Retired:
    """A model that is not shipped any more, but whose files are still about.

    Attributes:
        name: what it was called.
        version: the last version of vqaudio that ships it.
        successor: the model in its place.
    """

    name: str
    version: str
    successor: str

    @property
    def remedy(self) -> str:
        """What to do to use it."""
        return f"vqaudio {self.version} ships it: pip install 'vqaudio=={self.version}', or give its file with --model"


RETIRED = {  # by fingerprint
    "9ee3f87fea09": Retired("speech-16k", "0.1.0", "speech-16k-v3"),
    "6ef04329b3e0": Retired("speech-16k-v2", "0.2.0", "speech-16k-v3"),
}


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
    for model in RETIRED.values():
        if str(name_or_path) == model.name:
            raise ModelError(f"{model.name}: is not shipped any more, {model.successor} replaced it; {model.remedy}")
    known = ", ".join(shipped_models()) or "none"
    raise ModelError(f"{name_or_path}: no such model; use one of {known}, or the path of a .safetensors file")


def fingerprint(path: Path) -> str:
    """First 12 hexadecimal digits of a SHA-256 over what codes mean: settings, and the bottleneck's tensors.

    Of these the name, type, shape and bytes count. A file that does not say what its codes mean, as a prior's, counts
    whole, with its config. Where a file names the model whose codes it makes, that one's fingerprint is its own.

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
            metadata = file.metadata() or {}
            if "codes" in metadata:
                return _checked(metadata["codes"], path)
            if "meaning" in metadata:
                return _digest_of(file, metadata["meaning"], "bottleneck.")
            return _digest_of(file, metadata.get("config", ""), "")
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # the last two: types that numpy lacks
        raise ModelError(f"{path}: is not a readable safetensors file ({error})") from None


def _digest_of(file: Any, text: str, prefix: str) -> str:
    """A digest of a text and of the tensors whose names begin with ``prefix``, in an open safetensors file."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(name for name in file.keys() if name.startswith(prefix)):  # noqa: SIM118 (not a mapping)
        tensor = file.get_tensor(name)
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()[:12]


def _checked(codes: str, path: Path) -> str:
    if not re.fullmatch("[0-9a-f]{12}", codes):
        raise ModelError(f"{path}: makes the codes of {codes!r}, which is no fingerprint; the file is damaged")
    return codes


def name_of(wanted: str) -> str | None:
    """The name of the model with a fingerprint, if it is shipped or was."""
    shipped = (name for name in shipped_models() if fingerprint(find(name)) == wanted)
    return next(shipped, RETIRED[wanted].name if wanted in RETIRED else None)


def find_fingerprint(wanted: str) -> Path:
    """The file of the shipped model with a fingerprint.

    Raises:
        ModelError: no model that is shipped has it; the message says where to get it, if that is known.
    """
    name = name_of(wanted)
    if name is None:
        raise ModelError(f"was written by the model {wanted}, which is not shipped here: give its file with --model")
    if name not in shipped_models():
        raise ModelError(f"was written by the model {name} ({wanted}), not shipped any more; {RETIRED[wanted].remedy}")
    return find(name)
