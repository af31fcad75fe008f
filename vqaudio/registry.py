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
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from vqaudio.errors import ModelError
from vqaudio.names import choice

MODELS = Path(__file__).parent / "models"
DEFAULT_MODEL = "speech-16k-v3"


@dataclass(frozen=True)
class Retired:
    """A model that is not shipped any more, but whose files are still about.

    Attributes:
        name: what it was called.
        commit: of the project's repository, the last one that holds its file.
        successor: the model in its place.
    """

    name: str
    commit: str
    successor: str

    @property
    def remedy(self) -> str:
        """What to do to use it."""
        return recovery(self.commit, f"{self.name}.safetensors", "--model")


def recovery(commit: str, file: str, option: str) -> str:
    """How to get a file of ``vqaudio/models`` from a commit of the project's repository, and how to use it."""
    name = Path(file).name
    return (
        f"in a clone of vqaudio's repository, git show {commit}:vqaudio/models/{file} > {name} brings it back; "
        f"then add {option} {name}"
    )


RETIRED = {  # by fingerprint
    "9ee3f87fea09": Retired("speech-16k", "3a1624f", "speech-16k-v3"),
    "6ef04329b3e0": Retired("speech-16k-v2", "c84c8f5", "speech-16k-v3"),
}
RETIRED_PRIORS = {"33f7a2c12598": ("95f59d7", "priors/speech-16k-v2.int8.safetensors")}
"""By fingerprint: the commit and the file in ``vqaudio/models``."""


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
    raise ModelError(f"{name_or_path}: no such model, and no file; {choice(str(name_or_path), shipped_models())}")


def fingerprint(path: Path) -> str:
    """First 12 hexadecimal digits of a SHA-256 over what codes mean: settings, and the bottleneck's tensors.

    Of these the name, type, shape and bytes count. A file that does not say what its codes mean, as a prior's, counts
    whole, with its config. Where a file names the model whose codes it makes, that one's fingerprint is its own.

    Raises:
        ModelError: not a safetensors file.
    """
    return _fingerprint(version_of(path))


@dataclass(frozen=True)
class Version:
    """A file as it is now. Training writes new ones under the same name, so what is kept of a file goes by this."""

    path: Path
    device: int
    inode: int
    modified: int
    changed: int
    size: int


def version_of(path: Path) -> Version:
    """The version of a file that stands under its name now.

    Raises:
        ModelError: there is none.
    """
    try:
        now = path.stat()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    return Version(path, now.st_dev, now.st_ino, now.st_mtime_ns, now.st_ctime_ns, now.st_size)


@lru_cache(256)
def _fingerprint(version: Version) -> str:
    try:
        with safe_open(version.path, framework="numpy") as file:
            return fingerprint_of(file, version.path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{version.path}: is not a readable safetensors file ({error})") from None


def fingerprint_of(file: Any, path: Path) -> str:
    """The :func:`fingerprint` of a safetensors file that is open for numpy: of what is read through ``file``.

    Raises:
        ModelError: it holds what has no fingerprint.
    """
    metadata = file.metadata() or {}
    if "codes" in metadata:
        return _checked(metadata["codes"], path)
    try:
        if "meaning" in metadata:
            return _digest(file, metadata["meaning"], "bottleneck.")
        return _digest(file, metadata.get("config", ""), "")
    except (TypeError, AttributeError) as error:  # types that numpy lacks
        raise ModelError(f"{path}: is not a readable safetensors file ({error})") from None


def _digest(file: Any, text: str, prefix: str) -> str:
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
