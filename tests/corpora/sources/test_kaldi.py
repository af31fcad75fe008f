"""Kaldi's data directories."""

from __future__ import annotations

import numpy as np
import pytest
from made_corpora import RATE, make_sounds, utterances

from vqaudio.corpora import open_corpus
from vqaudio.errors import CorpusError


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data directory whose paths are relative to where commands run, as those of Kaldi's recipes are."""
    make_sounds(tmp_path / "wavs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def put(data, **files: str) -> None:
    for name, text in files.items():
        (data / name.replace("_scp", ".scp")).write_text(text)


def test_recordings_with_what_stands_beside(data):
    put(
        data,
        wav_scp="u1 wavs/a.wav\nu2\twavs/deep/b.wav\n\nu3 wavs/deep/er/c.flac\n",
        text="u1 HELLO  THERE\nu3 AH\n",
        utt2spk="u3 ann\nu1 bob\n",
        utt2dur="u1 0.5\nu2 0.4\nu3 0.3\n",
    )
    found = utterances(data)
    assert [(u.id, u.path, u.text, u.speaker, u.seconds) for u, _ in found] == [
        ("u1", "wavs/a.wav", "HELLO  THERE", "bob", 0.5),
        ("u2", "wavs/deep/b.wav", "", "", 0.4),
        ("u3", "wavs/deep/er/c.flac", "AH", "ann", 0.3),
    ]
    assert [len(sound) for _, sound in found] == [8000, 6400, 4800]
    assert [u.id for u, _ in utterances(data / "wav.scp")] == ["u1", "u2", "u3"]


def test_segments_are_cut_out_of_recordings(data):
    put(
        data,
        wav_scp="r1 wavs/a.wav\nr2 wavs/deep/b.wav\n",
        segments="r1-1 r1 0.1 0.3\nr1-2 r1 0.3 -1\nr2-1 r2 0.0 0.2 1\n",
        text="r1-1 one\nr1-2 two\nr2-1 three\n",
        utt2spk="r1-1 ann\nr1-2 ann\nr2-1 bob\n",
    )
    found = utterances(data)
    assert [(u.id, u.text, u.speaker, u.begin, u.duration, u.channel) for u, _ in found] == [
        ("r1-1", "one", "ann", 0.1, pytest.approx(0.2), None),
        ("r1-2", "two", "ann", 0.3, None, None),
        ("r2-1", "three", "bob", 0.0, 0.2, 1),
    ]
    assert [len(sound) for _, sound in found] == [3200, 3200, 3200]
    right = np.array([sound for _, sound in found][2])
    whole = utterances(data / ".." / "wavs" / "deep")[0][1]
    assert not np.array_equal(right, whole[:3200])
    assert RATE * 0.2 == 3200


def test_commands_are_not_run(data, tmp_path):
    put(data, wav_scp=f"u1 touch {tmp_path}/ran; cat wavs/a.wav |\n")
    with pytest.raises(CorpusError, match=r"wav\.scp: line 1 is a command \(touch .*\|\), and commands"):
        open_corpus(str(data))
    put(data, wav_scp=f"u1 wavs/a.wav\nu2 touch {tmp_path}/ran |\nu3 raw.ark:42\nu4\n")
    how = "name the sound file itself, or what it writes"
    assert [said.partition(f"{data}/wav.scp: ")[2] for _, said in utterances(data)[1:]] == [
        f"line 2 is a command (touch {tmp_path}/ran |), and commands are not run; {how}",
        "line 3 names a place in an archive (raw.ark:42), expected a sound file; write the recordings as files or tars",
        "line 4 has no path, expected a name and a path",
    ]
    assert not (tmp_path / "ran").exists()


def test_bad_segments_are_listed(data):
    put(
        data,
        wav_scp="r1 wavs/a.wav\nr2 cat x |\n",
        segments="s1 r1 0 0.2\ns2 r9 0 1\ns3\ns4 r1 0.3 0.2\ns5 r1 x 1\ns6 r1\ns7 r2 0 1\ns1 r1 0.2 0.3\ns8 r1 0 9\n",
    )
    said = [heard.removeprefix(f"{data}/segments: ") for _, heard in utterances(data)[1:]]
    assert said[:5] == [
        "line 2 names r9, expected a recording of wav.scp; correct it",
        "line 3 names nothing, expected a recording of wav.scp; correct it",
        "line 4 says 0.3 0.2, expected when it begins and ends, in seconds",
        "line 5 says x 1, expected when it begins and ends, in seconds",
        "line 6 says nothing, expected when it begins and ends, in seconds",
    ]
    assert said[5].startswith(f"{data}/wav.scp: r2 is a command (cat x |), and commands are not run")
    assert said[6] == "s1: is listed more than once; give each utterance an id of its own"
    assert "lasts 0.500 s, but s8 is to be from 0.000 s to 9.000 s of it" in said[7]


def test_what_is_none_is_refused(data):
    put(data, wav_scp="")
    with pytest.raises(CorpusError, match="is empty, expected a name and a path on each line"):
        open_corpus(str(data))
    put(data, wav_scp="u1\n")
    with pytest.raises(CorpusError, match="line 1 has no path, expected a name and a path"):
        open_corpus(str(data))
    (data / "wav.scp").write_bytes(b"u1 a.wav\n\xff\xfe b.wav\n")
    with pytest.raises(CorpusError, match="line 2 is no text in UTF-8"):
        utterances(data)


def test_the_digest_counts_what_stands_beside(data):
    put(data, wav_scp="u1 wavs/a.wav\n")
    alone = open_corpus(str(data)).digest
    put(data, text="u1 hello\n")
    assert open_corpus(str(data)).digest != alone
