"""Codes at several frame rates: who tells what to whom, files and priors over them, and blocks that join."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import HOP, RATE, TINY_CONFIGS, randomised, waveforms
from tiny_priors import toy_prior
from tools import codec_of, synthetic, whole

from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.blocks import Block, aligned, encode_blocks
from vqaudio.codec.codec import Codec, load
from vqaudio.codec.decoding import CodedBlocks, DecodedBlocks
from vqaudio.config.bottleneck import HierarchicalConfig
from vqaudio.container import PLAIN, Stream
from vqaudio.errors import ModelError
from vqaudio.inference.spans import Span
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck import HierarchicalVQ
from vqaudio.model.bottleneck.codebook import Codebook
from vqaudio.prior.sampling import Sampling

DIM = 6
SEAM = 1e-6
CONFIGS = {levels: HierarchicalConfig(codebook_size=16, levels=levels) for levels in (2, 3)}


def bottleneck_of(levels: int = 2) -> HierarchicalVQ:
    return HierarchicalVQ(CONFIGS[levels], DIM).eval()


def slow_and_fast(batch: int = 4, frames: int = 64) -> torch.Tensor:
    """Features that hardly change from frame to frame, with less of others that do: ``(batch, DIM, frames)``."""
    slow = torch.randn(batch, DIM, frames // 4).repeat_interleave(4, dim=2)
    return 2.0 * slow + 0.5 * torch.randn(batch, DIM, frames)


# ------------------------------------------------------------------------------------------------------------- levels


def test_the_bottom_is_asked_for_what_the_top_has_not_said() -> None:
    """At first, with the units left out: the top sees means of pairs, the bottom what they leave."""
    bottleneck, features = bottleneck_of(), torch.randn(3, DIM, 10)
    level, down = bottleneck.levels[0], bottleneck.downs[0]
    for unit in (level.up, down.unit):
        unit.scale.data.zero_()
    down.halve.weight.data.copy_(0.0 * down.halve.weight)
    down.halve.weight.data[..., 1:3] = 0.5 * torch.eye(DIM)[..., None]
    down.halve.bias.data.zero_()
    means = features.unflatten(2, (-1, 2)).mean(3)
    top = torch.cdist(means.transpose(1, 2), bottleneck.top.codebook.embedding[None]).argmin(-1)
    known = bottleneck.top.codebook(top).transpose(1, 2).repeat_interleave(2, dim=2)
    left = (features - known).transpose(1, 2)
    bottom = torch.cdist(left, level.book.codebook.embedding[None]).argmin(-1)
    passed = bottleneck(features)
    assert torch.equal(passed.tokens[0], top)
    assert torch.equal(passed.tokens[1], bottom)
    embeddings = level.book.codebook(bottom).transpose(1, 2)
    assert torch.allclose(passed.latents, known + embeddings, atol=1e-5)
    commitment = [(means - bottleneck.top.codebook(top).transpose(1, 2)), left.transpose(1, 2) - embeddings]
    expected = 0.25 * sum(float(error.square().mean()) for error in commitment) / 2
    assert float(passed.loss.detach()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("levels", [2, 3])
def test_a_start_from_data_uses_every_level(levels: int) -> None:
    bottleneck, features = bottleneck_of(levels), slow_and_fast()
    bottleneck.initialise(features)
    tokens = bottleneck.encode(features)

    def error(codes: list[torch.Tensor]) -> float:
        return float((bottleneck.decode(codes) - features).square().mean().detach())

    assert error(tokens) < 0.5 * float(features.square().mean())
    for index, codes in enumerate(tokens):
        assert len(codes.unique()) == 16
        shuffled = [*tokens]
        shuffled[index] = codes[:, torch.randperm(codes.shape[1])]
        assert error(shuffled) > 1.1 * error(tokens), f"level {index}"


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 7, 8])
@pytest.mark.parametrize("levels", [2, 3])
def test_any_number_of_frames(levels: int, frames: int) -> None:
    bottleneck = randomised(bottleneck_of(levels))
    features = torch.randn(2, DIM, frames)
    tokens = bottleneck.encode(features)
    assert [codes.shape[1] for codes in tokens] == [stream.codes_in(frames) for stream in bottleneck.streams]
    assert bottleneck.decode(tokens).shape == features.shape


def test_spans_by_hand() -> None:
    """Kernels of 5 see 2 to either side. Two levels: 2 frames up; 1 frame by the stride, 2 columns of 2 frames down."""
    assert bottleneck_of(2).decode_span == Span(2, 2)
    assert bottleneck_of(2).encode_span == Span(8, 8)  # 2 + 1 + 4 = 7, in whole codes of 2
    assert bottleneck_of(3).decode_span == Span(6, 6)
    assert bottleneck_of(3).encode_span == Span(24, 24)  # 2 + 4 + 1 + 4 + 2 + 8 = 21, in whole codes of 4


# ------------------------------------------------------------------------------------------------------------- blocks


def tiny(kind: str = "spectral", levels: int = 2) -> Autoencoder:
    """A tiny model whose levels have a say: codebooks from its own features, weights that are not where they began."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Autoencoder(TINY_CONFIGS[kind]().model_copy(update={"bottleneck": CONFIGS[levels]})).eval()
        with torch.no_grad():
            randomised(model.bottleneck, 0.1)
            randomised(model.decoder)
            model.bottleneck.initialise(model.encoder(waveforms(8, 96 * HOP)))
    return model.requires_grad_(False)


def coded(codec: Codec, wav: np.ndarray, frames: int) -> list[np.ndarray]:
    blocks = encode_blocks(codec.networks, ArraySource(wav, RATE), block_frames=frames, n_streams=codec.n_codebooks)
    return [np.concatenate(parts, axis=1) for parts in zip(*(block.codes for block in blocks), strict=True)]


def heard(codec: Codec, codes: list[np.ndarray], n_samples: int, frames: int) -> np.ndarray:
    def block(index: int) -> Block:
        cuts = zip(codes, codec.streams, strict=True)
        cut = [
            part[:, index * frames // stream.stride : (index + 1) * frames // stream.stride] for part, stream in cuts
        ]
        return Block(cut, (PLAIN,))

    coded = CodedBlocks(block, 1, lambda: n_samples, frames, len(codes))
    return whole(DecodedBlocks(codec.networks, coded, silence=codec.silence))


def seam(sound: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, as a share of the peak."""
    return float(np.abs(sound - other).max() / np.abs(sound).max())


@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize("kind", TINY_CONFIGS)
def test_windows_with_context_are_parts_of_the_whole(kind: str, levels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64, the choice of codes too, so that nothing is near enough to a tie."""
    monkeypatch.setattr(Codebook, "distances", lambda book, vectors: torch.cdist(vectors, book.embedding).square())
    model = tiny(kind, levels).double()
    frames, streams = 160, model.bottleneck.streams
    sound = waveforms(1, frames * HOP).double()
    tokens = model.encode(sound)
    made = model.decode(tokens)
    assert torch.allclose(model(sound).waveform, made, atol=1e-9)
    for first, last in ((60, 64), (64, 100), (80, 92)):
        context = aligned(model.encoder_context, streams)
        window = sound[..., (first - context) * HOP : (last + context) * HOP]
        for stream, part, all_codes in zip(streams, model.encode(window, context=context), tokens, strict=True):
            assert torch.equal(part, all_codes[:, first // stream.stride : last // stream.stride])
        context = aligned(model.decoder_context, streams)
        cuts = [((first - context) // stream.stride, (last + context) // stream.stride) for stream in streams]
        part = model.decode([codes[:, a:b] for codes, (a, b) in zip(tokens, cuts, strict=True)])
        inside = part[..., context * HOP : (context + last - first) * HOP]
        assert torch.allclose(inside, made[..., first * HOP : last * HOP], atol=1e-9)


@pytest.mark.parametrize("levels", [2, 3])
def test_blocks_of_any_size_join(levels: int) -> None:
    codec, wav = codec_of(tiny(levels=levels)), synthetic(0.6, RATE)[:, : 291 * HOP + 5]
    codes = coded(codec, wav, 400)
    assert all(len(np.unique(part)) > 3 for part in codes)
    sound = heard(codec, codes, wav.shape[1], 400)
    for frames in (4, 20, 64, 100):
        assert all(map(np.array_equal, coded(codec, wav, frames), codes)), f"blocks of {frames}"
        assert seam(heard(codec, codes, wav.shape[1], frames), sound) < SEAM, f"blocks of {frames}"


@pytest.mark.parametrize("part", ["encode_span", "decode_span"])
def test_blocks_that_see_less_do_not_join(part: str) -> None:
    codec, wav = codec_of(tiny(levels=3)), synthetic(0.6, RATE)[:, : 291 * HOP + 5]
    codes = coded(codec, wav, 400)
    sound = heard(codec, codes, wav.shape[1], 400)
    setattr(codec.networks.quantizer, part, Span())
    same = all(map(np.array_equal, coded(codec, wav, 20), codes))
    near = seam(heard(codec, codes, wav.shape[1], 20), sound) < SEAM
    assert (same, near) == ((False, True) if part == "encode_span" else (True, False))


@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize("kind", TINY_CONFIGS)
def test_nothing_is_heard_beyond_the_receptive_field(kind: str, levels: int) -> None:
    """Straight-through, the gradient goes wherever a change could."""
    model = tiny(kind, levels)
    middle, reach = 128, -(-model.receptive_field // HOP)
    assert reach < middle
    seen = []
    for frame in range(middle, middle + 2**levels):
        sound = waveforms(1, 2 * middle * HOP).requires_grad_()
        made = model(sound).waveform[0, 0, frame * HOP : (frame + 1) * HOP]
        (made * torch.randn(HOP)).sum().backward()
        places = sound.grad[0, 0].nonzero()[:, 0]
        seen.append(int(places.max()) - int(places.min()) + 1)
    assert max(seen) <= model.receptive_field
    span = model.encoder.span
    assert max(seen) > span.left + span.right + 2 * model.bottleneck.decode_span.left * HOP


# ---------------------------------------------------------------------------------------------------- files and priors


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "two.safetensors"
    checkpoint.save(tiny(), path)
    return path


@pytest.fixture(scope="module")
def prior(saved: Path) -> Path:
    """One that has learned two sounds."""
    return toy_prior(
        saved.parent / "two.int8.safetensors", load(saved), [synthetic(0.25, RATE, seed=n)[0] for n in (0, 1)]
    )


@pytest.mark.parametrize("entropy", ["none", "context", "prior"])
@pytest.mark.parametrize("n_samples", [1, HOP, HOP + 1, 4001])
def test_files_hold_all_levels(saved: Path, prior: Path, entropy: str, n_samples: int) -> None:
    codec = load(saved, prior=prior)
    assert codec.streams == (Stream(16, 2), Stream(16, 1))
    wav = synthetic(0.3, RATE, channels=2)[:, :n_samples]
    data = codec.compress(wav, RATE, entropy=entropy)
    again, rate = codec.decompress(data)
    assert rate == RATE
    np.testing.assert_array_equal(again, codec.decode(codec.encode(wav, RATE)))
    assert again.shape == wav.shape


def test_the_prior_goes_along_both_levels(saved: Path, prior: Path) -> None:
    """What it has learned is cheaper than raw codes, and what it draws is codes of both."""
    codec = load(saved, prior=prior)
    wav = synthetic(0.25, RATE, seed=0)
    bits = codec.score(ArraySource(wav, RATE), condition="speaker=ann")
    n_frames = -(-(wav.shape[1] + 2 * codec.margin) // HOP)
    assert [part.shape for part in bits] == [(1, -(-n_frames // 2)), (1, n_frames)]
    assert all(float(part.mean()) < 3.5 for part in bits)  # 4 as they are
    (drawn,) = codec.sample_codes(41, condition="speaker=bob", sampling=Sampling(seed=1))
    assert [part.shape for part in drawn.streams] == [(1, 21), (1, 41)]
    assert codec.decode(drawn).shape == (1, 41 * HOP)


def test_levels_cannot_be_left_out(saved: Path, prior: Path) -> None:
    codec, wav = load(saved, prior=prior), synthetic(0.1, RATE)
    for call in (
        lambda: codec.compress(wav, RATE, n_codebooks=1),
        lambda: codec.kbps(1),
        lambda: codec.sample_codes(4, n_codebooks=1),
    ):
        with pytest.raises(ModelError, match="1 codebooks asked for, but two has 2 to 2"):
            call()
    assert codec.kbps(2) == pytest.approx((4 + 4 / 2) * 0.5)
    assert codec.codebooks_for(3.0) == 2
    with pytest.raises(ModelError, match=r"below the lowest rate of two, 3 kb/s"):
        codec.codebooks_for(2.9)
    with pytest.raises(ModelError, match="sums of codebooks' embeddings"):
        codec.compress(wav, RATE, rdo=0.1)
