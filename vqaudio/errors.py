"""What the package raises: one exception that its users need to know, its few refinements, and the advice they give."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

FEW = 12  # names that a message lists in full


class VqaudioError(Exception):
    """Something the caller can put right: says what was found, what was expected and what to do.

    Command lines print the message as one line and exit with a non-zero status; they never show a traceback for it.
    """


class ConfigError(VqaudioError):
    """A config with an unknown key or a value out of range; the message starts with the key's path."""


class FileError(VqaudioError):
    """A file that cannot be opened, read or written, or must not be overwritten."""


class AudioError(VqaudioError):
    """An audio file or array that cannot be read, or holds values that cannot be coded."""


class AudioWarning(UserWarning):
    """A sound file that lacks something: what it holds was read. Command lines print one line for it."""


class CorpusError(VqaudioError):
    """A source of recordings that lists none, or not as its kind is listed."""


class ContainerError(VqaudioError):
    """Bytes that are not a ``.vq`` file, or one that cannot be parsed any further."""


class ModelError(VqaudioError):
    """A model that is missing, damaged, or not the one that wrote a file."""


class RateError(VqaudioError):
    """A rate that a sound cannot be coded at."""


class LostProcessError(VqaudioError):
    """Another process of a training run is gone: killed, or with its machine. The run can go on from its last state."""


class SeriesError(VqaudioError):
    """A table that cannot be read or written, or holds what cannot be coded as asked."""


def install(extra: str) -> str:
    """What brings the packages that an extra of this one names.

    >>> install("tables")
    "pip install 'vqaudio[tables]'"
    """
    return f"pip install 'vqaudio[{extra}]'"


def choice(name: str, known: Iterable[str]) -> str:
    """What to choose instead of ``name``: of a few all are told, of many the three that are most like it.

    >>> choice("speach", ["speech", "digits"])
    'did you mean speech? There are speech, digits'
    """
    names = {each.lower(): each for each in known}
    few = len(names) <= FEW
    near = [names[each] for each in get_close_matches(name.lower(), names, 3, 0.6 if few else 0.0)]
    listed = ", ".join(names.values()) or "none"
    if not near:
        return f"choose one of {listed}"
    *others, last = near
    meant = f"{', '.join(others)} or {last}" if others else last
    return f"did you mean {meant}?" + ("" if len(near) == len(names) else f" There are {listed if few else len(names)}")
