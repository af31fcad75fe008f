"""Rows of any source, checked as they come."""

from __future__ import annotations

import os

import pytest

from vqaudio.corpora.listing import Listed, base_of, checked
from vqaudio.corpora.utterance import Utterance


def rows(*ids: str, split: str = "") -> list[Listed]:
    return [Listed(Utterance(id, f"{id}.wav", "audio", split)) for id in ids]


@pytest.mark.parametrize(("count", "valid"), [(1, []), (2, [1]), (3, [2]), (19, [18]), (20, [19]), (45, [19, 39])])
def test_every_twentieth_is_for_validation_and_of_fewer_the_last(count, valid):
    found = list(checked(rows(*map(str, range(count)))))
    assert [int(row.utterance.id) for row in found if row.utterance.split == "valid"] == valid
    assert {row.utterance.split for row in found} <= {"train", "valid"}


def test_splits_that_are_named_stay():
    assert {row.utterance.split for row in checked(rows(*"abcdef", split="test"))} == {"test"}


def test_an_id_that_was_there_before_is_a_problem(monkeypatch):
    many = [str(number) for number in range(3000)]
    found = list(checked(rows(*many, "7", "2999", "new", "new")))
    assert [row.problem.partition(":")[0] for row in found if row.problem] == ["7", "2999", "new"]
    assert "is listed more than once; give each utterance an id of its own" in found[-1].problem


def test_paths_are_relative_to_the_manifest_or_else_to_where_one_is(tmp_path, monkeypatch):
    (tmp_path / "lists").mkdir()
    (tmp_path / "a.wav").touch()
    manifest = f"{tmp_path}/lists/x.csv"
    monkeypatch.chdir(tmp_path)
    assert base_of(manifest, "a.wav") == os.getcwd()
    assert base_of(manifest, f"{tmp_path}/a.wav") == base_of("lists/x.csv", "b.wav") == f"{tmp_path}/lists"
    (tmp_path / "lists" / "a.wav").touch()
    assert base_of(manifest, "a.wav") == f"{tmp_path}/lists"
    assert base_of("x.csv", "b.wav") == str(tmp_path)
    assert base_of("s3://bucket/lists/x.csv", "b.wav") == "s3://bucket/lists"
