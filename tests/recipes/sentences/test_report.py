"""What the report counts."""

from __future__ import annotations

from recipes.sentences.report import of_others, share_of


def test_words_count_in_their_order():
    assert share_of(["a b c", "d"], [["a", "b", "c"], ["d"]]) == 1.0
    assert share_of(["a b c", "d"], [["a", "x", "c"], []]) == 0.5
    assert share_of(["a b"], [["b", "a"]]) == 0.5
    assert share_of(["a b"], [["x", "y", "z"]]) == 0.0


def test_others_are_about_as_long_and_never_the_same():
    texts = ["a b c d", "a", "b c", "a", "e f g"]
    others = of_others(texts)
    assert all(one != other for one, other in zip(texts, others, strict=True))
    assert others == ["e f g", "b c", "e f g", "b c", "a b c d"]
