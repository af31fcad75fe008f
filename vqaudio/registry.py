"""Which models there are, and how a file names the one that wrote it. No torch: looking up a name is quick.

A fingerprint is a digest of what a model's codes mean: its bottleneck, at its frame rate. It stands in every ``.vq``
file, so that codes are never decoded by a model of other codes; encoders and decoders may become better, and play all
files of these codes. (Models of before version 0.5 have a digest of everything; one that makes the codes of such a
model says so, and that model's fingerprint is its own.)

Which decoder a model's file holds is told apart from that: by a digest of its weights, and by a version that is counted
as better ones are shipped for the same codes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from vqaudio.errors import ModelError, choice

MODELS = Path(__file__).parent / "models"
LEGACY = Path(__file__).parents[1] / "legacy"
"""What decodes files of models that are not shipped any more: beside the package in a checkout, and no part of it."""
DEFAULT_MODEL = "speech-16k-v4"
NOT_SHIPPED = "not shipped here"
"""What is said in place of the name of a model that has none."""


@dataclass(frozen=True)
class Retired:
    """A model that is not shipped any more, but whose files are still about.

    Attributes:
        name: what it is called.
        commit: of the project's repository, one that holds its file.
        successor: the model in its place.
        is_kept: whether ``legacy/`` holds its decoder and its prior, so that a checkout decodes its files as they are.
        shipped_as: what it was called then, if another model has that name now.
    """

    name: str
    commit: str
    successor: str
    is_kept: bool = False
    shipped_as: str | None = None

    @property
    def file(self) -> str:
        """What it was in ``vqaudio/models`` at that commit."""
        return f"{self.shipped_as or self.name}.safetensors"

    def remedy(self, prior: str | None = None) -> str:
        """What to do to decode its files, and those that were coded with the prior of that fingerprint."""
        if not self.is_kept:
            return recovery(self.commit, self.file, option="--model ")
        return _from_checkout(f"--model legacy/{self.name}.safetensors", *([] if prior is None else _kept_prior(prior)))


def recovery(commit: str, file: str, *, option: str) -> str:
    """How to get a file of ``vqaudio/models`` from a commit of the project's repository, and how to use it.

    ``option`` is what to write before the file's name.
    """
    name = Path(file).name
    return (
        f"in a clone of vqaudio's repository, git show {commit}:vqaudio/models/{file} > {name} brings it back; "
        f"then add {option}{name}"
    )


def _from_checkout(*options: str) -> str:
    return f"a checkout of vqaudio's repository decodes it as it is, and so does {' '.join(options)} from there"


def _kept_prior(prior: str) -> list[str]:
    return [f"--prior legacy/{KEPT_PRIORS[prior]}"] if prior in KEPT_PRIORS else []


RETIRED = {  # by fingerprint; those that are shipped after all are not looked for here
    "9ee3f87fea09": Retired("speech-16k", "3a1624f", DEFAULT_MODEL),
    "6ef04329b3e0": Retired("speech-16k-v2", "c84c8f5", DEFAULT_MODEL),
    "22df6220d6a5": Retired("speech-16k-v3", "01c7f2f", DEFAULT_MODEL, is_kept=True),
    "02a9227c90f4": Retired("digits-v1", "34a284d", "digits", is_kept=True, shipped_as="digits"),
}
RETIRED_PRIORS = {"33f7a2c12598": ("95f59d7", "priors/speech-16k-v2.int8.safetensors")}
"""By fingerprint: the commit and the file in ``vqaudio/models``."""
KEPT_PRIORS = {
    "91c8d176cae6": "priors/speech-16k-v3.int8.safetensors",
    "634577a963c7": "priors/digits-v1.int8.safetensors",
    "5c2c5905bf04": "priors/speech-16k-v4-1.int8.safetensors",
}
"""By fingerprint: the file in ``legacy/``."""


def prior_remedy(prior: str) -> str:
    """What to do to decode what was coded with a prior that is not at hand, by its fingerprint."""
    if prior in KEPT_PRIORS:
        return _from_checkout(*_kept_prior(prior))
    if prior in RETIRED_PRIORS:
        return recovery(*RETIRED_PRIORS[prior], option="--prior ")
    return "give the prior's file with --prior"


def encoder_remedy(fingerprint: str, option: str = "--model ") -> str:
    """What to do where a model's encoder is needed and is not here, by its fingerprint; ``option`` takes a model."""
    if fingerprint not in RETIRED:
        return "use another model"
    model = RETIRED[fingerprint]
    return f"use {model.successor}; or, {recovery(model.commit, model.file, option=option)}"


def shipped_models() -> list[str]:
    """Names of the models inside the package."""
    return sorted(path.stem for path in MODELS.glob("*.safetensors"))


def legacy_models() -> list[str]:
    """Names of the models that are not in the package and whose decoders stand beside it: in a checkout, that is."""
    kept = {model.name for model in RETIRED.values() if model.is_kept}
    return sorted(name for name in kept - {*shipped_models()} if (LEGACY / f"{name}.safetensors").is_file())


def models_here() -> list[str]:
    """Names of the shipped models, then of those in ``legacy/``."""
    return [*shipped_models(), *legacy_models()]


def find(name_or_path: str | Path) -> Path:
    """The file of a shipped model's name, of one in ``legacy/``, or of a path.

    Raises:
        ModelError: none of these; the message lists the shipped models.
    """
    for folder, names in ((MODELS, shipped_models()), (LEGACY, legacy_models())):
        if str(name_or_path) in names:
            return folder / f"{name_or_path}.safetensors"
    path = Path(name_or_path)
    if path.is_file():
        return path
    for model in RETIRED.values():
        if str(name_or_path) == model.name:
            raise ModelError(f"{model.name}: is not shipped any more, {model.successor} replaced it; {model.remedy()}")
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
        if tensor.dtype.kind not in "biuf":  # those that are an extension of numpy are there only if it is imported
            raise TypeError(f"tensor {name} has the type {tensor.dtype}")
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()[:12]


def _checked(codes: str, path: Path) -> str:
    if not re.fullmatch("[0-9a-f]{12}", codes):
        raise ModelError(f"{path}: makes the codes of {codes!r}, which is no fingerprint; the file is damaged")
    return codes


@dataclass(frozen=True)
class Decoder:
    """Which of the decoders of some codes a model's file holds.

    Attributes:
        version: 1 for the first that was shipped, then one more each; None for one that was not shipped.
        fingerprint: first 12 hexadecimal digits of a SHA-256 over its tensors.
    """

    version: int | None
    fingerprint: str


def decoder_of(path: Path) -> Decoder:
    """The decoder in a model's file.

    Raises:
        ModelError: not a safetensors file, or its version is no number.
    """
    return _decoder(version_of(path))


@lru_cache(64)
def _decoder(version: Version) -> Decoder:
    try:
        with safe_open(version.path, framework="numpy") as file:
            number = decoder_version(file.metadata() or {}, version.path)
            return Decoder(number, _digest(file, "", "decoder."))
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # the last two: types that numpy lacks
        raise ModelError(f"{version.path}: is not a readable safetensors file ({error})") from None


def decoder_version(metadata: Mapping[str, str], path: Path) -> int | None:
    """The version of the decoder that a file's metadata tell, if they do.

    Raises:
        ModelError: what they tell is none.
    """
    told = metadata.get("decoder_version")
    if told is None:
        return None
    if not re.fullmatch("[1-9][0-9]{0,5}", told):
        raise ModelError(f"{path}: its decoder has the version {told!r}, expected 1, 2, ...; the file is damaged")
    return int(told)


def name_of(wanted: str) -> str | None:
    """The name of the model with a fingerprint, if it is shipped or was."""
    here = (name for name in models_here() if fingerprint(find(name)) == wanted)
    return next(here, RETIRED[wanted].name if wanted in RETIRED else None)


def find_fingerprint(wanted: str, prior: str | None = None) -> Path:
    """The file of the shipped model with a fingerprint, or else of the one in ``legacy/``.

    Raises:
        ModelError: no model here has it; the message says where to get it, if that is known, and also the prior with
            the fingerprint ``prior``.
    """
    name = name_of(wanted)
    if name is None:
        raise ModelError(f"was written by the model {wanted}, which is not shipped here: give its file with --model")
    if name not in models_here():
        remedy = RETIRED[wanted].remedy(prior)
        raise ModelError(f"was written by the model {name} ({wanted}), not shipped any more; {remedy}")
    return find(name)
