"""Advice where a name is not among those that are known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

FEW = 12  # names that a message lists in full


def choice(name: str, known: Iterable[str]) -> str:
    """What to choose instead of ``name``: of a few all are told, of many the three that are most like it."""
    names = {each.lower(): each for each in known}
    few = len(names) <= FEW
    near = [names[each] for each in get_close_matches(name.lower(), names, 3, 0.6 if few else 0.0)]
    listed = ", ".join(names.values()) or "none"
    if not near:
        return f"choose one of {listed}"
    *others, last = near
    meant = f"{', '.join(others)} or {last}" if others else last
    return f"did you mean {meant}?" + ("" if len(near) == len(names) else f" There are {listed if few else len(names)}")
