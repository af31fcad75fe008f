"""Splits, silence, and recordings that are made ready once."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from vctk_release import SPEAKERS, release_092

from recipes.vctk import corpus, prepare
from vqaudio.errors import VqaudioError


def test_splits_share_neither_speaker_nor_sentence(tmp_path):
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
    found = prepare.split(corpus.find(release_092(tmp_path, texts=False)))
    numbers = [{item.number for item, chosen in found.items() if chosen == name} for name in prepare.SPLITS]
    assert all(numbers)
    assert len(set.union(*numbers)) == sum(map(len, numbers))


def test_a_split_does_not_depend_on_who_else_is_listed_first(tmp_path):
    names = [f"p{number}" for number in range(225, 300)]
    held_out = {"test": 0.1, "valid": 0.1}
    assert prepare.dealt(names, held_out, 1) == prepare.dealt(reversed(names), held_out, 1)


def test_too_few_speakers_are_refused(tmp_path):
    with pytest.raises(VqaudioError, match="nothing is left for train of 2 speakers and 8 sentences: it takes 3"):
        prepare.split(corpus.find(release_092(tmp_path, SPEAKERS[:2])))


@pytest.mark.parametrize("rumble", [0.0, 0.1])
def test_silence_goes_but_for_a_margin(rumble):
    time = np.arange(3 * 16000) / 16000
    sound = rumble * np.sin(2 * np.pi * 12 * time)  # as loud as the speech, and far below it
    sound[16000:24000] += 0.1 * np.sin(2 * np.pi * 1000 * time[:8000])
    kept = prepare.trimmed(sound.astype(np.float32), 16000)
    assert abs(len(kept) / 16000 - 0.7) < 0.03
    assert len(prepare.trimmed(np.zeros(16000, np.float32), 16000)) == 0
    assert len(prepare.trimmed(np.zeros(0, np.float32), 16000)) == 0


def test_recordings_are_made_ready_once(tmp_path, capsys):
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
    cells = next([cell.strip() for cell in line.split("|")] for line in said.splitlines() if line.startswith("| train"))
    assert cells[1:4] == ["train", "2", str(sum(row["split"] == "train" for row in rows))]
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
