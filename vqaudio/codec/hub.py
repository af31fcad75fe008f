"""Models in the Hub's layout: a folder, or a repository on the Hugging Face Hub.

::

    config.json              what the model is called, its codes and rates, and the settings of its networks
    model.safetensors        the model, as vqaudio.load() takes it: settings and weights
    prior.int8.safetensors   the integer prior for its codes, where there is one
    README.md                the card

Only the Hub itself needs ``huggingface_hub`` (``pip install 'vqaudio[hub]'``), and nothing here imports it before.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vqaudio.codec.card import card
from vqaudio.codec.loaded import LoadedModel
from vqaudio.config.reading import dump_json
from vqaudio.errors import ModelError, install
from vqaudio.files import atomic_write
from vqaudio.intnet import INT8_SUFFIX
from vqaudio.registry import fingerprint

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CONFIG, MODEL, PRIOR, CARD = "config.json", "model.safetensors", f"prior{INT8_SUFFIX}", "README.md"
MODEL_TYPE = "vqaudio"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Pretrained:
    """The files of a model in a folder.

    Attributes:
        model, prior: the files; of the latter there may be none.
        name, fingerprint: what the folder calls the model, and its codes.
    """

    model: Path
    prior: Path | None
    name: str
    fingerprint: str


@dataclass(frozen=True)
class HubOptions:
    """Which version of a repository, and how to get at it; as the functions of ``huggingface_hub`` take them.

    Attributes:
        revision: a branch, a tag or a commit; the main branch by default.
        token: what one may read is decided by; by default what ``hf auth login`` has stored, False for none.
        cache_dir: where files are kept.
    """

    revision: str | None = None
    token: str | bool | None = None
    cache_dir: str | Path | None = None


def pretrained(name_or_path: str | Path, options: HubOptions) -> Pretrained | None:
    """The files of a model in a folder, or else in a repository on the Hub; None for what names neither.

    Raises:
        ModelError: a folder or a repository without a model of ours, no such repository, or the Hub cannot be reached.
    """
    if Path(name_or_path).is_dir():
        return _in_folder(Path(name_or_path), str(name_or_path))
    repository = str(name_or_path)
    if not _REPOSITORY.fullmatch(repository) or Path(repository).exists():
        return None
    where = f"{repository}: is neither a file nor a folder, and on the Hub"
    api = _api(f"{repository}: is neither a file nor a folder; to look on the Hub", options.token)
    with _told(where, options.revision):

        def fetched(file: str, revision: str | None) -> Path:
            found = api.hf_hub_download(repository, file, revision=revision, cache_dir=options.cache_dir)
            return Path(str(found))

        folder = fetched(CONFIG, options.revision).parent
        described = _described(folder / CONFIG, repository)
        for file in (MODEL, PRIOR) if described.get("prior") else (MODEL,):
            fetched(file, folder.name)  # the commit, so that all files are of one
    return _in_folder(folder, repository)


def save(model: LoadedModel, folder: str | Path, *, license: str | None = None) -> None:
    """Write a model into a folder, which is made where there is none; a card and other files in it stay.

    Raises:
        ModelError: the model's file is gone, or holds another model by now. FileError: it cannot be written.
    """
    source = model.path
    if fingerprint(source) != model.fingerprint:
        raise ModelError(f"{source}: was replaced by another model since {model.name} was loaded; load it again")
    about = card(model, license)
    described = {
        "model_type": MODEL_TYPE,
        "name": model.name,
        "fingerprint": model.fingerprint,
        "prior": None if model.prior_file is None else model.prior.fingerprint,
        "sampling_rate": model.sample_rate,
        "frame_rate": model.frame_rate,
        "hop_length": model.hop_length,
        "audio_channels": 1,
        "num_quantizers": model.n_codebooks,
        "codebook_sizes": [stream.alphabet for stream in model.streams],
        "networks": json.loads(dump_json(model.config)),
    }
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{target}: no folder can be made there ({error.strerror}): choose another") from None
    files = {MODEL: source.read_bytes(), CONFIG: f"{json.dumps(described, indent=2)}\n".encode(), CARD: about.encode()}
    if model.prior_file is not None:
        files[PRIOR] = model.prior_file.read_bytes()
    for name, data in files.items():
        if name != CARD or not (target / CARD).exists():
            with atomic_write(target / name) as file:
                file.write(data)


def push(
    model: LoadedModel,
    repository: str,
    *,
    options: HubOptions,
    private: bool | None,
    commit_message: str,
    license: str | None,
) -> str:
    """Upload what :func:`save` writes into a repository, which is made where there is none; returns the commit's URL.

    A card that is there stays.

    Raises:
        ModelError: as :func:`save`, no name of a repository, no right to write there, or the Hub cannot be reached.
    """
    api = _api(f"{repository}: to push there", options.token)
    with tempfile.TemporaryDirectory() as folder:
        save(model, folder, license=license)
        with _told(f"{repository}: on the Hub", options.revision):
            api.create_repo(repository, private=private, exist_ok=True)
            has_card = api.file_exists(repository, CARD, revision=options.revision)
            done = api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                revision=options.revision,
                commit_message=commit_message,
                ignore_patterns=[CARD] if has_card else None,
            )
    return str(done.commit_url)


def _in_folder(folder: Path, name: str) -> Pretrained:
    missing = [file for file in (CONFIG, MODEL) if not (folder / file).is_file()]
    if missing:
        raise ModelError(f"{name}: holds no {' and no '.join(missing)}, so it is no model that save_pretrained() wrote")
    described = _described(folder / CONFIG, name)
    prior = folder / PRIOR
    return Pretrained(folder / MODEL, prior if prior.is_file() else None, described["name"], described["fingerprint"])


def _described(path: Path, name: str) -> dict[str, Any]:
    """What a folder's config says; what is needed of it is there.

    Raises:
        ModelError: it is that of another library, or says nothing.
    """
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{name}: its {CONFIG} cannot be read ({error})") from None
    found: dict[str, Any] = described if isinstance(described, dict) else {}
    kind, title, mark = found.get("model_type"), found.get("name"), found.get("fingerprint")
    if kind != MODEL_TYPE:
        raise ModelError(f"{name}: its {CONFIG} has the model_type {kind!r}: it is no model of {MODEL_TYPE}")
    if not isinstance(title, str) or not 0 < len(title) < 256 or not title.isprintable():
        raise ModelError(f"{name}: its {CONFIG} has {title!r} for a name, which is none; the file is damaged")
    if not isinstance(mark, str) or not re.fullmatch("[0-9a-f]{12}", mark):
        raise ModelError(f"{name}: its {CONFIG} has {mark!r} for a fingerprint, which is none; the file is damaged")
    return found


def _api(what: str, token: str | bool | None) -> HfApi:
    """The Hub.

    Raises:
        ModelError: the extra is missing; ``what`` needs it.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise ModelError(f"{what}, huggingface_hub is needed: {install('hub')}") from None
    return HfApi(token=token, library_name=MODEL_TYPE)


@contextmanager
def _told(where: str, revision: str | None) -> Iterator[None]:
    """Raises ModelErrors of one sentence in place of the Hub's errors."""
    from huggingface_hub import errors

    http = cast(tuple[type[Exception], ...], errors.HfHubHTTPError.__bases__)  # those of the HTTP library in use
    failures: tuple[type[Exception], ...] = (errors.HFValidationError, errors.EntryNotFoundError, OSError, *http)
    try:
        yield
    except failures as error:
        raise ModelError(f"{where} {_reason(error, revision)}") from None


def _reason(error: Exception, revision: str | None) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "it asks for consent: give that on its page, and log in (hf auth login)"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or it is private: check the name, or log in (hf auth login)"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision {revision!r}: name a branch, a tag or a commit"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "nothing can be reached now, nor was it fetched before: check the network"
    if isinstance(error, errors.EntryNotFoundError):
        return f"it lacks {CONFIG} or {MODEL}, so it is no model of {MODEL_TYPE}"
    if isinstance(error, errors.HfHubHTTPError) and error.response.status_code in (401, 403):
        return "this is not allowed: log in (hf auth login), or give a token of someone who may"
    return f"this failed: {' '.join(str(error).split())[:300]}"
