"""The manifest of a folder of tokens: numbers of parts as text, and lists that stay short."""

from __future__ import annotations

import pytest
from made_corpus import MadePart

from vqaudio.container import Stream
from vqaudio.tokenization import manifest
from vqaudio.tokenization.manifest import Manifest
from vqaudio.tokenization.work import Task
from vqaudio.tokens import Origin, PartDone, Problem


@pytest.mark.parametrize(
    ("numbers", "text"), [(set(), ""), ({3}, "3"), ({0, 1, 2, 5}, "0-2,5"), ({1, 3, 4, 9, 10}, "1,3-4,9-10")]
)
def test_numbers_are_ranges_in_text(numbers, text):
    assert manifest._ranges(numbers) == text
    assert set(manifest._indices(text)) == numbers


def test_a_million_failures_are_counted_and_the_first_listed(monkeypatch):
    from tokenizing import how

    monkeypatch.setattr(manifest, "MOST_LISTED", 5)
    made = Manifest(how(), Origin("0123456789ab", (Stream(16),), 50.0), "made", 16000)
    for index in range(3):
        problems = tuple(Problem(str(number), "", "no") for number in range(3))
        made.add(Task(MadePart(index, f"{index:06}", ()), 0), PartDone(1, 1, 1.0, failures=problems))
    assert (made.failed, len(made.failures)) == (9, 5)
    assert made.failures[3] == {"shard": "000001-00", "id": "0", "path": "", "reason": "no"}
