"""CSV and TSV."""

from __future__ import annotations

import pytest
from made_corpora import make_sounds, utterances

from vqaudio.corpora import open_corpus
from vqaudio.errors import CorpusError


@pytest.fixture
def place(tmp_path):
    return make_sounds(tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_delimiter_of_csv(place, delimiter):
    rows = [["Path", "Speaker ID", "text"], ["a.wav", "ann", '"hi, you; | ""there"""'], ["deep/b.wav", "", "b\tc"]]
    rows[2][2] = "b" if delimiter == "\t" else "b\tc"
    (place / "list.csv").write_text("\ufeff" + "\r\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    (first, sound), (second, _) = utterances(place / "list.csv")
    assert (first.id, first.speaker, first.text, len(sound)) == ("a.wav", "ann", 'hi, you; | "there"', 8000)
    assert (second.path, second.corpus, second.split) == ("deep/b.wav", "deep", "valid")


def test_quotes_in_tsv_are_characters(place):
    (place / "train.tsv").write_text('client_id\tpath\tsentence\n7\ta.wav\t"No", she said\n\n8\tdeep/b.wav\tok"\n')
    found = utterances(place / "train.tsv")
    assert [(u.speaker, u.text) for u, _ in found] == [("7", '"No", she said'), ("8", 'ok"')]


def test_bad_rows_are_listed_and_the_rest_is_read(place):
    rows = ["path,seconds", "a.wav,0.5", ",1", "deep/b.wav,1:02", "a.wav,0.5", "deep/b.wav", "deep/er/c.flac,0.3"]
    (place / "list.csv").write_text("\n".join(rows))
    found = utterances(place / "list.csv")
    said = [heard.removeprefix(f"{place}/list.csv: ") for _, heard in found if isinstance(heard, str)]
    assert said == [
        "row 3 has no path in the column path; complete or remove it",
        "row 4 says 1:02 in the column seconds, expected a number from 0 on",
        "a.wav: is listed more than once; give each utterance an id of its own",
        "row 6 has 1 cells, expected 2, as many as the header names; correct it",
    ]
    assert len(found) == 6


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no column with the paths of recordings: found none"),
        (b"path\n", "has no rows, expected one for each recording"),
        (b"speaker,text\nann,hi\n", "found speaker, text; expected one called path, audio_filepath"),
        (b"path\n\xffa.wav\n", "is no CSV file in UTF-8"),
        (b"path\n" + b"x" * 200_000, "is no CSV file in UTF-8 .field larger than field limit"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is no CSV file in UTF-8"),
        (b"x" * 100_000, "no column with the paths of recordings"),
    ],
)
def test_what_is_no_table_of_recordings_is_refused(place, data, message):
    (place / "list.csv").write_bytes(data)
    with pytest.raises(CorpusError, match=message):
        open_corpus(str(place / "list.csv"))


def test_what_cannot_be_read_later_is_said_then(place):
    (place / "list.csv").write_bytes(b"path\n" + b"a.wav\n" * 4000 + b"\xff\n")
    parts = open_corpus(str(place / "list.csv")).parts()
    assert len(list(next(parts).read(16000))) == 128
    with pytest.raises(CorpusError, match="is no CSV file in UTF-8"):
        list(parts)


def test_the_digest_is_that_of_the_list(place, tmp_path):
    (place / "a.csv").write_text("path\na.wav\n")
    (place / "b.csv").write_text("path\na.wav\n")
    assert open_corpus(str(place / "a.csv")).digest == open_corpus(str(place / "b.csv")).digest
    (place / "b.csv").write_text("path\nb.wav\n")
    assert open_corpus(str(place / "a.csv")).digest != open_corpus(str(place / "b.csv")).digest
