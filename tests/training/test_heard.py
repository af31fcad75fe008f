"""Which recordings are heard, from whatever source: the same crops."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
import soundfile
import torch
from tiny_models import RATE, sound, spectral_config

from vqaudio.config.training import DataConfig
from vqaudio.errors import AudioError, AudioWarning, CorpusError, FileError
from vqaudio.training import heard
from vqaudio.training.data import Crops
from vqaudio.training.heard import check_source, open_heard, speakers_in

ROWS = (
    ("a.wav", "words", "train", "ann"),
    ("b.wav", "words", "valid", "ann"),
    ("c.wav", "songs", "train", "bob"),
    ("d.wav", "words", "test", "cat"),
    ("e.wav", "songs", "train", ""),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five recordings of noise with a manifest, and beside it a list of another name."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for index, (name, *_) in enumerate(ROWS):
        soundfile.write(folder / name, sound(4000 + 1000 * index, seed=index)[0], RATE, subtype="PCM_16")
    lines = "\n".join(",".join(row) for row in [("path", "corpus", "split", "speaker"), *ROWS])
    for name in ("manifest.csv", "list.csv"):
        (folder / name).write_text(lines, encoding="utf-8")
    return folder


def config(source: Path | str, **settings: object) -> DataConfig:
    return DataConfig.model_validate({"folder": str(source), "crop_seconds": 0.1, "batch_size": 4} | settings)


def tar_of(folder: Path, corpus: str) -> Path:
    """The recordings of a corpus as a tar, what is known of them as JSON."""
    path = folder / f"{corpus}.tar"
    with tarfile.open(path, "w") as tar:
        for name, of, split, speaker in ROWS:
            if of == corpus:
                tar.add(folder / name, name)
                info = tarfile.TarInfo(name.replace(".wav", ".json"))
                known = json.dumps({"split": split, "speaker": speaker}).encode()
                info.size = len(known)
                tar.addfile(info, io.BytesIO(known))
    return path


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_list_gives_the_crops_of_the_folder(folder, tmp_path, split):
    model = spectral_config().model_copy(update={"speakers": ("ann", "bob")})
    cache = str(tmp_path / "cache")
    plain = Crops(config(folder), model, split=split)
    for _ in range(2):
        listed = Crops(config(folder / "list.csv", cache=cache), model, split=split)
        assert (listed.seconds, listed.corpus.files is None) == (plain.seconds, False)
        for step in range(3):
            ours, theirs = listed.batch(step, 1), plain.batch(step, 1)
            assert torch.equal(ours.target, theirs.target)
            assert torch.equal(ours.speaker, theirs.speaker)
    assert len(list(Path(cache).glob("*-ends.npy"))) == 1  # of all splits


def test_a_tar_gives_the_crops_of_its_recordings(folder, tmp_path):
    tar = tar_of(folder, "songs")
    packed = Crops(config(tar, cache=str(tmp_path / "cache")), spectral_config(), split="train")
    plain = Crops(config(folder, corpora=["songs"]), spectral_config(), split="train")
    assert torch.equal(packed.batch(3).target, plain.batch(3).target)


def test_speakers_are_those_in_training(folder, tmp_path):
    for source in (folder, folder / "list.csv"):
        settings = config(source, cache=str(tmp_path / "cache"))
        assert speakers_in(settings, ["words", "songs"], RATE) == ("ann", "bob")
        assert speakers_in(settings, ["songs"], RATE) == ("bob",)
        with pytest.raises(
            AudioError, match=r"speaker_corpora names noises, but .* has no training speaker with a name"
        ):
            speakers_in(settings, ["songs", "noises"], RATE)


def test_what_cannot_be_read_of_a_list_is_left_out_and_said(folder, tmp_path):
    expected = Crops(config(folder, corpora=["songs"]), spectral_config(), split="train").batch(0).target
    (folder / "a.wav").write_text("no audio at all")
    settings = config(folder / "list.csv", cache=str(tmp_path / "cache"), weights={"words": 0.0})
    with pytest.warns(AudioWarning, match=r"1 recordings cannot be read and are left out: .*a\.wav: "):
        crops = Crops(settings, spectral_config(), split="train")
    assert torch.equal(crops.batch(0).target, expected)


def test_sources_that_hold_nothing_are_refused(folder, tmp_path):
    cache = str(tmp_path / "cache")
    with pytest.raises(CorpusError, match="has no corpus wrods"):
        check_source(config(folder / "list.csv", corpora=["wrods"]))
    with pytest.raises(AudioError, match=r"data\.weights names wrods, but .*list\.csv holds no such corpus"):
        open_heard(
            config(folder / "list.csv", cache=cache, weights={"wrods": 1.0}),
            "train",
            RATE,
            shared=False,
            progress=False,
        )
    with pytest.raises(AudioError, match=r"no such folder; set data\.folder or VQAUDIO_DATA"):
        check_source(config(tmp_path / "absent"))
    with pytest.raises(FileError, match=r"absent\.csv: no such file"):
        check_source(config(f"file://{tmp_path}/absent.csv"))
    (folder / "none.csv").write_text("path,split\nabsent.wav,train\n")
    with (
        pytest.warns(AudioWarning),
        pytest.raises(AudioError, match=r"none\.csv: holds no recordings that can be read"),
    ):
        open_heard(config(folder / "none.csv", cache=cache), "train", RATE, shared=False, progress=False)


def test_larger_folders_are_kept_in_the_users_cache(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    found = [open_heard(config(folder), "train", RATE, shared=False, progress=False).corpus]
    monkeypatch.setattr(heard, "SMALL_BYTES", 10_000)
    found.append(open_heard(config(folder), "train", RATE, shared=False, progress=False).corpus)
    assert [corpus.files and corpus.files.folder for corpus in found] == [None, tmp_path / "caches" / "vqaudio"]
    assert found[0].samples.tolist() == found[1].samples.tolist()
