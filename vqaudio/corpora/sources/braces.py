"""Names with numbers or choices in braces, as those of shards: ``train-{000..123}.tar``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vqaudio.errors import CorpusError

MOST = 1_000_000
"""Names that a pattern may stand for."""
_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")


def is_pattern(name: str) -> bool:
    """Whether a name has numbers or choices in braces."""
    return _BRACES.search(name) is not None


def expanded(pattern: str) -> Iterator[str]:
    """All names of a pattern, in order; numbers have as many digits as the shorter of their ends, at least.

    >>> list(expanded("{a,b}-{08..10}.tar"))
    ['a-08.tar', 'a-09.tar', 'a-10.tar', 'b-08.tar', 'b-09.tar', 'b-10.tar']

    Raises:
        CorpusError: there are too many, or numbers that go down.
    """
    found = _BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    before, after = pattern[: found.start()], pattern[found.end() :]
    for choice in _choices(found, pattern):
        for rest in expanded(after):
            yield before + choice + rest


def _choices(found: re.Match[str], pattern: str) -> Iterator[str]:
    if found[3] is not None:
        yield from found[3].split(",")
        return
    first, last = int(found[1]), int(found[2])
    if not first <= last < first + MOST:
        raise CorpusError(f"{pattern}: expected {{FIRST..LAST}}, up and at most {MOST} numbers, found {found[0]}")
    width = min(len(found[1]), len(found[2]))
    for number in range(first, last + 1):
        yield f"{number:0{width}}"
