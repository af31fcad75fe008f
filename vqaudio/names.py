"""Advice where a name is not among those that are known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

FEW = 12  # names that a message lists in full


def choice(name: str, known: Iterable[str]) -> str:
    """What to choose instead of ``name``: one of a few, or of many the three that are most like it."""
    names = {each.lower(): each for each in known}
    if len(names) <= FEW:
        return f"choose one of {', '.join(names.values())}"
    *near, last = (names[each] for each in get_close_matches(name.lower(), names, 3, 0.0))
    return f"did you mean {', '.join(near)} or {last}? There are {len(names)}"
