"""The contract of pools: work goes in item by item, and comes out as it is finished."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

TRIES = 3
"""So often workers may die at an item before it is run carefully, and so often once more before it has failed."""


@dataclass(frozen=True)
class Finished(Generic[Item, Made]):
    """One item, done or failed.

    Attributes:
        item: what was worked on. made: what came of it, None where it failed.
        failure: None, or in one sentence why: a :class:`vqaudio.errors.VqaudioError` of the work, or that workers died
            at it again and again.
        seconds: that the work took, without those of workers that died.
    """

    item: Item
    made: Made | None
    failure: str | None
    seconds: float


def died(item: object, how: str) -> str:
    """The sentence on an item at which no worker stayed alive; ``how`` the last one died."""
    return (
        f"{item}: workers died at it again and again, the last one {how}; see whether memory is enough, or leave it out"
    )


class Pool(ABC):
    """Workers of one thread each, to be used in a ``with`` block.

    Attributes:
        workers: how many items are worked on at a time.
    """

    workers: int

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @abstractmethod
    def run(self, work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Finished[Item, Made]]:
        """Do the work on each item; they come out in the order in which they finish.

        ``items`` are taken as workers come free, so there may be any number of them. ``work`` and each item are
        pickled, and so should be small; ``str(item)`` names it in messages. What is dear to make is kept once a
        process, by ``functools.cache`` in the module of the work. The work must be idempotent: where a worker dies, it
        is cut off anywhere and done again, and it may run twice. An item at which workers died several times is run
        with :func:`vqaudio.cluster.is_careful` true, so that the work may find out which part of it kills.

        A :class:`vqaudio.errors.VqaudioError` of the work is told in :class:`Finished`, and the rest goes on; any other
        exception is raised here and ends the run.
        """

    @abstractmethod
    def close(self) -> None:
        """Let the workers go; what they are at is cut off."""
