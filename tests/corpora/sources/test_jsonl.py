"""JSON lines, as NeMo has them."""

from __future__ import annotations

import gzip
import json

import pytest
from made_corpora import make_sounds, utterances

from vqaudio.corpora import open_corpus
from vqaudio.corpora.sources import jsonl
from vqaudio.errors import CorpusError


@pytest.fixture
def place(tmp_path):
    return make_sounds(tmp_path)


ROWS = [
    {"audio_filepath": "a.wav", "duration": 0.5, "text": "grüß dich"},
    {"audio_filepath": "deep/b.wav", "offset": 0.1, "duration": 0.2, "speaker": "ann", "text": ""},
]


def lines(rows) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows).encode()


@pytest.mark.parametrize("name", ["x.jsonl", "train_manifest.json", "x.jsonl.gz"])
def test_a_manifest_of_nemo(place, name):
    data = lines(ROWS)
    (place / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    (first, whole), (second, part) = utterances(place / name)
    assert (first.id, first.text, first.seconds, first.duration, len(whole)) == ("a.wav", "grüß dich", 0.5, None, 8000)
    assert (second.id, second.speaker, second.begin, len(part)) == ("deep/b.wav:0.100+0.200", "ann", 0.1, 3200)


def test_bad_lines_are_listed_and_the_rest_is_read(place):
    bad = ["{", "[1]", "null", {"text": "no path"}, {"audio_filepath": "a.wav", "duration": "long"}, ""]
    (place / "x.jsonl").write_bytes(lines([ROWS[0], *bad, ROWS[1]]))
    found = utterances(place / "x.jsonl")
    said = [heard.removeprefix(f"{place}/x.jsonl: ") for _, heard in found if isinstance(heard, str)]
    assert said[0].startswith("line 2 is no JSON (Expecting property name")
    assert said[1] == "line 3 holds list, expected an object; correct it"
    assert said[2] == "line 4 holds null, expected an object; correct it"
    assert said[3].startswith("line 5: no column with the paths of recordings: found text; expected one called path")
    assert said[4] == "line 6 says long in the column duration, expected a number from 0 on"
    assert (len(said), len(found)) == (5, 7)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty, expected an object on each line"),
        (b'[\n{"audio_filepath": "a.wav"}\n]', r"line 1 is no JSON \(.*\); expected an object on each line: jq -c"),
        (b'[{"audio_filepath": "a.wav"}]', "line 1 holds list; expected an object on each line: jq -c"),
        (b'{\n"audio_filepath": "a.wav"\n}', r"line 1 is no JSON \(.*\); expected an object on each line"),
        (b'{"text": "a"}', "no column with the paths of recordings: found text"),
        (b'"\xff\xfe"', "line 1 is no JSON"),
        (b"[" * 100_000, "line 1 is no JSON"),
    ],
)
def test_what_is_none_is_refused(place, data, message):
    (place / "x.jsonl").write_bytes(data)
    with pytest.raises(CorpusError, match=message):
        open_corpus(str(place / "x.jsonl"))


def test_lines_that_do_not_end_are_refused(place, monkeypatch):
    monkeypatch.setattr(jsonl, "_LONGEST", 1 << 20)
    (place / "x.jsonl").write_bytes(lines(ROWS) + b"\n" + b" " * (1 << 20))
    with pytest.raises(CorpusError, match="line 3 is longer than 1 MiB, expected an object on each line"):
        utterances(place / "x.jsonl")


@pytest.mark.parametrize("cut", [slice(0, 40), slice(0, -3), slice(3, None)])
def test_a_packed_file_that_is_damaged(place, cut):
    (place / "x.jsonl.gz").write_bytes(gzip.compress(lines(ROWS * 200))[cut])
    with pytest.raises(CorpusError, match=r"cannot be unpacked after line \d+ \(.*\); get a whole copy"):
        utterances(place / "x.jsonl.gz")


def test_what_can_be_no_name_or_text_is_a_sentence(place):
    (place / "x.jsonl").write_text('{"path": "a\\u0000.wav"}\n{"path": "a.wav", "text": "\\ud800"}\n')
    (_, name), (heard, text) = utterances(place / "x.jsonl")
    assert name.endswith("a\\x00.wav': no such file, as its name has a zero byte in it; correct the name")
    assert (heard.text, text.partition(": ")[0]) == ("\\ud800", "a.wav")
