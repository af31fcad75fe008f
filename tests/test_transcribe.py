"""Text and sound by one prior, from recordings with a text to sounds that say one: sample, score and transcribe."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_priors import SIZES
from tools import heard, one_line

import vqaudio
from vqaudio.codec.codec import Codec
from vqaudio.prior.sampling import Sampling
from vqaudio.sample import main as sample_main
from vqaudio.score import main as score_main
from vqaudio.tokenize import main as tokenize
from vqaudio.train import main as train
from vqaudio.transcribe import main as transcribe_main

MODEL = "digits"  # a codec that has learned what sound is
RATE = 8000
FORMANTS = {"ah": (700.0, 1200.0), "ee": (300.0, 2300.0)}
PITCH = 120.0
SECONDS = 0.2


def vowel(word: str) -> np.ndarray:
    """A vowel: the harmonics of a pitch, as loud as two formants let them through."""
    time, sound = np.arange(int(SECONDS * RATE)) / RATE, np.zeros(int(SECONDS * RATE))
    for number in range(1, int(0.48 * RATE / PITCH)):
        frequency = number * PITCH
        first, second = FORMANTS[word]
        gain = 1 / (1 + ((frequency - first) / 80) ** 2) + 0.5 / (1 + ((frequency - second) / 120) ** 2)
        sound += gain * np.sin(2 * np.pi * frequency * time + number**2)
    sound *= np.hanning(len(sound)) ** 0.3
    return 0.1 * sound / np.sqrt(np.mean(sound**2))


def said(text: str, random: np.random.Generator) -> tuple[np.ndarray, list[float]]:
    """Vowels for words, with pauses in between, and when each begins."""
    parts, starts = [np.zeros(int(random.uniform(0.05, 0.15) * RATE))], []
    for word in text.split():
        starts.append(sum(map(len, parts)) / RATE)
        parts += [vowel(word), np.zeros(int(random.uniform(0.08, 0.2) * RATE))]
    return np.float32(np.concatenate(parts)), starts


def strings(folder: Path, count: int, seed: int) -> dict[str, str]:
    """Sounds of one to three words, listed with their texts: the text of each file."""
    folder.mkdir()
    random, found = np.random.default_rng(seed), {}
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "split", "text", "starts"])
        for number in range(count):
            text = " ".join(random.choice(list(FORMANTS), random.integers(1, 4)))
            sound, starts = said(text, random)
            name = f"{number}.wav"
            soundfile.write(folder / name, sound, RATE)
            found[name] = text
            rows.writerow([name, "valid" if number % 8 == 0 else "train", text, " ".join(map(str, starts))])
    return found


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prior that was trained on such strings, by the commands."""
    folder = tmp_path_factory.mktemp("learned")
    strings(folder / "strings", 96, 0)
    given = ["--model", str(MODEL), "--versions", "1", "--codebooks", "2", "--jobs", "1", "--quiet"]
    assert tokenize([str(folder / "strings"), str(folder / "tokens"), *given]) == 0
    settings = {
        "kind": "prior",
        "codec": str(MODEL),
        "codebooks": 2,
        "text": "word",
        "model": SIZES | {"channels": 32, "dilations": [1, 2, 4, 8], "condition_channels": 16},
        "data": {"folder": str(folder / "tokens"), "crop_seconds": 1.2, "batch_size": 8},
        "out": str(folder / "run"),
        "steps": 400,
        "learning_rate": 0.01,
        "warmup_steps": 5,
        "accelerator": "cpu",
    }
    (folder / "prior.json").write_text(json.dumps(settings))  # which is YAML as well
    assert train([str(folder / "prior.json"), "--quiet"]) == 0
    return folder / "run" / "model.int8.safetensors"


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Strings that nothing has learned from."""
    folder = tmp_path_factory.mktemp("held-out") / "sounds"
    return folder, strings(folder, 12, 1)


@pytest.fixture
def run(learned: Path) -> Callable[..., int]:
    def run(main: Callable[[list[str]], int], *given: object) -> int:
        return main([*map(str, given), "--model", str(MODEL), "--prior", str(learned)])

    return run


@pytest.fixture(scope="module")
def codec(learned: Path) -> Codec:
    return vqaudio.load(MODEL, prior=learned)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_what_is_said_in_sounds_that_were_not_learned(run, held_out, capsys):
    folder, texts = held_out
    assert run(transcribe_main, folder) == 0
    found = dict(line.rsplit(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert len(found) == len(texts)
    assert sum(found[str(folder / name)] == text for name, text in texts.items()) >= 10


def test_json_tells_the_next_likeliest_texts(run, held_out, capsys):
    folder, texts = held_out
    assert run(transcribe_main, folder / "0.wav", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["file"] == str(folder / "0.wav")
    assert told["text"] == told["likeliest"][0]["text"] == texts["0.wav"]
    bits = [one["bits"] for one in told["likeliest"]]
    assert len(bits) == 5
    assert bits == sorted(bits)
    assert bits[1] > bits[0] + 3


def test_a_sound_costs_less_with_its_text_than_without_and_with_another(run, held_out, capsys):
    folder, texts = held_out
    name = next(name for name, text in texts.items() if {"ah", "ee"} <= set(text.split()))
    bits = {}
    for text in (texts[name], texts[name].replace("ah", "EE,")):
        assert run(score_main, folder / name, "--text", text, "--json") == 0
        (told,) = json.loads(capsys.readouterr().out)
        bits[text], untold = told["bits_per_token"], told["untold_bits_per_token"]
    right, wrong = bits.values()
    assert right < untold
    assert right < wrong
    assert run(score_main, folder / name, "--text", texts[name]) == 0
    assert (
        capsys.readouterr().out == f"{folder / name}: {right:.3f} bits per token with its text, {untold:.3f} without\n"
    )


def is_ah(sound: np.ndarray) -> bool:
    """Whether the loudest quarter of a sound has its power above 650 Hz in the mean, as only one of the vowels has."""
    pieces = np.lib.stride_tricks.sliding_window_view(sound, 640)[::160]
    loud = pieces[np.argsort((pieces**2).mean(-1))[-len(pieces) // 4 :]]
    power = (np.abs(np.fft.rfft(loud * np.hanning(640))) ** 2).sum(0)
    return bool((power * np.arange(len(power))).sum() / power.sum() * RATE / 640 > 650)


def test_samples_say_their_text(run, codec, capsys):
    assert run(sample_main, "a.wav", "--text", "ah ee ah", "--seed", 1) == 0
    assert "a.wav: " in capsys.readouterr().err
    sound, rate = heard(Path("a.wav"))
    assert rate == RATE
    assert 0.5 < sound.shape[-1] / RATE < 2.0
    texts = ["ah", "ee"] * 20
    found = codec.say(texts, sampling=Sampling(0.7, seed=2))
    assert sum(is_ah(one) == (text == "ah") for one, text in zip(found, texts, strict=True)) >= 28
    long = codec.say(["ah ee ah ee"] * 4, sampling=Sampling(0.7, seed=3))
    assert np.mean([len(one) for one in long]) > 2 * np.mean([len(one) for one in found])


def test_a_file_of_texts_is_said_line_by_line(run):
    Path("texts.txt").write_text("ah ee\n\n  ee \n")
    assert run(sample_main, "b.wav", "--text-file", "texts.txt", "--quiet") == 0
    assert {path.name for path in Path().glob("*.wav")} == {"b-1.wav", "b-2.wav"}
    assert run(sample_main, "c.wav", "--text", "ah ee", "--count", 3, "--seed", 0, "--quiet") == 0
    first, second = heard(Path("c-1.wav"))[0], heard(Path("c-2.wav"))[0]
    assert np.array_equal(first, heard(Path("b-1.wav"))[0])
    assert not np.array_equal(first, second)


def test_words_are_listed(run, capsys):
    assert run(sample_main, "--list-text") == 0
    assert capsys.readouterr().out == "ah\nee\n"
    assert sample_main(["--list-text", "--model", "speech-16k-v4"]) == 0
    assert capsys.readouterr().out == "speech-16k-v4 knows no text\n"


def test_what_cannot_be_said_or_heard_is_one_sentence(run, learned, capsys):
    for given, said in (
        ((sample_main, "a.wav", "--text", "ah oh"), "the word 'oh' is not known; choose one of ah, ee"),
        ((sample_main, "a.wav", "--text", " "), "says nothing"),
        ((sample_main, "a.wav", "--text", "ah", "--seconds", 3), "--seconds is not for texts"),
        ((sample_main, "a.wav", "--text-file", "none.txt"), "none.txt: "),
        ((sample_main, "a.wav", "--codebooks", 3), "the prior knows the first 2 alone"),
        ((score_main, "none.wav", "--text", "ah oh"), "'oh' is not known"),
        ((transcribe_main, "none.wav"), "none.wav: "),
        ((transcribe_main, "none.wav", "--condition", "speaker=ann"), "speaker=ann"),
    ):
        assert run(*given) != 0
        assert one_line(capsys, "error: ", said), given
    assert transcribe_main(["none.wav", "--model", "speech-16k-v4"]) == 1
    assert one_line(capsys, "error: ", "the prior knows no text")
    assert not list(Path().glob("*.wav"))


def test_a_sound_without_samples_is_refused(run, capsys):
    soundfile.write("empty.wav", np.zeros(0, np.float32), RATE)
    assert run(transcribe_main, "empty.wav") == 1
    assert one_line(capsys, "error: ", "empty.wav: holds no samples")
