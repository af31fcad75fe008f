"""Parquet."""

from __future__ import annotations

import sys

import pytest
from made_corpora import make_sounds, utterances

from vqaudio.corpora import open_corpus
from vqaudio.errors import CorpusError

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402 - skipped without it


@pytest.fixture
def place(tmp_path):
    return make_sounds(tmp_path)


def put(place, **columns) -> str:
    path = place / "list.parquet"
    parquet.write_table(pyarrow.table(columns), path, row_group_size=2)
    return str(path)


def test_rows_are_utterances(place):
    source = put(
        place,
        wav=["a.wav", "deep/b.wav", None],
        other=[1, 2, 3],
        offset=[0.1, None, 0.0],
        duration=[0.2, 0.4, 1.0],
        speaker_id=[1, 2, 3],
        split=["train", "dev", None],
    )
    (first, sound), (second, whole), (_, bad) = utterances(source)
    assert (first.id, first.begin, first.duration, first.speaker, len(sound)) == (
        "a.wav:0.100+0.200",
        0.1,
        0.2,
        "1",
        3200,
    )
    assert (second.id, second.seconds, second.duration, second.split, len(whole)) == (
        "deep/b.wav",
        0.4,
        None,
        "dev",
        6400,
    )
    assert bad == f"{source}: row 2 (the first is 0) has no path in the column wav; complete or remove it"


def test_an_audio_column_may_hold_paths_but_no_sound(place):
    audio = pyarrow.array([{"bytes": None, "path": "a.wav"}, {"bytes": b"RIFF", "path": "b.wav"}])
    (heard, sound), (_, said) = utterances(put(place, audio=audio))
    assert (heard.id, len(sound)) == ("a.wav", 8000)
    assert "holds sound itself in the column audio, expected a path; write such sound as WebDataset tars" in said


def test_what_is_none_is_refused(place, monkeypatch):
    with pytest.raises(CorpusError, match="no column with the paths of recordings: found a, b; expected one called"):
        open_corpus(put(place, a=[1], b=[2]))
    with pytest.raises(CorpusError, match="has no rows, expected one for each recording"):
        open_corpus(put(place, path=pyarrow.array([], pyarrow.string())))
    whole = (place / "list.parquet").read_bytes()
    for data in (b"", b"path\na.wav\n", whole[:-20]):
        (place / "list.parquet").write_bytes(data)
        with pytest.raises(CorpusError, match=r"is no Parquet file that can be read \(.*\); write it again"):
            open_corpus(str(place / "list.parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CorpusError, match=r"pyarrow is needed to read it: pip install 'vqaudio\[tables\]'"):
        open_corpus(str(place / "list.parquet"))
