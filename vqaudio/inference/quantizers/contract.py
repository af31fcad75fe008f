"""What quantizers refuse, in one voice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray


def expect_streams(tokens: Sequence[NDArray[Any]], count: int) -> None:
    """Refuse any other number of streams.

    Raises:
        ValueError: there are fewer or more.
    """
    if len(tokens) != count:
        wanted = "one stream" if count == 1 else f"{count} streams"
        raise ValueError(f"{wanted} of tokens expected, found {len(tokens)}")


def refuse_cost(code_cost: float, kind: str) -> None:
    """Refuse a cost, where codes cannot be given one.

    Raises:
        ValueError: there is a cost.
    """
    if code_cost:
        raise ValueError(f"codes of kind {kind} have no cost")
