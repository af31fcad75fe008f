"""Lhotse's manifests: the same sound as Lhotse reads, where it is installed."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from made_corpora import RATE, make_sounds, utterances

from vqaudio.corpora import open_corpus
from vqaudio.errors import CorpusError


@pytest.fixture
def place(tmp_path):
    return make_sounds(tmp_path)


def recording(name: str, path: str, seconds: float, channels: int = 1, **more):
    ids = list(range(channels))
    source = {"type": "file", "channels": ids, "source": path}
    count = round(seconds * RATE)
    known = {"sampling_rate": RATE, "num_samples": count, "duration": seconds, "channel_ids": ids}
    return {"id": name, "sources": [source], **known, **more}


def supervision(name: str, of: str, start: float, duration: float, **more):
    return {"id": name, "recording_id": of, "start": start, "duration": duration, "channel": 0, **more}


def cut(name: str, of, start: float, duration: float, channel=0, supervisions=(), **more):
    place = {"start": start, "duration": duration, "channel": channel}
    return {"id": name, **place, "supervisions": list(supervisions), "recording": of, "type": "MonoCut", **more}


MONO, STEREO = recording("r1", "a.wav", 0.5), recording("r2", "deep/b.wav", 0.4, 2)


def put(path, *rows) -> str:
    data = "\n".join(map(json.dumps, rows)).encode()
    path.write_bytes(gzip.compress(data) if path.name.endswith("gz") else data)
    return str(path)


def test_cuts(place):
    spoken = [
        supervision("s2", "r1", 0.2, 0.1, text="b", speaker="ann"),
        supervision("s1", "r1", 0, 0.1, text="a", speaker="ann"),
    ]
    two = [supervision("s3", "r2", 0, 0.1, speaker="ann"), supervision("s4", "r2", 0.1, 0.1, speaker="bob")]
    source = put(
        place / "cuts.jsonl.gz",
        cut("c1", MONO, 0.1, 0.3, supervisions=spoken),
        cut("c2", MONO, 0, 0.5),
        cut("c3", STEREO, 0.1, 0.2, 1, two),
        cut("c4", STEREO, 0.1, 0.2, [0, 1], type="MultiCut"),
    )
    found = utterances(source)
    assert [(u.id, u.text, u.speaker, u.begin, u.duration, u.channel, u.seconds) for u, _ in found] == [
        ("c1", "a b", "ann", 0.1, 0.3, None, 0.3),
        ("c2", "", "", 0.0, None, None, 0.5),
        ("c3", "", "", 0.1, 0.2, 1, 0.2),
        ("c4", "", "", 0.1, 0.2, None, 0.2),
    ]
    assert [len(sound) for _, sound in found] == [4800, 8000, 3200, 3200]


def test_recordings(place):
    (one, _), (two, sound) = utterances(put(place / "x_recordings_train.jsonl", MONO, STEREO))
    assert (one.id, one.path, one.seconds, one.duration) == ("r1", "a.wav", 0.5, None)
    assert (two.channel, len(sound)) == (None, 6400)


def test_supervisions_stand_beside_their_recordings(place):
    rows = [supervision("s1", "r1", 0.1, 0.2, text="hi", speaker="ann"), supervision("s2", "r3", 0, 1)]
    source = put(place / "x_supervisions_train.jsonl.gz", *rows)
    with pytest.raises(CorpusError, match=r"holds supervisions, and .* \(x_recordings_train\.jsonl\.gz\); put"):
        open_corpus(source)
    put(place / "x_recordings_train.jsonl.gz", MONO, STEREO)
    (heard, sound), (_, said) = utterances(source)
    assert (heard.id, heard.text, heard.speaker, heard.begin, len(sound)) == ("s1", "hi", "ann", 0.1, 3200)
    assert said == f"{source}: line 2 is of the recording r3, which is in no manifest beside it"
    with pytest.raises(CorpusError, match="holds supervisions, and no manifest"):
        open_corpus(put(place / "other.jsonl", *rows))


def test_what_cannot_be_read_as_it_is_is_listed(place):
    several = recording("r4", "a.wav", 0.5) | {
        "sources": [{"type": "file", "channels": [c], "source": f"{c}.wav"} for c in (0, 1)]
    }
    command = recording("r5", "a.wav", 0.5) | {"sources": [{"type": "command", "channels": [0], "source": "sox |"}]}
    faster = recording("r6", "a.wav", 0.5, transforms=[{"name": "Speed", "kwargs": {"factor": 1.1}}])
    resampled = recording("r7", "a.wav", 0.5, transforms=[{"name": "Resample", "kwargs": {}}])
    three = recording("r8", "a.wav", 0.5, 3)
    source = put(
        place / "cuts.jsonl",
        cut("c0", resampled, 0, 0.5),
        {"id": "c1", "tracks": [], "type": "MixedCut"},
        cut("c2", several, 0, 0.5, [0, 1]),
        cut("c3", command, 0, 0.5),
        cut("c4", faster, 0, 0.5),
        {"id": "c5", "start": 0, "duration": 1, "channel": 0, "supervisions": [], "features": {}, "type": "MonoCut"},
        cut("c6", three, 0, 0.5, [0, 2]),
        cut("c7", MONO, 0, -1),
        cut("c8", MONO, 0, 0.5, 4),
        {"id": "c9", "type": "MonoCut", "recording": {}, "start": 0, "duration": 1},
        {"id": "c10", "type": "MonoCut", "recording": [1], "start": 0, "duration": 1},
        cut("c11", MONO, "x", 0.5),
    )
    found = utterances(source)
    assert not isinstance(found[0][1], str)
    assert [u.id for u, _ in found[:9]] == [f"c{number}" for number in range(9)]
    none = "is no cut, recording or supervision of Lhotse"
    expected = [
        "is a MixedCut, made while it is read; expected MonoCut: save it as files",
        "has its channels in 2 files, expected one; make a MonoCut of each",
        "has sound of the type command, expected file or url; save it as files",
        "is of a recording that is made by Speed; expected one as it is",
        "has no recording, but features alone; expected a cut of a recording",
        "has 2 of 3 channels, expected one or all; make a MonoCut of each",
        "lasts -1 s from 0 s on, expected more than 0 s from 0 s on",
        "has its channels in 0 files, expected one; make a MonoCut of each",
        f"{none} (KeyError: 'sources'); correct it",
        f"{none} (AttributeError: 'list' object has no attribute 'get'); correct it",
        f"{none} (ValueError: could not convert string to float: 'x'); correct it",
    ]
    assert [said for _, said in found[1:]] == [
        f"{source}: line {number} {said}" for number, said in enumerate(expected, start=2)
    ]


def test_the_sound_is_what_lhotse_reads(place):
    lhotse = pytest.importorskip("lhotse")
    recordings = [lhotse.Recording.from_file(place / name) for name in ("a.wav", "deep/b.wav")]
    cuts = lhotse.CutSet.from_manifests(
        recordings=lhotse.RecordingSet.from_recordings(recordings)
    ).trim_to_unsupervised_segments()
    cuts = lhotse.CutSet.from_cuts(each.truncate(offset=0.1, duration=0.2) for each in cuts)
    cuts.to_file(place / "cuts.jsonl.gz")
    for each, (heard, sound) in zip(cuts, utterances(place / "cuts.jsonl.gz"), strict=True):
        assert heard.id == each.id
        np.testing.assert_allclose(sound, each.load_audio().mean(axis=0), atol=1e-6)
