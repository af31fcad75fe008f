"""What a corpus is made of: utterances, and parts of some of them, which are one task each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import FileError, VqaudioError


@dataclass(frozen=True)
class Utterance:
    """A recording, or what is cut out of a longer one, and what is known of it.

    Attributes:
        id: its name, of which there is no other in SOURCE.
        path: as SOURCE has it.
        corpus: what it belongs to. split: ``train``, ``valid``, or another name for what training leaves alone.
        speaker, label, text: who speaks, of what class it is, what is said; empty where not known.
        starts: when each word or letter of ``text`` begins, in seconds from where the utterance does; empty where not
            known.
        seconds: how long it is, where SOURCE says so.
        begin: where it begins in the recording, in seconds. duration: how long it lasts from there, or None for all.
        channel: the one that is heard, from 0 on, or None for the mean of all.
    """

    id: str
    path: str
    corpus: str
    split: str
    speaker: str = ""
    label: str = ""
    text: str = ""
    starts: tuple[float, ...] = ()
    seconds: float | None = None
    begin: float = 0.0
    duration: float | None = None
    channel: int | None = None


def escaped(text: str) -> str:
    """A text that can be written: what is no letter in it stands as an escape."""
    return text.encode(errors="backslashreplace").decode()


def in_unicode(utterance: Utterance) -> tuple[Utterance, str]:
    """An utterance whose texts can be written, and a sentence if they could not.

    Names of files may be any bytes, and JSON may hold halves of letters: both are shown as escapes.
    """
    texts = {name: value for name, value in vars(utterance).items() if isinstance(value, str)}
    try:
        "".join(texts.values()).encode()
    except UnicodeEncodeError:
        shown = {name: escaped(text) for name, text in texts.items()}
        utterance = Utterance(**(vars(utterance) | shown))
        return utterance, f"{utterance.path}: is no text in UTF-8, or what is known of it is none; correct it"
    return utterance, ""


class Unreached(str):
    """The sentence on a recording that could not be reached: missing, refused, or nobody answered. That may pass.

    A plain ``str`` in its place is on one that was reached and is broken, which is final.
    """


def unheard(error: VqaudioError) -> str:
    """Why there is no sound, of what was raised when it was read."""
    return Unreached(error) if isinstance(error, FileError) else str(error)


Heard = tuple[Utterance, NDArray[np.float32] | str]
"""An utterance, and its sound ``(samples,)`` or a sentence that says why there is none, perhaps :class:`Unreached`."""


@dataclass(frozen=True)
class Part(ABC):
    """Some utterances, in order: what one task takes. Small enough to be sent anywhere, whatever they hold.

    Attributes:
        index: from 0 on. name: of which there is no other in the corpus, and which can be that of a file.
    """

    index: int
    name: str

    @abstractmethod
    def read(self, sample_rate: int) -> Iterator[Heard]:
        """Each utterance with its sound at ``sample_rate`` (Hz), mono, or with the sentence that says why it has none.

        Warns with :class:`vqaudio.errors.AudioWarning` of what a recording lacks.
        """

    @abstractmethod
    def singly(self) -> Iterator[tuple[Utterance, Part]]:
        """Each utterance with a part that holds it alone, for those who must find out at which of them a process dies.

        No sound is decoded here.

        Their index and name are those of this part.
        """
