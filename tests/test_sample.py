"""The sample and score commands: new sound of the length and kind that was asked for, and what sounds cost."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_priors import toy_prior
from tools import MODEL, heard, one_line, synthetic, tiny_codec, wav_bytes

import vqaudio
from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.codec import Codec
from vqaudio.prior.sampling import Sampling
from vqaudio.sample import main as sample_main
from vqaudio.score import main as score_main

RATE = 16000
HOP = 320
STEP = 1.5 / 2**15  # rounding to 16 bits, and a little


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prior that has learned 2.5 s of ann's and of bob's."""
    path = tmp_path_factory.mktemp("prior") / "tiny.int8.safetensors"
    return toy_prior(path, tiny_codec(), [synthetic(2.5, RATE, seed=seed)[0] for seed in (0, 1)])


@pytest.fixture
def codec(prior: Path) -> Codec:
    return vqaudio.load(MODEL, prior=prior)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sample(prior: Path) -> Callable[..., int]:
    return lambda *given: sample_main([*map(str, given), "--model", str(MODEL), "--prior", str(prior)])


@pytest.fixture
def score(prior: Path) -> Callable[..., int]:
    return lambda *given: score_main([*map(str, given), "--model", str(MODEL), "--prior", str(prior)])


def bytes_of(name: str) -> bytes:
    return Path(name).read_bytes()


def listing() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


# ------------------------------------------------------------------------------------------------------------ samples


def test_a_sample_is_as_long_as_asked_for(sample, capsys):
    assert sample("out.wav", "--seconds", 0.5) == 0
    wav, rate = heard(Path("out.wav"))
    assert (wav.shape, rate) == ((1, 8000), RATE)
    assert np.ptp(wav) > 0.01
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("out.wav: ")
    assert said.err.endswith(" x real time\n")
    assert sample("short.flac", "--seconds", 0.001, "--quiet") == 0
    assert heard(Path("short.flac"))[0].shape == (1, HOP)
    assert capsys.readouterr() == ("", "")


def test_without_a_length_a_sample_is_as_long_as_what_was_learned(sample):
    assert sample("out.wav", "--quiet") == 0
    assert heard(Path("out.wav"))[0].shape == (1, 40000)


def test_a_seed_gives_the_same_sound_again(sample):
    for name, seed in (("a.wav", 7), ("b.wav", 7), ("c.wav", 8)):
        assert sample(name, "--seconds", 0.3, "--seed", seed, "--quiet") == 0
    assert bytes_of("a.wav") == bytes_of("b.wav") != bytes_of("c.wav")


def test_several_samples_at_once(sample, capsys):
    """Each is another, and the first is what one alone would be."""
    assert sample("out.wav", "--seconds", 0.3, "--count", 3) == 0
    assert capsys.readouterr().err.startswith("out-1.wav to out-3.wav: ")
    assert listing() == {"out-1.wav", "out-2.wav", "out-3.wav"}
    assert len({bytes_of(f"out-{number}.wav") for number in (1, 2, 3)}) == 3
    assert sample("alone.wav", "--seconds", 0.3) == 0
    assert bytes_of("alone.wav") == bytes_of("out-1.wav")


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (44100, 2)])
def test_a_prompt_is_gone_on_from(sample, codec, rate, channels):
    """The output begins with the decoded prompt, as far as the decoder does not see what comes after it."""
    seconds = 1.005  # a quarter of a frame is left over
    wav = np.repeat(synthetic(seconds, rate, seed=0), channels, axis=0)
    Path("in.wav").write_bytes(wav_bytes(wav, rate))
    for name, seed in (("a.wav", 0), ("b.wav", 1)):
        assert sample(name, "--prompt", "in.wav", "--seconds", 0.4, "--seed", seed, "--quiet") == 0
    one, other = (heard(Path(name))[0] for name in ("a.wav", "b.wav"))
    given = 50 * HOP
    assert one.shape == other.shape == (1, given + 20 * HOP)
    certain = given - codec.networks.decoder_context * HOP
    np.testing.assert_array_equal(one[:, :certain], other[:, :certain])
    assert not np.array_equal(one[:, given:], other[:, given:])
    if rate == RATE:
        expected = codec.decode(codec.encode(wav[:, :given], RATE, with_margin=False))
        np.testing.assert_allclose(one[:, :certain], expected[:, :certain], rtol=0, atol=STEP)


def test_what_is_sampled_depends_on_the_prompt(codec):
    """By the likeliest codes, which nothing else makes different."""
    prompts = [synthetic(1, RATE, seed=seed)[0] for seed in (0, 1)]
    one, other = (codec.sample(20, prompt=prompt, sampling=Sampling(temperature=0.0))[0] for prompt in prompts)
    assert one.shape == other.shape == (70 * HOP,)
    assert not np.array_equal(one[-5 * HOP :], other[-5 * HOP :])


def test_new_sound_is_whole(codec, monkeypatch):
    """Stop codes end a frame early to save bits, which nobody asked for here."""
    embeddings = [book.copy() for book in codec.networks.quantizer.additive_codebooks()]
    sampled = codec.sample_codes(100).pop().streams[1]
    common = int(np.bincount(sampled.ravel()).argmax())
    embeddings[1][common] = 0.0
    monkeypatch.setattr(codec.networks.quantizer, "additive_codebooks", lambda: embeddings)
    assert common not in codec.sample_codes(100).pop().streams[1]


def test_speakers_are_listed(sample, capsys):
    assert sample("--list-speakers") == 0
    assert capsys.readouterr() == ("ann\nbob\n", "")
    assert sample("--list-labels") == 0
    assert capsys.readouterr() == ("tiny knows no labels\n", "")
    assert listing() == set()


def test_a_speaker_and_guidance_are_heard(sample):
    for name, *options in (
        ("none.wav",),
        ("ann.wav", "--speaker", "ann"),
        ("bob.wav", "--speaker", "bob"),
        ("guided.wav", "--speaker", "bob", "--guidance", 3),
    ):
        assert sample(name, "--seconds", 0.3, "--quiet", *options) == 0
    assert len({bytes_of(name) for name in listing()}) == 4


def test_what_can_be_sampled_can_be_narrowed(sample):
    """Temperature 0, the likeliest code alone, and next to no probability are one and the same; the seed is idle."""
    for name, *options in (
        ("cold.wav", "--temperature", 0),
        ("cold-2.wav", "--temperature", 0, "--seed", 5),
        ("one.wav", "--top-k", 1, "--seed", 6),
        ("first.wav", "--top-p", 0.001, "--seed", 7),
        ("free.wav",),
        ("hot.wav", "--temperature", 3),
    ):
        assert sample(name, "--seconds", 0.3, "--quiet", *options) == 0
    assert len({bytes_of(f"{name}.wav") for name in ("cold", "cold-2", "one", "first")}) == 1
    assert len({bytes_of(f"{name}.wav") for name in ("cold", "free", "hot")}) == 3


def test_the_shipped_digits_say_what_they_are_told(capsys):
    for text, speaker in (("seven", "jackson"), ("seven", "theo"), ("zero", "jackson"), ("one two three", "theo")):
        wanted = ["--model", "digits", "--text", text, "--speaker", speaker, "--quiet"]
        assert sample_main([f"{text.replace(' ', '-')}-{speaker}.wav", *wanted]) == 0
    assert len({bytes_of(name) for name in listing()}) == 4
    lengths = {name: heard(Path(name))[0].shape[1] for name in listing()}
    assert lengths.pop("one-two-three-theo.wav") > max(lengths.values())
    assert sample_main(["x.wav", "--model", "digits", "--text", "eleven"]) == 1
    assert one_line(capsys, "error: the word 'eleven' is not known; did you mean seven")


def test_fewer_codebooks(sample):
    for count in (1, 4):
        assert sample(f"{count}.wav", "--seconds", 0.2, "--codebooks", count, "--quiet") == 0
    assert bytes_of("1.wav") != bytes_of("4.wav")


def test_standard_output_takes_a_sound_and_nothing_else(sample, monkeypatch, capsys):
    out = io.TextIOWrapper(io.BytesIO())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert sample("-", "--seconds", 0.2) == 0
    assert sample("same.wav", "--seconds", 0.2) == 0
    assert out.buffer.getvalue() == bytes_of("same.wav")  # type: ignore[attr-defined]
    capsys.readouterr()
    assert sample("-", "--count", 2) == 1
    assert one_line(capsys, "error: standard output takes one sample: leave --count out, or name a file")


# --------------------------------------------------------------------------------------------------- samples, refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--speaker", "zoe"], "speaker 'zoe' is not known; choose one of ann, bob"),
        (["--label", "7"], "the condition 'label=7' does not fit a prior that knows speaker"),
        (["--codebooks", "5"], "5 codebooks asked for, but tiny has 1 to 4"),
        (["--temperature", "-1"], "temperature is -1.0, expected 0 to 10"),
        (["--temperature", "nan"], "temperature is nan, expected 0 to 10"),
        (["--top-k", "-1"], "top_k is -1, expected 0 to 65536"),
        (["--top-p", "0"], "top_p is 0.0, expected"),
        (["--guidance", "21"], "guidance is 21.0, expected 0 to 20"),
        (["--seed", "-1"], "seed is -1, expected 0 to"),
        (["--prompt", "missing.wav"], "missing.wav: no such file"),
        (["--prior", "missing"], "missing: cannot be read"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_impossible_wishes_give_one_line(prior, capsys, options, message):
    given = options if "--prior" in options else [*options, "--prior", str(prior)]
    assert sample_main(["out.wav", "--model", str(MODEL), *given]) == 1
    assert one_line(capsys, "error: ", message)
    assert listing() == set()


def test_without_a_name_the_output_has_one(sample):
    assert sample("--seconds", 0.1, "--quiet") == 0
    assert listing() == {"sample.wav"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out.wav", "--seconds", "0"], "--seconds"),
        (["out.wav", "--seconds", "nan"], "--seconds"),
        (["out.wav", "--seconds", "3601"], "--seconds"),
        (["out.wav", "--count", "0"], "--count"),
        (["out.wav", "--count", "some"], "--count"),
    ],
    ids=lambda each: " ".join(each[1:]) if isinstance(each, list) else "",
)
def test_options_that_make_no_sense_are_refused(arguments, message, capsys):
    assert sample_main(arguments) == 2
    assert one_line(capsys, "error: ", message)


def test_outputs_that_exist_are_kept(sample, capsys):
    Path("out.wav").write_text("precious")
    Path("out-2.wav").write_text("precious")
    for options, name in (([], "out.wav"), (["--count", 2], "out-2.wav")):
        assert sample("out.wav", "--seconds", 0.1, *options) == 1
        assert one_line(capsys, f"error: {name}: exists already; add --force to overwrite it")
    assert {bytes_of(name) for name in listing()} == {b"precious"}
    assert sample("out.wav", "--seconds", 0.1, "--force") == 0
    assert heard(Path("out.wav"))[0].shape == (1, 1600)


def test_names_that_say_no_kind_of_file_are_refused(sample, capsys):
    assert sample("out.txt", "--seconds", 0.1) == 1
    assert one_line(capsys, "error: out.txt: cannot write .txt; use .wav, .w64, .flac, .ogg")
    assert listing() == set()


@pytest.mark.parametrize("command", [sample_main, score_main])
def test_a_model_without_a_prior_says_so(command, capsys):
    Path("in.wav").write_bytes(wav_bytes(synthetic(0.3, RATE), RATE))
    assert command(["in.wav", "--model", str(MODEL), *(["--force"] if command is sample_main else [])]) == 1
    assert one_line(capsys, "error: tiny has no prior here: train one (recipes/), and give its file with --prior")
    assert heard(Path("in.wav"))[0].shape == (1, 4800)


# ------------------------------------------------------------------------------------------------------------- scores


def test_a_score_is_told_by_token_codebook_and_second(score, codec, capsys):
    wavs = {"ann.wav": synthetic(2.5, RATE, seed=0), "both.wav": synthetic(1, RATE, channels=2, seed=5)}
    for name, wav in wavs.items():
        Path(name).write_bytes(wav_bytes(wav, RATE))
    assert score(*wavs, "--codebooks", 3, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["file"], one["tokens"]) for one in found] == [("ann.wav", 3 * 127), ("both.wav", 2 * 3 * 52)]
    for one, wav in zip(found, wavs.values(), strict=True):
        bits = codec.score(ArraySource(wav, RATE), n_codebooks=3)
        total = sum(part.sum() for part in bits)
        assert one["bits_per_token"] == pytest.approx(total / one["tokens"], abs=1e-4)
        assert one["bits_per_second"] == pytest.approx(total / (wav.size / RATE), abs=0.01)
        assert one["codebooks"] == pytest.approx([part.mean() for part in bits], abs=1e-4)
    assert found[0]["bits_per_token"] < found[1]["bits_per_token"]  # learned by heart, and never heard

    assert score(*wavs, "--codebooks", 3) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, one in zip(lines, found, strict=True):
        start = f"{one['file']}: {one['bits_per_token']:.3f} bits per token ({one['codebooks'][0]:.2f} "
        assert line.startswith(start)
        assert line.endswith(f" by codebook), {one['bits_per_second'] / 1000:.3f} kb/s")


def test_a_recording_is_likelier_from_who_speaks_it(score, capsys):
    Path("ann.wav").write_bytes(wav_bytes(synthetic(2.5, RATE, seed=0), RATE))
    costs = []
    for speaker in ("ann", "bob"):
        assert score("ann.wav", "--condition", f"speaker={speaker}", "--json") == 0
        costs.append(json.loads(capsys.readouterr().out)[0]["bits_per_token"])
    assert costs[0] < costs[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.wav"], "missing.wav: no such file"),
        (["text.wav"], "text.wav: is not a sound file"),
        (["in.wav", "--condition", "speaker=zoe"], "speaker 'zoe' is not known; choose one of ann, bob"),
        (["in.wav", "--codebooks", "0"], "0 codebooks asked for, but tiny has 1 to 4"),
        (["in.wav", "--model", "nowhere"], "nowhere: no such model"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_scores_that_cannot_be_given_are_one_line(prior, capsys, arguments, message):
    Path("in.wav").write_bytes(wav_bytes(synthetic(0.3, RATE), RATE))
    Path("text.wav").write_text("no sound")
    assert score_main(["--model", str(MODEL), "--prior", str(prior), *arguments]) == 1
    assert one_line(capsys, "error: ", message)


def test_folders_are_scored_and_what_cannot_be_is_told(score, capsys):
    for name in ("all/a.wav", "all/deep/b.wav"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(wav_bytes(synthetic(0.3, RATE), RATE))
    Path("all/text.wav").write_text("no sound")
    Path("empty").mkdir()
    assert score("all", "--json") == 1
    said = capsys.readouterr()
    assert [one["file"] for one in json.loads(said.out)] == ["all/a.wav", "all/deep/b.wav"]
    first, last = said.err.splitlines()
    assert first.startswith("error: all/text.wav: is not a sound file")
    assert last == "error: 1 of 3 files could not be scored"
    assert score("empty") == 1
    assert one_line(capsys, "error: empty: holds no sound files; expected names ending in ")


def test_a_score_needs_a_sound(capsys):
    assert score_main([]) == 2
    assert one_line(capsys, "error: ", "IN")
