"""Entropy modes in whole files: the same sound whichever is used, and damage that is always told."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from entropy_files import MODES, RATE, forged, is_raw, opened, sealed, stored
from tools import MODEL, heard, one_line, tiny_codec, wav_bytes, whole

import vqaudio
from vqaudio import info
from vqaudio.codec.codec import load
from vqaudio.codec.opened import open_vq
from vqaudio.codec.writing import entropy_coder
from vqaudio.compress import main as compress
from vqaudio.container import SoundHeader, Stream, Writer
from vqaudio.decompress import main as decompress
from vqaudio.errors import AudioError, ContainerError, ModelError
from vqaudio.prior import entropy
from vqaudio.prior.entropy import coders
from vqaudio.registry import fingerprint


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------------------------------------------- there and back


def test_all_modes_hold_the_same_sound(toys):
    """Tones, silence, and silence in a short last chunk; what a coder would make longer stays raw."""
    wav = np.concatenate([toys.ann[:, :32000], np.zeros((1, 17000), np.float32)], axis=1)
    data = {mode: stored(toys, wav, mode, 1.0) for mode in MODES}
    sounds = {mode: toys.codec.decompress(data[mode])[0] for mode in MODES}
    assert sounds["none"].shape == wav.shape
    assert np.ptp(sounds["none"][0, :32000]) > 0.01
    assert all(np.array_equal(sounds[mode], sounds["none"]) for mode in MODES)
    assert [opened(data[mode]).header.entropy for mode in MODES] == list(MODES)
    assert is_raw(data["context"]) == [True, True, False, False]  # counts pay where codes repeat
    assert is_raw(data["prior"])[:2] == [False, False]
    assert len(data["context"]) < len(data["none"])
    assert opened(data["prior"]).header.prior == fingerprint(toys.prior)


def test_the_prior_is_used_where_there_is_one(toys):
    assert toys.codec.compress(toys.ann, RATE) == toys.codec.compress(toys.ann, RATE, entropy="prior")
    without = load(MODEL)
    assert without.compress(toys.ann, RATE) == without.compress(toys.ann, RATE, entropy="none")


@pytest.mark.parametrize("mode", ["context", "prior"])
def test_channels_that_are_equal_are_coded_once(toys, mode):
    wav = toys.ann[:, :24000] if mode == "prior" else np.zeros((1, 24000), np.float32)
    three = np.concatenate([wav, toys.bob[:, :24000], wav])
    one, two, mixed = (stored(toys, sound, mode) for sound in (wav, three[::2], three))
    assert len(one) < len(two) <= len(one) + 2 * 3
    sound, _ = toys.codec.decompress(mixed)
    assert np.array_equal(sound[0], sound[2])
    assert not np.array_equal(sound[0], sound[1])
    assert np.array_equal(sound, toys.codec.decompress(stored(toys, three, "none"))[0])


@pytest.mark.parametrize("mode", MODES)
def test_parts_equal_the_whole(toys, mode):
    Path("in.wav").write_bytes(wav_bytes(toys.ann[:, :40000], RATE))
    model = ["--model", str(MODEL), "--prior", str(toys.prior), "--quiet"]
    assert compress(["in.wav", "x.vq", "--entropy", mode, "--chunk", "0.5", *model]) == 0
    assert decompress(["x.vq", "whole.wav", "--subtype", "FLOAT", *model]) == 0
    expected, _ = heard(Path("whole.wav"))
    assert expected.shape == (1, 40000)
    for number, (start, end) in enumerate(((1.3, 1.9), (0.0, 0.01), (2.4, 2.5))):
        span = ["--start", str(start), "--end", str(end)]
        assert decompress(["x.vq", f"{number}.wav", "--subtype", "FLOAT", *span, *model]) == 0
        np.testing.assert_array_equal(
            heard(Path(f"{number}.wav"))[0], expected[:, round(start * RATE) : round(end * RATE)]
        )


@pytest.mark.parametrize("mode", MODES)
def test_a_file_without_sound(toys, mode):
    codec, file = toys.codec, io.BytesIO()
    prior = fingerprint(toys.prior) if mode == "prior" else None
    header = SoundHeader(codec.fingerprint, RATE, RATE, codec.hop_length, 250, 2, codec.streams, mode, prior)
    Writer(file, header, coder=entropy_coder(codec, mode, n_streams=4, condition="none")).close(0)
    assert codec.decompress(file.getvalue())[0].shape == (2, 0)
    with pytest.raises(AudioError, match="holds no samples"):
        codec.compress(np.zeros((2, 0), np.float32), RATE, entropy=mode)


def test_fewer_codebooks(toys):
    for count in (1, 3):
        file = {mode: toys.codec.compress(toys.bob, RATE, n_codebooks=count, entropy=mode) for mode in MODES}
        sounds = [toys.codec.decompress(data)[0] for data in file.values()]
        assert all(np.array_equal(sound, sounds[0]) for sound in sounds)
        assert len(file["prior"]) < len(file["none"])


def test_unknown_modes_are_refused(toys):
    with pytest.raises(ContainerError, match="entropy mode is 'zip', expected one of none, context, prior"):
        toys.codec.compress(toys.ann, RATE, entropy="zip")


# ------------------------------------------------------------------------------------------------------------- damage


def test_another_prior_than_the_file_names_is_found_out(toys):
    """As if its fingerprint had been that of the right one: the codes' digest is what tells."""
    data = stored(toys, toys.ann[:, :23360])
    assert is_raw(data) == [False] * 3
    wrong = forged(data, bytes.fromhex(fingerprint(toys.prior)), bytes.fromhex(fingerprint(toys.other)))
    codec = vqaudio.load(MODEL, prior=toys.other)
    file = codec.open(open_vq(io.BytesIO(wrong), name="x.vq"))
    assert not whole(file).any()
    found = [(damage.chunk, damage.reason) for damage in file.damage]
    assert found == [(index, "its codes do not match their digest") for index in range(3)]
    with pytest.raises(ContainerError, match="its codes do not match their digest"):
        codec.decompress(wrong)


def test_another_condition_than_the_file_names_is_found_out(toys):
    data = stored(toys, toys.ann[:, :24000], condition="speaker=ann")
    toys.codec.decompress(data)
    with pytest.raises(ContainerError, match="its codes do not match their digest"):
        toys.codec.decompress(forged(data, b"speaker=ann", b"speaker=bob"))


def test_bytes_changed_behind_the_checksums_back_are_found_out(toys):
    """Each bit flip with a CRC-32 that fits: reported by the digest, or (in the coder's last bits) without effect."""
    data = stored(toys, toys.ann[:, :7360])
    found = opened(data, toys.prior)
    (before,) = found
    start, size = found._offsets[0], found._sizes[0]
    head = size - 6 - len(found._parse(0).stored.data)  # type: ignore[union-attr]
    reported = 0
    places = range(head, size - 6, 2)
    for place in places:
        chunk = bytearray(data[start : start + size - 4])
        chunk[place] ^= 1 << place % 8
        (after,) = opened(data[:start] + sealed(bytes(chunk)) + data[start + size :], toys.prior)
        if after.problem is None:
            assert all(np.array_equal(a, b) for a, b in zip(after.codes, before.codes, strict=True))  # type: ignore[arg-type]
        else:
            assert after.problem == "its codes do not match their digest"
            reported += 1
    assert reported >= len(places) - 2 > 10


# ------------------------------------------------------------------------------------------------------ which prior


def test_a_prior_that_is_not_at_hand_is_named(toys, capsys):
    Path("x.vq").write_bytes(stored(toys, toys.ann))
    arguments = ["x.vq", "x.wav", "--model", str(MODEL)]
    assert decompress(arguments) == 1
    message = f"was coded with the prior {fingerprint(toys.prior)}, which is not shipped here"
    assert one_line(capsys, f"error: x.vq: {message}", "give the prior's file with --prior")
    assert not Path("x.wav").exists()
    assert decompress([*arguments, "--prior", str(toys.other)]) == 1
    assert one_line(capsys, f"error: x.vq: {message}")


def test_info_without_the_prior_tells_what_the_header_says(toys, capsys):
    Path("x.vq").write_bytes(stored(toys, toys.ann))
    assert info.main(["x.vq", "--json"]) == 1
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert (facts["entropy"], facts["prior_fingerprint"], facts["damage"]) == ("prior", fingerprint(toys.prior), [])
    assert facts["unchecked"].startswith(f"x.vq: was coded with the prior {fingerprint(toys.prior)}, which is not")
    assert said.err == f"error: {facts['unchecked']}\n"


def test_shipped_priors_are_found_by_codec_and_by_fingerprint(toys, monkeypatch):
    Path("priors").mkdir()
    shutil.copy(toys.prior, "priors")
    monkeypatch.setattr(entropy, "PRIORS", Path("priors").absolute())
    codec = vqaudio.load(MODEL)
    assert codec.prior_file == Path("priors").absolute() / toys.prior.name
    data = codec.compress(toys.ann, RATE, entropy="prior")
    assert opened(data).header.prior == fingerprint(toys.prior)
    expected = toys.codec.decompress(data)[0]
    for other in (None, toys.other):  # a prior of one's own is beside the shipped ones, not in their place
        assert np.array_equal(vqaudio.load(MODEL, prior=other).decompress(data)[0], expected)


def test_a_prior_that_is_replaced_is_named_as_the_one_that_codes(toys, monkeypatch):
    """In one process, as a server has it: every file must be readable by the prior that it names."""
    path, copy = Path("mine.int8.safetensors"), Path("copy.int8.safetensors")
    shutil.copy(toys.prior, path)
    codec = vqaudio.load(MODEL, prior=path)
    first = codec.compress(toys.ann, RATE)
    held = codec.prior
    shutil.copy(toys.other, copy)
    copy.replace(path)
    second = codec.compress(toys.ann, RATE)
    assert [opened(data).header.prior for data in (first, second)] == [fingerprint(toys.prior), fingerprint(toys.other)]
    assert held.fingerprint == fingerprint(toys.prior) != codec.prior.fingerprint
    expected = toys.codec.decompress(first)[0]
    assert np.array_equal(vqaudio.load(MODEL, prior=toys.other).decompress(second)[0], expected)
    with pytest.raises(ModelError, match=f"the prior {fingerprint(toys.prior)}, which is not shipped here"):
        codec.decompress(first)

    real = entropy.load_prior  # as if the file were replaced between a look at it and its being read
    monkeypatch.setattr(entropy, "load_prior", lambda path: real(toys.prior))
    with pytest.raises(ModelError, match="was replaced by another prior just now"):
        codec.decompress(second)


def test_a_codec_without_a_prior_says_so(toys):
    with pytest.raises(ModelError, match=r"tiny has no prior here: train one .*--prior"):
        tiny_codec().compress(toys.ann, RATE, entropy="prior")


def test_a_prior_for_another_codec_is_refused(toys, tmp_path, capsys):
    Path("in.wav").write_bytes(wav_bytes(toys.ann, RATE))
    model = tiny_codec().model.config
    vqaudio.model.checkpoint.save(type(tiny_codec().model)(model).eval(), "other.safetensors")
    options = ["--entropy", "prior", "--prior", str(toys.prior)]
    assert compress(["in.wav", "x.vq", "--model", "other.safetensors", *options]) == 1
    ours, theirs = tiny_codec().fingerprint, fingerprint(Path("other.safetensors"))
    assert one_line(capsys, f"error: {toys.prior}: ", f"for the codes of the model {ours}, not of other ({theirs})")
    assert not Path("x.vq").exists()


def test_a_prior_for_other_streams_cannot_decode(toys):
    data = stored(toys, toys.ann[:, :8000])
    header = opened(data).header
    other = SoundHeader(**{**vars(header), "streams": (Stream(63),) * 4})
    with pytest.raises(
        ModelError, match=f"the prior {fingerprint(toys.prior)}, which is for other streams: it is damaged"
    ):
        coders(toys.prior)(other)


def test_a_file_that_is_no_prior_is_refused(toys, capsys):
    Path("in.wav").write_bytes(wav_bytes(toys.ann, RATE))
    Path("text").write_text("no prior")
    reasons = {"text": "is not a readable prior", "missing": "cannot be read", str(MODEL): "its kind is"}
    for path, reason in reasons.items():
        assert compress(["in.wav", "x.vq", "--model", str(MODEL), "--entropy", "prior", "--prior", path]) == 1
        assert one_line(capsys, f"error: {path}: ", reason)
        assert not Path("x.vq").exists()


# --------------------------------------------------------------------------------------------------------- conditions


def test_the_condition_stands_in_the_file_and_makes_it_smaller(toys, capsys):
    Path("in.wav").write_bytes(wav_bytes(toys.ann, RATE))
    options = ["--model", str(MODEL), "--prior", str(toys.prior), "--entropy", "prior", "--quiet"]
    sizes = {}
    for name in ("none", "speaker=ann", "speaker=bob"):
        assert compress(["in.wav", f"{name}.vq", *options, "--condition", name]) == 0
        assert info.main([f"{name}.vq", "--prior", str(toys.prior), "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert (facts["entropy"], facts["condition"], facts["damage"]) == ("prior", name, [])
        assert facts["prior_fingerprint"] == fingerprint(toys.prior)
        sizes[name] = facts["bytes"]
    assert sizes["speaker=ann"] < sizes["speaker=bob"]
    sounds = [toys.codec.decompress(Path(f"{name}.vq").read_bytes())[0] for name in sizes]
    assert all(np.array_equal(sound, sounds[0]) for sound in sounds)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("speaker=zoe", "speaker 'zoe' is not known; choose one of ann, bob"),
        ("label=7", "the condition 'label=7' does not fit a prior that knows speaker: give FIELD=LABEL"),
        ("ann", "the condition 'ann' does not fit a prior that knows speaker"),
    ],
)
def test_unknown_conditions_are_refused(toys, capsys, condition, message):
    Path("in.wav").write_bytes(wav_bytes(toys.ann, RATE))
    options = ["--model", str(MODEL), "--prior", str(toys.prior), "--entropy", "prior"]
    assert compress(["in.wav", "x.vq", *options, "--condition", condition]) == 1
    assert one_line(capsys, "error: ", message)
    assert not Path("x.vq").exists()
    for mode in ("none", "context"):
        with pytest.raises((ContainerError, ModelError), match="condition"):
            toys.codec.compress(toys.ann, RATE, entropy=mode, condition="speaker=ann")


def test_a_condition_that_the_prior_does_not_know_cannot_be_decoded(toys, capsys):
    data = stored(toys, toys.ann[:, :8000], condition="speaker=ann")
    Path("x.vq").write_bytes(forged(data, b"speaker=ann", b"speaker=zoe"))
    assert decompress(["x.vq", "x.wav", "--model", str(MODEL), "--prior", str(toys.prior)]) == 1
    assert one_line(capsys, "error: x.vq: speaker 'zoe' is not known; choose one of ann, bob")
    assert not Path("x.wav").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--condition", "speaker=ann", "--entropy", "none"],
        ["--rdo", "1", "--entropy", "none"],
        ["--rdo", "1", "--entropy", "context"],
        ["--rdo", "-1", "--entropy", "prior"],
        ["--rdo", "nan", "--entropy", "prior"],
        ["--entropy", "zip"],
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_refused(options, capsys):
    assert compress(["in.wav", "x.vq", *options]) == 2
    assert one_line(capsys, "error: ", options[0])
