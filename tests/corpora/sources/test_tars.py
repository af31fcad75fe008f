"""What is in a WebDataset tar."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
import tracemalloc

import numpy as np
import pytest
from made_corpora import RATE, utterances
from tools import synthetic, wav_bytes

from vqaudio.corpora import open_corpus

WAV = wav_bytes(synthetic(0.25, RATE), RATE)
FLAC = wav_bytes(synthetic(0.5, RATE, 2), RATE, "FLAC", "PCM_16")


def packed(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def put(path, *members: tuple[str, bytes]):
    data = packed(*members)
    path.write_bytes(gzip.compress(data) if path.name.endswith("gz") else data)
    return path


def test_samples_are_files_of_one_name(tmp_path):
    facts = {"speaker": "ann", "split": "dev", "text": "from json", "duration": 0.25, "offset": 7.5}
    source = put(
        tmp_path / "x-000.tar",
        ("./deep/u1.wav", WAV),
        ("deep/u1.json", json.dumps(facts).encode()),
        ("deep/u1.npy", b"\x93NUMPY"),
        ("README.md", b"a tar"),
        ("__meta__.json", b"{}"),
        ("u2.txt", "grüß dich\n".encode()),
        ("u2.cls", b"3"),
        ("u2.clean.FLAC", FLAC),
    )
    (first, wav), (second, flac) = utterances(source)
    assert (first.id, first.path, first.corpus) == ("x-000/deep/u1", "x-000.tar/./deep/u1.wav", "audio")
    assert (first.speaker, first.text, first.split, first.seconds, first.begin) == ("ann", "from json", "dev", 0.25, 0)
    assert (second.id, second.text, second.label, second.split) == ("x-000/u2", "grüß dich", "3", "train")
    np.testing.assert_array_equal(wav, synthetic(0.25, RATE)[0])
    assert len(flac) == 8000


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz"])
def test_packed_or_not_and_one_by_one(tmp_path, name):
    source = put(tmp_path / name, ("1.wav", WAV), ("2.txt", b"no sound"), ("3.flac", FLAC))
    (part,) = open_corpus(str(source)).parts()
    whole = list(part.read(RATE))
    assert [u.id for u, _ in whole] == ["x/1", "x/2", "x/3"]
    assert whole[1][1] == f"{source}/2: is a sample with the sounds none; expected one for each name"
    singles = [heard for _, one in part.singly() for heard in one.read(RATE)]
    assert [u for u, _ in singles] == [u for u, _ in whole] == [u for u, _ in part.singly()]
    for (_, one), (_, other) in zip(singles, whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_twentieth_is_for_validation(tmp_path):
    put(tmp_path / "0.tar", *[(f"{number}.wav", b"") for number in range(25)])
    put(tmp_path / "1.tar", *[(f"{number}.wav", b"") for number in range(25)])
    assert [u.id for u, _ in utterances(tmp_path) if u.split == "valid"] == ["0/19", "1/18"]


def test_samples_that_cannot_be_read_are_listed(tmp_path):
    source = put(
        tmp_path / "x.tar",
        ("1.wav", b"no sound"),
        ("2.wav", WAV),
        ("2.flac", FLAC),
        ("3.wav", WAV),
        ("3.json", b"[1]"),
        ("4.wav", WAV),
        ("4.json", b"{"),
        ("5.wav", WAV),
        ("5.txt", b"\xff"),
        ("6.wav", WAV),
        ("6.txt", b"x" * (1 << 21)),
        ("7.wav", WAV),
        ("1.wav", WAV),
    )
    found = utterances(source)
    said = [heard.removeprefix(f"{source}/") for _, heard in found if isinstance(heard, str)]
    assert [u.id for u, _ in found] == [f"x/{number}" for number in (1, 2, 3, 4, 5, 6, 7, 1)]
    assert [text[:40] for text in said] == [
        "1.wav: is not a sound file that libsndfi",
        "2.wav: is a sample with the sounds 2.wav",
        "3.wav: its .json holds no object; pack i",
        "4.wav: its .json cannot be read (Expecti",
        "5.wav: its .txt cannot be read ('utf-8' ",
        "6.wav: its .txt is longer than 1 MiB; sh",
        "1: another sample of this name stands be",
    ]


def test_a_tar_that_is_cut_off_gives_what_is_whole_and_says_so(tmp_path):
    """At any byte before the mark of its end."""
    source = put(tmp_path / "x.tar", ("1.wav", WAV), ("2.wav", WAV), ("3.wav", WAV))
    whole = source.read_bytes()
    (part,) = open_corpus(str(source)).parts()
    one = 512 + -(-len(WAV) // 512) * 512
    for size in (
        0,
        1,
        511,
        512,
        one - 512,
        one - 1,
        one,
        one + 1,
        one + 600,
        2 * one,
        3 * one - 512,
        3 * one,
        3 * one + 9,
    ):
        source.write_bytes(whole[:size])
        *found, (lost, said) = part.read(RATE)
        assert lost.id == "x.tar"
        assert re.match(rf"{source}: (is damaged behind \d samples \(|ends behind \d, without the mark)", said), size
        assert [(u.id, len(sound)) for u, sound in found] == [
            (f"x/{number}", 4000) for number in range(1, len(found) + 1)
        ]
        assert size // one - 1 <= len(found) <= size // one
        assert [u for _, single in part.singly() for u, _ in single.read(RATE)] == [*(u for u, _ in found), lost]
    source.write_bytes(whole[: 3 * one + 512])
    assert len(list(part.read(RATE))) == 3


def test_damage_in_the_middle_is_said(tmp_path):
    source = put(tmp_path / "x.tar", ("1.wav", WAV), ("2.wav", WAV))
    data = bytearray(source.read_bytes())
    one = 512 + -(-len(WAV) // 512) * 512
    data[one : one + 100] = bytes(range(100))
    source.write_bytes(data)
    (first, sound), (_, said) = utterances(source)
    assert (first.id, len(sound)) == ("x/1", 4000)
    assert said == f"{source}: ends behind 1, without the mark of an end; get a whole copy"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_packed_tar_that_is_cut_off_says_so(tmp_path, share):
    source = put(tmp_path / "x.tar.gz", ("1.wav", WAV), ("2.wav", WAV))
    source.write_bytes(source.read_bytes()[: int(len(source.read_bytes()) * share)])
    (part,) = open_corpus(str(source)).parts()
    said = list(part.read(RATE))[-1][1]
    assert said.startswith(f"{source}: is damaged behind ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"RIFF" * 500, "is damaged behind 0 samples"),
        (packed(), "holds no samples, expected sound files"),
        (packed(("a.npy", b"1")), "holds no samples, expected sound files"),
    ],
)
def test_what_is_no_tar_of_sound_is_said(tmp_path, data, message):
    (tmp_path / "x.tar").write_bytes(data)
    ((heard, said),) = utterances(tmp_path / "x.tar")
    assert (heard.id, heard.path) == ("x.tar", "x.tar")
    assert said.startswith(f"{tmp_path}/x.tar: {message}")


def test_a_tar_that_has_gone_is_said(tmp_path):
    source = put(tmp_path / "x.tar", ("1.wav", WAV))
    (part,) = open_corpus(str(source)).parts()
    source.unlink()
    assert [said for _, said in part.read(RATE)] == [f"{source}: no such file; check the name"]
    assert [said for _, one in part.singly() for _, said in one.read(RATE)] == [
        f"{source}: no such file; check the name"
    ]


def test_memory_does_not_grow_with_the_tar(tmp_path):
    long = wav_bytes(synthetic(5, RATE), RATE, subtype="PCM_16")
    source = put(tmp_path / "x.tar", *[(f"{number:05}.wav", long) for number in range(40)])
    (part,) = open_corpus(str(source)).parts()
    next(part.read(RATE))
    tracemalloc.start()
    count = sum(1 for _ in part.read(RATE))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 40
    assert peak < 3_000_000 < 6_000_000 < source.stat().st_size


def test_no_file_of_a_sample_stays_open(tmp_path):
    source = put(tmp_path / "x.tar", ("1.wav", WAV), ("2.wav", WAV), ("3.wav", WAV))
    (part,) = open_corpus(str(source)).parts()
    before = len(os.listdir("/proc/self/fd"))
    reading = part.read(RATE)
    next(reading)
    reading.close()
    assert len(list(part.read(RATE))) == 3
    assert len(os.listdir("/proc/self/fd")) == before


def test_names_that_are_no_text_are_sentences(tmp_path):
    source = put(
        tmp_path / "x.tar", ("\udcff.wav", WAV), ("2.wav", WAV), ("2.json", b'{"text": "\\ud800"}'), ("3.wav", WAV)
    )
    found = utterances(source)
    assert [(u.id, u.text, isinstance(heard, str)) for u, heard in found] == [
        ("x/\\udcff", "", True),
        ("x/2", "\\ud800", True),
        ("x/3", "", False),
    ]
    assert found[0][1] == "x.tar/\\udcff.wav: is no text in UTF-8, or what is known of it is none; correct it"
