"""What columns are called, and what may stand in them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from vqaudio.corpora.columns import NAMES, Columns, facts_in
from vqaudio.corpora.utterance import Utterance
from vqaudio.errors import CorpusError


def listed(**row):
    return Columns(list(row), "list.csv").listed(row, "list.csv: row 7")


def test_each_name_of_a_column_is_understood():
    for field, names in NAMES.items():
        for name in names:
            value = {"begin": 1, "end": 3, "duration": 2, "seconds": 2, "channel": 1, "starts": (1, 2)}.get(
                field, "x.wav"
            )
            row = {name.upper().replace("_", " "): value} if field == "path" else {"path": "a.wav", name: value}
            row |= {"begin": 1.0} if field in ("duration", "end") else {}
            assert not listed(**row).problem
            assert getattr(listed(**row).utterance, "duration" if field == "end" else field) == (
                2 if field == "end" else value
            )


def test_names_are_unlike():
    names = [name for choices in NAMES.values() for name in choices]
    assert len(names) == len(set(names))


def test_a_table_without_paths_is_refused_with_what_it_has():
    with pytest.raises(CorpusError, match=r"list\.csv: no column with the paths .*: found a, b; expected one"):
        Columns(["a", "b"], "list.csv")
    with pytest.raises(CorpusError, match="found none"):
        Columns([], "list.csv")


def test_a_row_of_nemo_is_a_stretch_where_it_has_an_offset():
    whole = listed(audio_filepath="x/a.wav", duration=2.5, text="hello").utterance
    assert whole == Utterance("x/a.wav", "x/a.wav", "x", "", text="hello", seconds=2.5)
    part = listed(audio_filepath="/x/a.wav", duration=2.5, offset=1.0, speaker=7).utterance
    assert part == Utterance(
        "/x/a.wav:1.000+2.500", "/x/a.wav", "audio", "", speaker="7", seconds=2.5, begin=1.0, duration=2.5
    )
    assert listed(path="s3://b/a.wav", begin="0", end="1.5", channel=1.0).utterance == Utterance(
        "s3://b/a.wav:0.000+1.500#1", "s3://b/a.wav", "audio", "", seconds=1.5, duration=1.5, channel=1
    )
    assert listed(path="a.wav", offset=2).utterance.id == "a.wav:2.000"


def test_what_is_not_there_is_left_out():
    row = listed(path="../a.wav", id=None, text=math.nan, speaker=None, seconds=math.nan, channel="", offset=None)
    assert row.utterance == Utterance("../a.wav", "../a.wav", "audio", "")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"path": ""}, "has no path in the column path; complete or remove it"),
        ({"path": None}, "has no path in the column path"),
        ({"wav": 3}, "has no path in the column wav"),
        ({"audio": {"bytes": b"RIFF", "path": "a.wav"}}, "holds sound itself in the column audio"),
        ({"path": "a.wav", "duration": "1:02"}, "says 1:02 in the column duration, expected a number from 0 on"),
        ({"path": "a.wav", "Seconds": True}, "says True in the column Seconds, expected a number"),
        ({"path": "a.wav", "offset": "inf"}, "says inf in the column offset, expected a number"),
        ({"path": "a.wav", "offset": -1}, "says -1 in the column offset, expected a number from 0 on"),
        ({"path": "a.wav", "offset": 1, "duration": 0}, "lasts 0 s, expected more than 0"),
        ({"path": "a.wav", "begin": 2, "end": 1}, "lasts -1 s, expected more than 0"),
        ({"path": "a.wav", "channel": 0.5}, "says 0.5 in the column channel, expected 0, 1, ..."),
        ({"path": "a.wav", "channel": [0, 1]}, "says [0, 1] in the column channel, expected a number"),
    ],
)
def test_a_bad_row_is_a_problem_of_its_own(row, problem):
    found = listed(**row)
    assert found.problem.startswith(f"list.csv: row 7 {problem}")
    assert found.utterance.id == "list.csv: row 7"


def test_a_struct_with_a_path_alone_is_that_path():
    assert listed(audio={"bytes": None, "path": "a.wav"}).utterance.path == "a.wav"


def test_facts_of_an_object_are_those_that_can_be():
    row = {"Transcript": " hello ", "spk": 3, "duration": 2, "seconds": "x", "split": "", "offset": 5}
    assert facts_in(row) == {"text": "hello", "speaker": "3", "seconds": 2.0}


def test_the_page_on_corpora_names_every_column():
    page = (Path(__file__).parents[2] / "docs" / "corpora.md").read_text(encoding="utf-8")
    for names in NAMES.values():
        assert set(names) <= set(re.findall(r"`(\w+)`", page))


@pytest.mark.parametrize("value", ["0.25 1  2.5", [0.25, 1, 2.5], (0.25, 1.0, 2.5)])
def test_times_of_symbols_are_numbers_in_a_text_or_a_list(value):
    assert listed(path="a.wav", starts=value).utterance.starts == (0.25, 1.0, 2.5)


@pytest.mark.parametrize("value", ["", None, math.nan, []])
def test_times_may_be_missing(value):
    assert listed(path="a.wav", starts=value).utterance.starts == ()


def test_one_time_may_stand_alone():
    assert listed(path="a.wav", starts=0.5).utterance.starts == (0.5,)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0.2 x", "says x in the column starts, expected a number from 0 on"),
        ("0.2 -1", "says -1 in the column starts"),
        ([1.0, 0.5], "expected times that do not go back"),
    ],
)
def test_times_that_cannot_be_are_named(value, said):
    assert said in listed(path="a.wav", starts=value).problem
