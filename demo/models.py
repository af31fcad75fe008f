"""Which models there are, each loaded once and only when it is needed: importing torch alone takes seconds."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open

from vqaudio.errors import ModelError, choice
from vqaudio.prior.entropy import load_prior, prior_of
from vqaudio.registry import (
    DEFAULT_MODEL,
    Version,
    find,
    fingerprint,
    legacy_models,
    shipped_models,
    version_of,
)

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec
    from vqaudio.codec.opened import StoredSound
    from vqaudio.prior.integer import IntegerPrior

_offered: dict[str, Path] = {}
_loaded: dict[str, tuple[Version, Codec]] = {}
_loading = threading.Lock()


def offer(paths: Sequence[Path]) -> None:
    """Offer models beside the shipped ones and ahead of them, each under a name that tells it from the others.

    Raises:
        ModelError: no such file.
    """
    found = list(dict.fromkeys(find(path).absolute() for path in paths))
    _offered.update(zip(_told_apart(found), found, strict=True))


def _told_apart(paths: Sequence[Path]) -> list[str]:
    """Names of files: their stems, behind as many of their folders as it takes for no two to be alike."""
    parts = [path.with_suffix("").parts[1:] for path in paths]
    depth = 1
    while len({part[-depth:] for part in parts}) < len(parts):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]


def names() -> list[str]:
    """What can be chosen: models given on the command line, the default one, then the other shipped ones."""
    shipped = sorted(shipped_models(), key=lambda name: (name != DEFAULT_MODEL, name))
    return [*_offered, *(name for name in shipped if name not in _offered)]


def path_of(name: str) -> Path:
    """The file of one of :func:`names`, and of nothing else: whoever calls must not open files of this machine.

    Raises:
        ModelError: not one of them.
    """
    if name not in names():
        raise ModelError(f"{name}: no such model here; {choice(name, names())}")
    return _offered.get(name) or find(name)


def codec(name: str) -> Codec:
    """The model in use.

    Raises:
        ModelError: not one of :func:`names`, or a file that is no model.
    """
    return _codec(name, path_of(name))


def _codec(name: str, path: Path) -> Codec:
    with _loading:
        version = version_of(path)
        if name not in _loaded or _loaded[name][0] != version:
            import vqaudio  # late: what runs networks comes along

            _loaded[name] = version, vqaudio.load(path)
        return _loaded[name][1]


def codec_of(stored: StoredSound) -> Codec:
    """The model that decodes a sound.

    Raises:
        ModelError: none of :func:`names` does, and none of earlier ones.
    """
    wanted = stored.header.codec
    here = [(known, path_of(known)) for known in names()]
    for known, path in (*here, *((known, find(known)) for known in legacy_models())):
        if fingerprint(path) == wanted:
            return _codec(known, path)
    raise ModelError(
        f"{stored.name}: was written by the model {wanted}, which is not here; this page has {', '.join(names())}"
    )


def prior(name: str) -> IntegerPrior | None:
    """What a model's codes are sampled from, where there is such a thing; it needs no torch."""
    file = prior_of(fingerprint(path_of(name)))
    return None if file is None else load_prior(file)


def with_prior() -> list[str]:
    """The models that new sound can be sampled from."""
    return [name for name in names() if prior(name) is not None]


def speakers_of_prior(name: str) -> Sequence[str]:
    """The speakers in whose voices a model's prior samples."""
    known = prior(name)
    return () if known is None else known.fields.get("speaker", ())


def speakers(name: str) -> Sequence[str]:
    """The speakers that a model can decode as; most have none."""
    with safe_open(path_of(name), framework="numpy") as file:
        config = json.loads((file.metadata() or {}).get("config", "{}"))
    return tuple(config.get("speakers", ()))


def with_speakers() -> list[str]:
    """The models that can say a recording as another speaker."""
    return [name for name in names() if speakers(name)]
