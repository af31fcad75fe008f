"""The VCTK recipe: what it finds, what it refuses, how it splits; and all of its stages on four speakers."""

from __future__ import annotations

import csv
import hashlib
import html.parser
import importlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import yaml

import vqaudio
from vqaudio.config.prior import PriorTrainConfig
from vqaudio.config.reading import load_yaml, parse_run
from vqaudio.config.training import TrainConfig
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.page import MARK

RECIPE = Path(__file__).parents[2] / "recipes" / "vctk"
SPEAKERS = ("p225", "p226", "p227", "p228")
RATE = 48000


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    """The recipe's scripts find each other as they do when one of them is run; other recipes have some of that name."""
    monkeypatch.syspath_prepend(RECIPE)
    for name in ("corpus", "prepare", "run", "samples"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def script(name: str) -> ModuleType:
    return importlib.import_module(name)


def speech(seconds: float = 1.0, silence: float = 0.5) -> np.ndarray:
    """A tone between silences, at 48 kHz."""
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * RATE)) / RATE)
    return np.pad(tone, round(silence * RATE))


def release_092(root: Path, speakers=SPEAKERS, sentences: int = 8, texts: bool = True) -> Path:
    """A folder like release 0.92's; everyone reads the same sentences, each under another number."""
    for at, speaker in enumerate(speakers):
        for sentence in range(sentences):
            name = f"{speaker}_{1 + (sentence + at) % sentences:03}"
            path = root / "wav48_silence_trimmed" / speaker / f"{name}_mic1.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, speech(0.6 + 0.05 * sentence), RATE)
            path.with_name(f"{name}_mic2.flac").touch()
            if texts:
                text = root / "txt" / speaker / f"{name}.txt"
                text.parent.mkdir(parents=True, exist_ok=True)
                text.write_text(f"Sentence {sentence}{'.' * at}\n")
    (root / "speaker-info.txt").touch()
    return root


def release_080(root: Path) -> Path:
    for speaker in ("p225", "s5"):
        for number in ("001", "366"):
            path = root / "wav48" / speaker / f"{speaker}_{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (root / "wav48" / "p225" / "p225_002.txt").touch()
    return root


# ------------------------------------------------------------------------------------------------------------ corpus


def test_both_releases_are_found(tmp_path, capsys):
    corpus = script("corpus")
    new = corpus.find(release_092(tmp_path / "new"))
    assert new.release.version == "0.92"
    assert new.speakers == list(SPEAKERS)
    assert len(new.utterances) == 4 * 8
    first = new.utterances[0]
    assert (first.path.name, first.speaker, first.number) == ("p225_001_mic1.flac", "p225", "001")
    assert (first.name, first.text) == ("p225_001", "Sentence 0")

    old = corpus.find(release_080(tmp_path / "old" / "VCTK-Corpus").parent)
    assert old.root == tmp_path / "old" / "VCTK-Corpus"
    assert old.release.version == "0.80"
    assert [utterance.name for utterance in old.utterances] == ["p225_001", "p225_366", "s5_001", "s5_366"]

    assert corpus.main([str(tmp_path / "new")]) == 0
    assert corpus.main([str(tmp_path / "old")]) == 0
    said = capsys.readouterr().out
    assert "VCTK 0.92, 4 of 110 speakers, 32 recordings, 0 of them without transcript; licence CC BY 4.0" in said
    assert "VCTK 0.80, 2 of 109 speakers, 4 recordings, 4 of them without transcript; licence ODC-By 1.0" in said


def test_what_is_no_corpus_is_refused_in_one_sentence(tmp_path, capsys):
    corpus = script("corpus")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "p225_001.wav").touch()
    for root, reason in (("missing", "no such folder"), ("other", "holds neither wav48_silence_trimmed/p225/p225_001")):
        assert corpus.main([str(tmp_path / root)]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"error: {tmp_path / root}: {reason}")
        assert "set VCTK_ROOT" in error
        assert "--stage 0 downloads" in error
        assert error.count("\n") == 1


@pytest.fixture
def published(tmp_path, monkeypatch):
    """The module ``corpus`` with a small archive in place of the one that is published; returns its file."""
    corpus = script("corpus")
    folder, archive = release_092(tmp_path / "folder"), tmp_path / "published.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    monkeypatch.setattr(corpus, "URL", archive.as_uri())
    monkeypatch.setattr(corpus, "SIZE", archive.stat().st_size)
    monkeypatch.setattr(corpus, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    return archive


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="downloads need curl")


@needs_curl
@pytest.mark.parametrize("before", [None, 0, 1000], ids=["new", "empty", "resumed"])
def test_a_download_ends_with_the_recordings_of_one_microphone(published, tmp_path, capsys, before):
    corpus, root = script("corpus"), tmp_path / "root"
    if before is not None:
        root.mkdir()
        (root / corpus.ARCHIVE).write_bytes(published.read_bytes()[:before])
    assert corpus.main([str(root), "--download"]) == 0
    said = capsys.readouterr().out
    assert "CC BY 4.0" in said
    assert "VCTK 0.92, 4 of 110 speakers, 32 recordings" in said
    assert not list(root.rglob("*_mic2*"))
    assert {path.name for path in root.iterdir()} == {corpus.ARCHIVE, corpus.UNPACKED}
    published.unlink()
    assert corpus.main([str(root), "--download"]) == 0  # it is there: nothing is fetched


@needs_curl
def test_a_broken_download_is_kept_and_said(published, tmp_path, capsys):
    corpus, root = script("corpus"), tmp_path / "root"
    data = published.read_bytes()
    published.unlink()
    root.mkdir()
    (root / corpus.ARCHIVE).write_bytes(data[:1000])
    assert corpus.main([str(root), "--download"]) == 1
    assert "call the same again to go on where it stopped" in capsys.readouterr().err
    assert (root / corpus.ARCHIVE).read_bytes() == data[:1000]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(lambda data: data + b"more", "bytes, expected"), (lambda data: data[:-1] + b"\x7f", "its SHA-256 is")],
)
def test_a_damaged_archive_is_not_unpacked(published, tmp_path, capsys, damage, reason):
    corpus, root = script("corpus"), tmp_path / "root"
    root.mkdir()
    (root / corpus.ARCHIVE).write_bytes(damage(published.read_bytes()))
    assert corpus.main([str(root), "--download"]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert "remove it and download it again" in error
    assert [path.name for path in root.iterdir()] == [corpus.ARCHIVE]


def test_a_full_disk_is_told_of_before_the_download(published, tmp_path, capsys, monkeypatch):
    corpus = script("corpus")
    monkeypatch.setattr(corpus, "SIZE", 10**18)
    assert corpus.main([str(tmp_path / "root"), "--download"]) == 1
    assert "1000000000.0 GB are needed" in capsys.readouterr().err


# ----------------------------------------------------------------------------------------------------------- prepare


def test_splits_share_neither_speaker_nor_sentence(tmp_path):
    corpus, prepare = script("corpus"), script("prepare")
    speakers = [f"p{number}" for number in range(300, 340)]
    utterances = tuple(
        corpus.Utterance(Path("x"), speaker, f"{number:03}", f"Text, {(number * (1 + at)) % 97}!")
        for at, speaker in enumerate(speakers)
        for number in range(1, 60)
    )
    lost = tuple(corpus.Utterance(Path("x"), "p315x", f"{number:03}", "") for number in range(1, 60))
    found = prepare.split(corpus.Corpus(tmp_path, corpus.RELEASES[0], utterances + lost))
    assert set(found.values()) == set(prepare.SPLITS)
    by_split = {name: [item for item, chosen in found.items() if chosen == name] for name in prepare.SPLITS}
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert not {item.speaker for item in by_split[one]} & {item.speaker for item in by_split[other]}
        assert not {item.text for item in by_split[one]} & {item.text for item in by_split[other]}
    assert len({item.speaker for item in by_split["test"]}) == 3
    assert len({item.speaker for item in by_split["valid"]}) == 2
    assert not set(lost) & set(found)
    assert len(by_split["train"]) > 0.7 * len(utterances)


def test_without_any_transcript_a_number_stands_for_a_sentence(tmp_path):
    corpus, prepare = script("corpus"), script("prepare")
    found = prepare.split(corpus.find(release_092(tmp_path, texts=False)))
    numbers = [{item.number for item, chosen in found.items() if chosen == name} for name in prepare.SPLITS]
    assert all(numbers)
    assert len(set.union(*numbers)) == sum(map(len, numbers))


def test_a_split_does_not_depend_on_who_else_is_listed_first(tmp_path):
    prepare = script("prepare")
    names = [f"p{number}" for number in range(225, 300)]
    held_out = {"test": 0.1, "valid": 0.1}
    assert prepare.dealt(names, held_out, 1) == prepare.dealt(reversed(names), held_out, 1)


def test_too_few_speakers_are_refused(tmp_path):
    corpus, prepare = script("corpus"), script("prepare")
    with pytest.raises(VqaudioError, match="nothing is left for train of 2 speakers and 8 sentences: it takes 3"):
        prepare.split(corpus.find(release_092(tmp_path, SPEAKERS[:2])))


@pytest.mark.parametrize("rumble", [0.0, 0.1])
def test_silence_goes_but_for_a_margin(rumble):
    prepare = script("prepare")
    time = np.arange(3 * 16000) / 16000
    sound = rumble * np.sin(2 * np.pi * 12 * time)  # as loud as the speech, and far below it
    sound[16000:24000] += 0.1 * np.sin(2 * np.pi * 1000 * time[:8000])
    kept = prepare.trimmed(sound.astype(np.float32), 16000)
    assert abs(len(kept) / 16000 - 0.7) < 0.03
    assert len(prepare.trimmed(np.zeros(16000, np.float32), 16000)) == 0
    assert len(prepare.trimmed(np.zeros(0, np.float32), 16000)) == 0


def test_recordings_are_made_ready_once(tmp_path, capsys):
    prepare = script("prepare")
    root, out = release_092(tmp_path / "root"), tmp_path / "out"
    arguments = [str(root), str(out), "--jobs", "1"]
    assert prepare.main(arguments) == 0
    with (out / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "corpus", "speaker", "split", "seconds"]
    assert {row["corpus"] for row in rows} == {"vctk"}
    assert {row["split"] for row in rows} == {"train", "valid", "test"}
    for row in rows:
        assert row["path"].startswith(f"{row['split']}/{row['speaker']}/{row['speaker']}_")
        info = soundfile.info(out / row["path"])
        assert (info.samplerate, info.channels, info.format) == (16000, 1, "FLAC")
        assert abs(info.duration - float(row["seconds"])) < 1e-3
        assert 0.7 < info.duration < 1.3  # the tone and 0.1 s at either end
    said = (out / "statistics.md").read_text()
    assert f"| train | 2 | {sum(row['split'] == 'train' for row in rows)} |" in said
    assert f"{32 - len(rows)} of 32 recordings are not used" in said
    assert said in capsys.readouterr().out
    assert (out / "statistics.png").read_bytes().startswith(b"\x89PNG")

    written = {path: path.stat().st_mtime_ns for path in out.rglob("*.flac")}
    assert len(written) == len(rows)
    first = next(iter(written))
    first.unlink()
    assert prepare.main(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.flac") if path != first} == {
        path: time for path, time in written.items() if path != first
    }
    assert first.is_file()

    (out / "test" / "p999").mkdir()
    shutil.copy(first, out / "test" / "p999" / "p999_001.flac")
    capsys.readouterr()
    assert prepare.main(arguments) == 1
    assert "p999_001.flac: was prepared from another corpus" in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------------------- run


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that the recipe says in place of running."""
    assert script("run").main([*map(str, arguments)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_a_stage_asks_for_those_before_it(tmp_path, capsys):
    out = tmp_path / "out"
    for stage, name in ((2, "codec"), (3, "tokens"), (5, "evaluate"), (6, "samples")):
        said = refused(capsys, "--out", out, "--stage", stage)
        assert f"stage {stage} ({name}) needs {out}/data/manifest.csv: run stage 1 first, with --stage 1" in said
    (out / "data").mkdir(parents=True)
    (out / "data" / "manifest.csv").touch()
    assert "paper/codec/model.safetensors: run stage 2 first" in refused(
        capsys, "--out", out, "--stage", 3, "--config", "conf/paper.yaml"
    )


@pytest.mark.parametrize("options", [[], ["--smoke"], ["--smoke", "--stage", "0"]])
def test_nothing_is_downloaded_unasked(tmp_path, monkeypatch, capfd, options):
    """Without the corpus, the stages that a run begins with stop; ``curl`` here would leave a mark."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "curl").write_text(f"#!/bin/sh\ntouch {tmp_path / 'fetched'}\nexit 1\n")
    (tools / "curl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("VQAUDIO_DATA", str(tmp_path / "nothing"))
    monkeypatch.delenv("VCTK_ROOT", raising=False)
    assert script("run").main([*options, "--out", str(tmp_path / "out")]) == 1
    assert "no such folder; set VCTK_ROOT" in capfd.readouterr().err
    assert not (tmp_path / "fetched").exists()
    if not options:  # asked for, it is
        assert script("run").main(["--stage", "0", "--out", str(tmp_path / "out")]) == 1
        assert "curl stopped with status 1" in capfd.readouterr().err
        assert (tmp_path / "fetched").exists()


def test_bad_options_are_refused(tmp_path, capsys):
    said = refused(capsys, "--config", "conf/none.yaml")
    assert "conf/none.yaml: no such file; name one of conf/base.yaml, conf/paper.yaml, conf/smoke.yaml" in said
    (tmp_path / "mine.yaml").touch()
    assert "mine_prior.yaml: no such file" in refused(capsys, "--config", tmp_path / "mine.yaml")
    for stages in (["--stage", "7"], ["--stage", "-1"], ["--stage", "3", "--stop-stage", "2"], ["--stop-stage", "9"]):
        with pytest.raises(SystemExit):
            script("run").main(stages)
        assert "expected 0 <= N <= M <= 6" in capsys.readouterr().err


def test_the_help_lists_the_stages(capsys):
    with pytest.raises(SystemExit):
        script("run").main(["--help"])
    said = capsys.readouterr().out
    for number, name in enumerate(("data", "prepare", "codec", "tokens", "prior", "evaluate", "samples")):
        assert f"  {number}  {name} " in said


def test_configs_come_in_pairs_that_know_speakers():
    names = {path.stem for path in (RECIPE / "conf").glob("*.yaml")}
    codecs = {name for name in names if not name.endswith("_prior")}
    assert codecs == {"paper", "base", "smoke"}
    assert names - codecs == {f"{name}_prior" for name in codecs}
    for name in codecs:
        codec = parse_run(load_yaml(RECIPE / "conf" / f"{name}.yaml"))
        prior = parse_run(load_yaml(RECIPE / "conf" / f"{name}_prior.yaml"))
        assert isinstance(codec, TrainConfig)
        assert codec.speaker_corpora == ("vctk",)
        assert codec.data.unknown_speaker > 0  # else the decoder could not work for unseen speakers
        assert isinstance(prior, PriorTrainConfig)
        assert prior.fields == ("speaker",)
        assert prior.model.code_dim == codec.model.latent_dim  # so that it starts from the codebooks


def test_the_papers_setting_is_the_papers():
    config = parse_run(load_yaml(RECIPE / "conf" / "paper.yaml"))
    assert isinstance(config, TrainConfig)
    model = yaml.safe_load(config.model.model_dump_json())
    assert model["encoder"]["strides"] == [2] * 6
    assert config.model.hop_length == 64
    assert (model["bottleneck"]["kind"], model["bottleneck"]["codebook_size"]) == ("vq", 512)
    assert (model["bottleneck"]["update"], model["bottleneck"]["commitment"]) == ("loss", 0.25)
    assert model["decoder"]["kind"] == "strided"
    assert model["decoder"]["units"] > 0  # those are what the speaker reaches


# ------------------------------------------------------------------------------------------------------------- whole


class Links(html.parser.HTMLParser):
    """What a page refers to, and its text."""

    def __init__(self, page: str):
        super().__init__()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name == "src"]

    def handle_data(self, data):
        self.text += data


def recipe(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", str(RECIPE / "run.sh"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
def test_all_stages_run_on_four_speakers(data_folder, tmp_path):
    out = tmp_path / "out"
    done = recipe("--smoke", "--out", out, "--root", data_folder / "speech" / "vctk")
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line for line in done.stdout.splitlines() if line.startswith("== ")] == [
        f"== stage {number}: {name}"
        for number, name in enumerate(("data", "prepare", "codec", "tokens", "prior", "evaluate", "samples"))
    ]
    folder = out / "smoke"
    codec = vqaudio.load(folder / "codec" / "model.safetensors", prior=folder / "prior" / "model.int8.safetensors")
    with (out / "data" / "manifest.csv").open(newline="") as file:
        heard = sorted({row["speaker"] for row in csv.DictReader(file) if row["split"] == "train"})
    assert list(codec.speakers) == list(codec.prior.fields["speaker"]) == heard

    table = (folder / "evaluation" / "evaluation.md").read_text()
    assert table in done.stdout
    systems = json.loads((folder / "evaluation" / "evaluation.json").read_text())["systems"]
    assert len(systems) == 4  # one and two codebooks, without and with the prior
    assert all(system["means"]["stoi"]["clips"] == 2 for system in systems)
    assert (folder / "evaluation" / "evaluation.png").read_bytes().startswith(b"\x89PNG")

    samples = folder / "samples"
    page = (samples / "index.html").read_text()
    assert MARK in page
    links = Links(page).links
    assert {path.name for path in samples.iterdir()} == {*links, "index.html"}
    sounds = [name for name in links if name.endswith(".wav")]
    # a clip from two and one codebooks; samples of nobody and of two speakers; the clip in two voices
    assert len(sounds) == len(set(sounds)) == (1 + 2) + 3 + (1 + 2)
    waves = {name: soundfile.read(samples / name, dtype="float32") for name in sounds}
    assert {rate for _, rate in waves.values()} == {16000}
    first, second = (waves[name][0] for name in sounds if "-as-" in name)
    assert first.shape == second.shape
    assert (first != second).any()  # another speaker, another sound, if only by a little after so few steps

    again = recipe("--smoke", "--out", out, "--stage", 6)
    assert again.returncode == 0, again.stderr[-2000:]
    assert (samples / "index.html").read_text() == page


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "base"])
def test_the_full_configs_train_and_convert(data_folder, tmp_path, name):
    data = tmp_path / "out" / "data"
    smallest = ("--set", "steps=2", "--set", "quantize_after=1", "--set", "data.batch_size=1")
    done = recipe("--smoke", "--out", data.parent, "--root", data_folder / "speech" / "vctk", "--stop-stage", 1)
    assert done.returncode == 0, done.stderr[-2000:]
    from vqaudio.train import main

    config, run = RECIPE / "conf" / f"{name}.yaml", tmp_path / "run"
    settings = ("--set", f"out={run}", "--set", f"data.folder={data}", "--set", "data.valid_seconds=1")
    assert main([str(config), *smallest, *settings]) == 0
    codec = vqaudio.load(run / "model.safetensors")
    sound = (0.1 * np.sin(np.arange(16000) / 10)).astype(np.float32)
    voices = [codec.convert(sound, 16000, speaker=speaker) for speaker in codec.speakers]
    assert len(voices) == 2
    assert all(voice.shape == (1, 16000) and np.isfinite(voice).all() for voice in voices)
