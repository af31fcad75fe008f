"""The manifest of a folder of tokens: numbers of parts as text, and lists that stay short."""

from __future__ import annotations

import numpy as np
import pytest
from made_corpus import MadePart

from vqaudio.container import Stream
from vqaudio.tokenization import manifest
from vqaudio.tokenization.manifest import Manifest
from vqaudio.tokenization.work import Task
from vqaudio.tokens import Origin, PartDone, Problem, Row, summary

ORIGIN = Origin("0123456789ab", (Stream(16),), 50.0)


@pytest.mark.parametrize(
    ("numbers", "text"), [(set(), ""), ({3}, "3"), ({0, 1, 2, 5}, "0-2,5"), ({1, 3, 4, 9, 10}, "1,3-4,9-10")]
)
def test_numbers_are_ranges_in_text(numbers, text):
    assert manifest._ranges(numbers) == text
    assert set(manifest._indices(text)) == numbers


def test_a_million_failures_are_counted_and_the_first_listed(monkeypatch):
    from tokenizing import how

    monkeypatch.setattr(manifest, "MOST_LISTED", 5)
    made = Manifest(how(), ORIGIN, "made", 16000)
    for index in range(3):
        problems = tuple(Problem(str(number), "", "no") for number in range(3))
        made.add(Task(MadePart(index, f"{index:06}", ()), 0), PartDone(1, 1, 1_000_000, failures=problems))
    assert (made.failed, len(made.failures)) == (9, 5)
    assert made.failures[3] == {"shard": "000001-00", "id": "0", "path": "", "reason": "no"}


def test_sums_are_the_same_in_any_order_and_after_any_number_of_restarts(tmp_path):
    """What is written is rounded nowhere: a run that goes on from it adds up to what one run does."""
    from tokenizing import how

    random = np.random.default_rng(0)
    parts = []
    for index, seconds in enumerate(random.uniform(0, 10, 40)):
        rows = [Row("", "", "", "", "", 0, [np.zeros(5, np.int32)], id=str(index), seconds=seconds)]
        parts.append((Task(MadePart(index, f"{index:06}", ()), 0), summary(ORIGIN, rows)))
    found = []
    for restarts in (0, 20):
        (tmp_path / str(restarts)).mkdir()
        made = Manifest(how(str(tmp_path / str(restarts)), fingerprint=ORIGIN.codec), ORIGIN, "made", 16000)
        for number, index in enumerate(random.permutation(len(parts))):
            if number < restarts:
                made.save()
                made = Manifest(made.how, ORIGIN, "made", 16000)
                made.load()
            made.add(*parts[index])
        found.append({name: made.facts()[name] for name in ("seconds", "row_seconds", "bits", "rows", "parts")})
    assert found[0] == found[1]
