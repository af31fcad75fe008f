"""How far networks see, in numbers; tests of torch's networks hold them to what these do."""

from __future__ import annotations

from vqaudio.inference.spans import Span, same_span


def test_spans_of_layers_in_a_row() -> None:
    first, second = Span(1, 2), Span(3, 5)
    assert first.then(second, stride=4) == Span(1 + 3 * 4, 2 + 5 * 4)
    assert Span().then(second) == second
    assert same_span(7) == Span(3, 3)
    assert same_span(4) == Span(1, 2)
    assert same_span(10, 5) == Span(2, 3)
