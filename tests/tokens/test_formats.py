"""Shards for other libraries: WebDataset tars and Lhotse Shar, read by these, and to the byte the same each time."""

from __future__ import annotations

import gc
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tiny_priors import row

from vqaudio.container import Stream
from vqaudio.errors import FileError, ModelError
from vqaudio.tokens import Header, Origin, PartDone, Problem, Row, summary
from vqaudio.tokens.formats import FORMATS

FLAT = Origin("0123456789ab", (Stream(16), Stream(1024)), 50.0)
TWO_LEVELS = Origin("0123456789ab", (Stream(16, 2), Stream(16, 1)), 50.0)


def rows() -> list[Row]:
    first = {"id": "deep/a.b.wav", "path": "deep/a.b.wav", "speaker": "Zoë", "text": "sieben", "seconds": 0.06}
    return [
        row([[1, 2, 3], [4, 5, 1023]], **first),
        row([[1, 2, 3]], **first),
        row([[7, 7], [8, 8]], version=1, **first | {"seconds": 0.04}),
        row([[9], [9]], id="b", path="b.flac", split="valid", seconds=0.02),
    ]


def written(form: str, folder: Path, origin: Origin = FLAT, some: list[Row] | None = None) -> Header:
    some = rows() if some is None else some
    part = summary(origin, some, failures=[Problem("c", "c.wav", "c.wav: is not a sound file")])
    header = Header(origin, '{"seed": 0}', part)
    folder.mkdir(exist_ok=True)
    FORMATS[form].write(str(folder), "000000-00", header, some)
    return header


@pytest.mark.parametrize("form", FORMATS)
def test_a_shard_says_what_it_is_and_is_the_same_each_time(form, tmp_path):
    header = written(form, tmp_path / "a")
    written(form, tmp_path / "b")
    assert FORMATS[form].header(str(tmp_path / "a"), "000000-00") == header
    assert header.part.failures[0].id == "c"
    one, other = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in "ab")
    assert one == other
    assert FORMATS[form].file("000000-00") in one


@pytest.mark.parametrize("form", FORMATS)
def test_a_shard_may_have_no_rows(form, tmp_path):
    header = written(form, tmp_path, some=[])
    assert FORMATS[form].header(str(tmp_path), "000000-00") == header


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("damage", [lambda data: data[:100], lambda _: b"nothing", lambda _: b""])
def test_a_damaged_shard_is_named(form, damage, tmp_path):
    written(form, tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileError, match=r"000000-00.*: is no file of tokens"):
        FORMATS[form].header(str(tmp_path), "000000-00")


def test_what_some_rows_are_all_together():
    made = summary(FLAT, rows())
    # of two recordings, the copy's length for the first
    assert made == PartDone(2, 4, 60_000, {"2": 120_000, "1": 60_000}, {"2": 14 * 6, "1": 4 * 3})
    assert made.seconds == 0.06


def test_streams_of_several_strides_are_lists_in_tars_and_not_for_shar(tmp_path):
    some = [row([[1, 2], [3, 4, 5]], id="a", seconds=0.06)]
    written("webdataset", tmp_path, TWO_LEVELS, some)
    with tarfile.open(tmp_path / "000000-00.tar") as tar:
        assert tar.getnames() == ["000000-00-00000.json"]
        facts = json.load(tar.extractfile("000000-00-00000.json"))  # type: ignore[arg-type]
    assert facts["codes"] == [[1, 2], [3, 4, 5]]
    FORMATS["parquet"].check(TWO_LEVELS)
    with pytest.raises(ModelError, match=r"streams have strides of 2, 1; choose another --format"):
        FORMATS["shar"].check(TWO_LEVELS)


@pytest.mark.slow  # importing it takes seconds
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it leaves files open
def test_webdataset_reads_it(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    written("webdataset", tmp_path)
    Path(tmp_path / "empty").mkdir()
    written("webdataset", tmp_path / "empty", some=[])
    shards = [str(tmp_path / "empty" / "000000-00.tar"), str(tmp_path / "000000-00.tar")]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False).decode())
    gc.collect()
    assert [sample["__key__"] for sample in samples] == [f"000000-00-0000{number}" for number in range(4)]
    assert samples[0]["npy"].tolist() == [[1, 2, 3], [4, 5, 1023]]
    assert samples[0]["npy"].dtype == np.int16
    assert samples[0]["json"]["id"] == "deep/a.b.wav"
    assert [sample["json"]["version"] for sample in samples] == [0, 0, 1, 0]
    assert (samples[0]["json"]["text"], samples[0]["json"]["model"]) == ("sieben", FLAT.codec)


@pytest.mark.slow  # importing it takes seconds
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it leaves files open
def test_lhotse_reads_it(tmp_path):
    lhotse = pytest.importorskip("lhotse")
    written("shar", tmp_path)
    cuts = list(lhotse.CutSet.from_shar(in_dir=str(tmp_path)))
    gc.collect()
    names = ["deep/a.b.wav", "deep/a.b.wav-1-codebooks", "deep/a.b.wav-version-1", "b"]
    assert [cut.id for cut in cuts] == names
    assert cuts[0].load_codes().tolist() == [[1, 2, 3], [4, 5, 1023]]
    assert cuts[0].load_codes().dtype == np.int16
    assert cuts[1].load_codes().shape == (1, 3)
    assert (cuts[0].duration, cuts[0].supervisions[0].text, cuts[0].supervisions[0].speaker) == (0.06, "sieben", "Zoë")
    assert (cuts[2].version, cuts[3].custom["split"], cuts[3].utterance) == (1, "valid", "b")
