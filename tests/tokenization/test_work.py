"""The work on one part: what becomes of recordings that cannot be coded, and of one that kills."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_corpus import MadePart
from tokenizing import how, tokenized
from tools import MODEL

from vqaudio import tokens
from vqaudio.cluster.local import LocalPool
from vqaudio.codec.codec import load
from vqaudio.tokenization import work
from vqaudio.tokenization.work import Coded, Task


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    work.check_out.cache_clear()


def coded(*ids: str, version: int = 0, **changes: object) -> Coded:
    return work.code(Task(MadePart(0, "000000", ids), version), how(**changes))


def sound_of(id: str) -> np.ndarray:
    ((_, sound),) = MadePart(0, "", (id,)).read(load(MODEL).sample_rate)
    assert not isinstance(sound, str)
    return sound


def test_each_recording_has_the_codes_that_it_has_alone():
    codec = load(MODEL)
    rows = coded("one", "a longer one", "short").rows
    for row in rows:
        expected = codec.encode(sound_of(row.id), codec.sample_rate, n_codebooks=3, with_margin=False).streams
        assert [part.tolist() for part in row.codes] == [part[0].tolist() for part in expected]
        assert row.seconds == len(sound_of(row.id)) / codec.sample_rate


def test_sound_is_in_memory_some_minutes_at_a_time(monkeypatch):
    ids = [f"number-{number}" for number in range(5)]
    sizes: list[int] = []
    real = work._code_batch
    monkeypatch.setattr(work, "_code_batch", lambda batch, *given: (sizes.append(len(batch)), real(batch, *given)))
    whole = coded(*ids).rows
    monkeypatch.setattr(work, "BATCH_SECONDS", 0.2)
    parts = coded(*ids).rows
    assert sizes == [5, 2, 2, 1]
    assert [[part.tolist() for part in row.codes] for row in parts] == [
        [part.tolist() for part in row.codes] for row in whole
    ]


def test_what_cannot_be_coded_costs_no_other_recording():
    found = coded("one", "empty-two", "loud-three", "broken-four", "five")
    assert [row.id for row in found.rows] == ["one", "five"]
    assert [(each.id, each.path) for each in found.failures] == [
        ("empty-two", "empty-two.wav"),
        ("broken-four", "broken-four.wav"),
        ("loud-three", "loud-three.wav"),
    ]
    assert found.failures[0].reason == "empty-two: holds no sound"
    assert found.failures[2].reason.startswith("loud-three.wav: channel 1 of 1 holds nan at 0.000 s")


def test_copies_are_of_what_is_trained_on_and_tell_of_no_failure_again():
    found = coded("one", "valid-two", "broken-three", "lacking-four", version=1)
    assert [row.id for row in found.rows] == ["one", "lacking-four"]
    assert not found.failures
    assert not found.warnings


def test_warnings_of_others_are_not_kept_to_oneself(monkeypatch):
    class Odd(MadePart):
        def read(self, sample_rate):
            import warnings

            warnings.warn("odd", UserWarning, stacklevel=1)
            yield from super().read(sample_rate)

    with pytest.warns(UserWarning, match="odd"):
        assert len(work.code(Task(Odd(0, "000000", ("one",)), 0), how()).rows) == 1


@pytest.mark.slow
def test_a_recording_that_kills_is_the_only_one_lost():
    """Workers die at its shard until each recording is coded in a process of its own."""
    ids = ["one", "killer-two", "three", "four"]
    done = tokenized(ids=ids, pool=LocalPool(2), shard=3)
    assert [(each["id"], each["shard"]) for each in done.failures] == [("killer-two", "000000-00")]
    reason = done.failures[0]["reason"]
    assert reason.startswith("killer-two.wav: workers died at it again and again, the last one of SIGKILL")
    assert done.facts()["complete"]
    expected = tokenized("others", ids=["one", "broken-two", "three", "four"], shard=3)
    assert expected.done.rows == done.done.rows == 3
    found, others = (tokens.read(Path(out))[1] for out in ("tokens", "others"))
    assert [row.id for row in found] == [row.id for row in others]
    for row, other in zip(found, others, strict=True):
        assert [part.tolist() for part in row.codes] == [part.tolist() for part in other.codes]
