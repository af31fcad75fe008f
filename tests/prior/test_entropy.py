"""Entropy modes in whole files: the same sound whichever is used, damage that is always told, and fewer bytes."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from tiny_priors import toy_prior
from tools import MODEL, heard, one_line, synthetic, tiny_codec, wav_bytes, whole

import vqaudio
from vqaudio import info
from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.codec import Codec, load
from vqaudio.codec.opened import open_vq
from vqaudio.codec.options import CodingOptions
from vqaudio.codec.rate_distortion import RateDistortionSearch, code_cost_search, perceptual_weights
from vqaudio.codec.writing import entropy_coder
from vqaudio.compress import main as compress
from vqaudio.container import Chunk, Reader, SoundHeader, Stream, Writer
from vqaudio.container.chunk import RAW
from vqaudio.decompress import main as decompress
from vqaudio.errors import AudioError, ContainerError, ModelError
from vqaudio.model.bottleneck import Identity
from vqaudio.prior import entropy
from vqaudio.prior.entropy import coders
from vqaudio.registry import fingerprint

RATE = 16000
MODES = ("none", "context", "prior")


@dataclass(frozen=True)
class Toys:
    """Two sounds ``(1, samples)`` of 5 s, ann's and bob's; a codec whose prior knows both; and that prior's file."""

    ann: np.ndarray
    bob: np.ndarray
    codec: Codec
    prior: Path
    other: Path
    """Another prior for the same codec."""


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    folder = tmp_path_factory.mktemp("priors")
    ann, bob = (synthetic(5, RATE, seed=seed) for seed in (0, 1))
    priors = [
        toy_prior(folder / f"{seed}.int8.safetensors", tiny_codec(), [ann[0], bob[0]], seed, steps)
        for seed, steps in ((0, 60), (1, 5))
    ]
    return Toys(ann, bob, vqaudio.load(MODEL, prior=priors[0]), *priors)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def stored(toys: Toys, wav: np.ndarray, mode: str = "prior", chunk_seconds: float = 0.5, **options: object) -> bytes:
    """A sound as a file, in short chunks."""
    file = io.BytesIO()
    toys.codec.write(
        ArraySource(wav, RATE), file, options=CodingOptions(chunk_seconds=chunk_seconds, entropy=mode, **options)
    )  # type: ignore[arg-type]
    return file.getvalue()


def opened(data: bytes, prior: Path | None = None) -> Reader:
    return Reader(io.BytesIO(data), "x.vq", coder_for=coders(prior))


def is_raw(data: bytes) -> list[bool]:
    """Whether a coder fell back to raw codes, for each chunk."""
    return [bool(data[at] & RAW) for at in opened(data)._offsets]


def sealed(body: bytes) -> bytes:
    """A chunk or header with its CRC-32, for forgeries that only their content gives away."""
    return body + crc32(body).to_bytes(4, "little")


def forged(data: bytes, old: bytes, new: bytes) -> bytes:
    """The file with some bytes of its header changed, as if it had been written so."""
    size = opened(data)._start
    assert data[:size].count(old) == 1
    return sealed(data[: size - 4].replace(old, new)) + data[size:]


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


# ----------------------------------------------------------------------------------------------------------- read ahead


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The chunks that readers were asked for, call by call."""
    found: list[list[int]] = []
    chunks = Reader.chunks

    def spy(self: Reader, indices: Sequence[int]) -> list[Chunk]:
        found.append(list(indices))
        return chunks(self, indices)

    monkeypatch.setattr(Reader, "chunks", spy)
    return found


@pytest.mark.parametrize("mode", MODES)
def test_a_sound_read_through_decodes_each_chunk_once(toys, read, mode):
    file = toys.codec.open(open_vq(io.BytesIO(stored(toys, toys.ann, mode, 0.3)), name="x.vq"))
    assert file.stored.reader.n_chunks == 17
    expected = [1] * 17 if mode == "none" else [1, 2, 4, 8, 2]  # side by side where that is quicker
    for start in range(0, file.n_samples, 1000):
        file.read(start, start + 1000)
    assert [len(indices) for indices in read] == expected
    assert sorted(index for indices in read for index in indices) == list(range(17))
    assert not file.damage


def test_a_part_far_on_decodes_little_else(toys, read):
    file = toys.codec.open(open_vq(io.BytesIO(stored(toys, toys.ann, "prior", 0.3)), name="x.vq"))
    file.read(4 * RATE, 4 * RATE + 100)  # in chunk 13; the decoder sees 0.2 s to either side
    assert min(index for indices in read for index in indices) == 12
    assert sum(map(len, read)) <= 1 + 2 + 4


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


# ---------------------------------------------------------------------------------------------------- cheaper codes


def test_a_larger_lambda_gives_smaller_files(toys):
    wav = synthetic(1.96, RATE, seed=9)  # never heard before; two chunks with the margin
    as_it_is = stored(toys, wav, chunk_seconds=1.0)
    assert stored(toys, wav, chunk_seconds=1.0, rdo=0.0) == as_it_is
    sizes, sounds = [], []
    for weight in (0.001, 0.1, 10.0):
        data = stored(toys, wav, chunk_seconds=1.0, rdo=weight)
        sizes.append(len(data))
        sounds.append(toys.codec.decompress(data)[0])
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.55 * len(as_it_is)
    assert {sound.shape for sound in sounds} == {wav.shape}


def test_the_weight_is_of_bits_against_squared_distance(toys):
    """With one codebook, each code in turn minimises audible distance + weight x bits, given those before it."""
    bottleneck, prior, weight = toys.codec.model.bottleneck, toys.codec.prior, 0.3
    book = bottleneck.additive_codebooks()[0].double()
    features = torch.randn(1, book.shape[1], 30) * book.std()
    sound = torch.cos(torch.arange(30 * 16) * torch.pi / 16)[None, None] * torch.linspace(0, 1, 30).repeat_interleave(
        16
    )
    weights = perceptual_weights(sound, 30)[0].double()
    (codes,) = RateDistortionSearch(bottleneck, prior, n_streams=1, weight=weight, condition="speaker=ann")(
        features, sound, 30
    )
    (nearest,) = RateDistortionSearch(bottleneck, prior, n_streams=1, weight=0.0, condition="speaker=ann")(
        features, sound, 30
    )
    stepper = prior.begin(1, 1, "speaker=ann")
    for frame, vector in enumerate(features[0].T.double()):
        distances = (book - vector).square().sum(1)
        bits = -torch.from_numpy(stepper.logits(0)[0] / 32.0).double().log_softmax(0) / np.log(2)
        assert nearest[0, frame] == distances.argmin()
        chosen = codes[0, frame]
        costs = weights[frame] * distances + weight * bits
        assert costs[chosen] <= costs.min() + 1e-5
        stepper.accept(0, chosen[None].numpy())
        stepper.advance()
    assert (codes != nearest).any()


def test_what_is_quiet_beside_the_rest_is_less_audible():
    """Frames of 1, 1/10 and 1/10,000 of an amplitude, and what is silent: powers of energy, by hand."""
    levels = torch.tensor([1.0] * 5 + [0.1] * 5 + [1e-4] * 5 + [0.0] * 5)
    sound = levels.repeat_interleave(8)[None, None] * 0.5
    found = perceptual_weights(sound, 20)[0]
    share = 5 * (1 + 1e-4) / (5 * (1 + 1e-2))  # the loud frames' energy is the mean of all, weighted by themselves
    smoothed = [1.0, 0.01, 1e-4, 1e-4]
    expected = [min(1.0, energy / share) ** 0.15 for energy in smoothed]
    assert found[[2, 7, 12, 17]].tolist() == pytest.approx(expected, rel=0.02)
    assert torch.allclose(perceptual_weights(0.01 * sound, 20)[0], found, rtol=0.01)
    assert bool((perceptual_weights(0.0 * sound, 20) > 0.2).all())


def test_cheaper_codes_need_a_prior_and_sums_of_embeddings(toys):
    for mode in ("none", "context"):
        with pytest.raises(ModelError, match=f"the entropy mode is {mode}: use prior"):
            toys.codec.compress(toys.ann, RATE, entropy=mode, rdo=0.1)
    with pytest.raises(ModelError, match="only where latents are sums of codebooks' embeddings"):
        RateDistortionSearch(Identity(), toys.codec.prior, n_streams=1, weight=0.1)
    with pytest.raises(ModelError, match="have a cost in residual codebooks alone"):
        code_cost_search(Identity(), 1, code_cost=0.1)


# ------------------------------------------------------------------------------------------------------------- scores


@pytest.mark.parametrize("condition", ["none", "speaker=ann"])
def test_a_score_is_what_a_file_takes(toys, condition):
    wav = toys.ann[:, : 248 * 320]  # with the margin a chunk
    data = toys.codec.compress(wav, RATE, entropy="prior", condition=condition)
    (chunk,) = [opened(data)._parse(0)]
    bits = toys.codec.score(ArraySource(wav, RATE), condition=condition)
    assert [part.shape for part in bits] == [(1, 250)] * 4
    assert all((part > 0).all() for part in bits)
    total = sum(part.sum() for part in bits) / 8
    assert total - 1 <= len(chunk.stored.data) <= total + 4  # type: ignore[union-attr]


def test_a_score_counts_every_chunk_from_a_cold_start(toys):
    """Two chunks of the same sound, and two channels of it: each costs the same."""
    wav = np.concatenate([np.zeros((1, 2 * 80000), np.float32)] * 2)
    bits = toys.codec.score(ArraySource(wav, RATE), n_codebooks=2)
    assert [part.shape for part in bits] == [(2, 502)] * 2
    for part in bits:
        np.testing.assert_array_equal(part[0], part[1])
        np.testing.assert_array_equal(part[:, 20:230], part[:, 270:480])
