"""Batches of sounds to codes and back: each sound has what it has alone, and what the codec gives."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from tiny_models import strided_config, tiny_model
from tools import MODEL, codec_of, synthetic, tiny_codec
from torch import Tensor

import vqaudio
from vqaudio.adapter import CodecModel
from vqaudio.codec.codec import Codec
from vqaudio.config.bottleneck import FSQConfig, GaussianConfig, GroupedConfig, HierarchicalConfig
from vqaudio.errors import AudioError, ModelError
from vqaudio.model.autoencoder import Autoencoder

RATE = 16000
LENGTHS = [4000, 9001, 320, 7]


def padded(sounds: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    """``(batch, 1, samples)`` with noise behind the ends, where nothing may look, and the mask."""
    lengths = torch.tensor([len(sound) for sound in sounds])
    mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
    values = torch.randn(len(sounds), 1, mask.shape[1])
    for row, sound in enumerate(sounds):
        values[row, 0, : len(sound)] = torch.from_numpy(sound)
    return values, mask


def sounds(lengths: list[int] = LENGTHS) -> list[np.ndarray]:
    return [synthetic(1, RATE, seed=seed)[0][-length:] for seed, length in enumerate(lengths)]


def alone(codec: Codec, sound: np.ndarray, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Codes ``(n_q, frames)`` and the sound that is made of them, by the codec."""
    codes = codec.encode(sound, RATE, n_codebooks=count, with_margin=False)
    return np.concatenate(codes.streams), codec.decode(codes)[0]


def hierarchical() -> Codec:
    """Codes of strides 2 and 1."""
    config = strided_config().model_copy(update={"bottleneck": HierarchicalConfig(codebook_size=8)})
    torch.manual_seed(3)
    return codec_of(Autoencoder(config).eval())


@pytest.mark.parametrize("count", [None, 1, 3])
def test_each_sound_of_a_batch_has_the_codes_and_the_sound_that_it_has_alone(count):
    model, clips = CodecModel(tiny_codec()), sounds()
    values, mask = padded(clips)
    encoded = model.encode(values, mask, num_quantizers=count)
    n_frames = -(-max(LENGTHS) // model.config.hop_length)
    assert encoded.audio_codes.shape == (len(clips), count or 4, n_frames)
    assert encoded.audio_codes.dtype == torch.int64
    decoded = model.decode(encoded.audio_codes, mask, audio_scales=encoded.audio_scales).audio_values
    assert decoded.shape == values.shape
    for row, clip in enumerate(clips):
        codes, wav = alone(model.codec, clip, count)
        assert np.array_equal(encoded.audio_codes[row, :, encoded.audio_codes_mask[row]].numpy(), codes)
        assert np.array_equal(decoded[row, 0, : len(clip)].numpy(), wav)
        assert not decoded[row, 0, len(clip) :].any()
        (single,) = model.encode(torch.from_numpy(clip)[None, None], num_quantizers=count).audio_codes
        assert np.array_equal(single.numpy(), codes)


@pytest.mark.slow
def test_recordings_side_by_side_have_the_codes_that_they_have_alone(data_folder):
    """By the default model, and by ``forward`` as well: no two codes here are so near that rounding decides."""
    model = CodecModel.from_pretrained()
    about = {path: soundfile.info(path) for path in sorted((data_folder / "speech").rglob("*.flac"))}
    paths = [path for path, told in about.items() if told.samplerate == RATE and told.duration > 2][:4]
    clips = [soundfile.read(path, dtype="float32")[0] for path in paths]
    assert len({len(clip) for clip in clips}) == 4
    values, mask = padded(clips)
    encoded = model.encode(values, mask)
    with torch.no_grad():
        assert torch.equal(model(values, mask).audio_codes, encoded.audio_codes)
    for row, clip in enumerate(clips):
        codes, _ = alone(model.codec, clip)
        assert np.array_equal(encoded.audio_codes[row, :, encoded.audio_codes_mask[row]].numpy(), codes)


def test_behind_the_end_of_a_sound_stand_codes_of_silence():
    model = CodecModel(tiny_codec())
    encoded = model.encode(*padded(sounds()))
    behind = encoded.audio_codes.transpose(1, 2)[~encoded.audio_codes_mask]
    assert len(behind) > 0
    assert (behind == torch.tensor(model.codec.silence)).all()


def test_sounds_of_several_chunks_and_other_levels_are_those_of_the_codec():
    """A loud one, and one with an offset, whose levels differ from chunk to chunk; and an ordinary one."""
    model = CodecModel(tiny_codec())
    loud, shifted, plain = (synthetic(12, RATE, seed=seed)[0] for seed in range(3))
    loud[: 5 * RATE] *= 20
    shifted[7 * RATE :] += 1.5
    clips = [loud, shifted[: 11 * RATE + 5], plain[: 4 * RATE]]
    values, mask = padded(clips)
    encoded = model.encode(values, mask)
    assert encoded.audio_scales is not None
    assert encoded.audio_scales.shape == (3, 3, 2)
    decoded = model.decode(encoded.audio_codes, mask, audio_scales=encoded.audio_scales)
    passed = model(values, mask)
    assert torch.equal(passed.audio_codes, encoded.audio_codes)
    for row, clip in enumerate(clips):
        codes, wav = alone(model.codec, clip)
        assert np.array_equal(encoded.audio_codes[row, :, encoded.audio_codes_mask[row]].numpy(), codes)
        assert np.array_equal(decoded.audio_values[row, 0, : len(clip)].numpy(), wav)
        np.testing.assert_allclose(
            passed.audio_values[row, 0, : len(clip)].detach(), wav, atol=1e-5 * np.abs(wav).max()
        )


@pytest.mark.parametrize("make", [tiny_codec, hierarchical, lambda: codec_of(tiny_model("spectral"))])
def test_the_whole_model_gives_the_codes_and_the_sound_of_encode_and_decode(make):
    model = CodecModel(make())
    values, mask = padded(sounds())
    encoded, passed = model.encode(values, mask), model(values, mask)
    assert torch.equal(passed.audio_codes, encoded.audio_codes)
    assert torch.equal(passed.audio_codes_mask, encoded.audio_codes_mask)
    decoded = model.decode(encoded.audio_codes, mask, audio_scales=encoded.audio_scales).audio_values
    torch.testing.assert_close(passed.audio_values, decoded, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "bottleneck",
    [
        FSQConfig(levels=(4, 3, 5)),
        GroupedConfig(codebook_size=8, groups=2, n_codebooks=2),
        HierarchicalConfig(codebook_size=8, levels=3),
    ],
    ids=lambda config: config.kind,
)
def test_other_bottlenecks_come_and_go_as_their_codes_do(bottleneck):
    config = strided_config().model_copy(update={"bottleneck": bottleneck})
    model = CodecModel(codec_of(Autoencoder(config).eval()))
    assert model.config.num_quantizers == len(model.codec.streams)
    (clip,) = sounds([3001])
    audio_codes = model.encode(torch.from_numpy(clip)[None, None]).audio_codes
    reference = model.codec.encode(clip, RATE, with_margin=False)
    for codes, stream, expected in zip(audio_codes[0], model.codec.streams, reference.streams, strict=True):
        assert np.array_equal(codes[:: stream.stride], expected[0])
    decoded = model.decode(audio_codes, torch.ones(1, len(clip))).audio_values
    assert np.array_equal(decoded[0, 0], model.codec.decode(reference)[0])


def test_a_gradient_reaches_sounds_and_all_of_the_networks_that_count():
    model = CodecModel.from_pretrained(MODEL).requires_grad_(True)
    values, mask = padded(sounds())
    values.requires_grad_(True)
    model(values, mask, num_quantizers=2).audio_values.square().mean().backward()
    for row, length in enumerate(LENGTHS):
        assert values.grad[row, 0, :length].abs().max() > 0
        assert not values.grad[row, 0, length:].any()
    without = {name for name, one in model.autoencoder.named_parameters() if one.grad is None or not one.grad.any()}
    assert not [name for name in without if not name.startswith("bottleneck.")]


def test_the_gradient_passes_the_bottleneck_straight_through():
    """Far from the ends, as if what was chosen were the features and a constant."""
    model = CodecModel(tiny_codec())
    values = torch.from_numpy(synthetic(2, RATE))[None].requires_grad_(True)
    weights = torch.randn(values.shape)
    (found,) = torch.autograd.grad((model(values).audio_values * weights).sum(), values)
    network = model.autoencoder
    inside = network.encoder(values)
    latents = network.bottleneck.decode(network.bottleneck.encode(inside.detach()))
    (expected,) = torch.autograd.grad((network.decoder(latents + inside - inside.detach()) * weights).sum(), values)
    middle = slice(network.receptive_field, -network.receptive_field)
    largest = float(expected[..., middle].abs().max())
    assert largest > 1e-3
    torch.testing.assert_close(found[..., middle], expected[..., middle], rtol=0, atol=1e-4 * largest)


def test_features_are_what_codes_are_chosen_for():
    model = CodecModel(tiny_codec())
    values, mask = padded(sounds())
    encoded, features = model.encode(values, mask), model.features(values.requires_grad_(True), mask)
    assert features.shape == (len(LENGTHS), model.config.hidden_size, encoded.audio_codes.shape[2])
    for row, own in enumerate(encoded.audio_codes_mask):
        (codes, *_) = model.autoencoder.bottleneck.encode(features[row : row + 1, :, own].detach(), 1)
        assert torch.equal(codes[0], model.encode(values, mask, num_quantizers=1).audio_codes[row, 0, own])
        assert not features[row, :, ~own].any()
    assert model.features(values, torch.ones(4, 9001).where(torch.arange(9001) < 5000, 0)).shape == features.shape
    features.sum().backward()
    assert values.grad is not None


# ------------------------------------------------------------------------------------------- what can be asked for


def test_the_config_says_what_those_of_such_codecs_say():
    model = CodecModel.from_pretrained(MODEL)
    config = model.config
    assert (config.sampling_rate, model.sampling_rate, config.frame_rate, config.hop_length) == (RATE, RATE, 50.0, 320)
    assert (config.num_quantizers, config.codebook_size, config.audio_channels) == (4, 64, 1)
    assert config.target_bandwidths == (0.3, 0.6, 0.9, 1.2)
    assert config.hidden_size == model.autoencoder.config.latent_dim
    assert {name.split(".")[0] for name in model.state_dict()} == {"autoencoder"}


def test_torch_runs_the_networks_that_gradients_move_whatever_ran_the_codec():
    codec = vqaudio.load(MODEL)
    before = codec.networks
    model = CodecModel(codec)
    assert codec.networks is before
    values = torch.from_numpy(synthetic(0.5, RATE))[None]
    codes = model.encode(values).audio_codes
    with torch.no_grad():
        for parameter in model.autoencoder.encoder.parameters():
            parameter.neg_()
    assert not torch.equal(model.encode(values).audio_codes, codes)
    assert torch.equal(model(values).audio_codes, model.encode(values).audio_codes)


def test_a_folder_and_a_copy_are_the_same_model(tmp_path):
    model = CodecModel.from_pretrained(MODEL)
    model.codec.save_pretrained(tmp_path)
    values = torch.from_numpy(synthetic(0.5, RATE))[None]
    for other in (CodecModel.from_pretrained(tmp_path), copy.deepcopy(model)):
        assert torch.equal(other.encode(values).audio_codes, model.encode(values).audio_codes)


def test_a_bandwidth_takes_as_many_codebooks_as_it_has_room_for():
    model = CodecModel(tiny_codec())
    values, mask = padded(sounds())
    for bandwidth, count in ((0.3, 1), (0.7, 2), (24.0, 4)):
        assert model.encode(values, mask, bandwidth=bandwidth).audio_codes.shape[1] == count
    assert model(values, mask, bandwidth=0.9).audio_codes.shape[1] == 3


def test_what_is_returned_has_names_places_and_an_order():
    model = CodecModel(tiny_codec())
    encoded = model.encode(torch.from_numpy(synthetic(0.5, RATE))[None])
    assert encoded["audio_codes"] is encoded[0] is encoded.audio_codes
    decoded = model.decode(encoded.audio_codes)
    assert decoded[0] is decoded.audio_values
    assert decoded.audio_values.shape == (1, 1, 8000)
    codes, values, mask = model(torch.from_numpy(synthetic(0.5, RATE))[None])
    assert codes.shape == (1, 4, 25)
    assert values.shape == (1, 1, 8000)
    assert mask.all()


def test_half_precision_is_coded_as_the_numbers_that_it_is():
    model = CodecModel(tiny_codec())
    values = torch.from_numpy(synthetic(0.5, RATE))[None].half()
    assert torch.equal(model.encode(values).audio_codes, model.encode(values.float()).audio_codes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_model_on_a_gpu_takes_and_gives_tensors_there():
    model = CodecModel.from_pretrained(MODEL).to("cuda")
    values, mask = (one.cuda() for one in padded(sounds()))
    encoded = model.encode(values, mask)
    decoded = model.decode(encoded.audio_codes, mask, audio_scales=encoded.audio_scales)
    values.requires_grad_(True)
    passed = model(values, mask)
    passed.audio_values.square().mean().backward()
    for one in (*encoded, *decoded, *passed, values.grad):
        assert one.device.type == "cuda"
    for row, (clip, own) in enumerate(zip(sounds(), encoded.audio_codes_mask, strict=True)):
        (single,) = model.encode(torch.from_numpy(clip).cuda()[None, None]).audio_codes
        assert torch.equal(encoded.audio_codes[row, :, own], single)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (torch.zeros(2, 2, 100), r"shape \(2, 2, 100\), expected \(batch, 1, samples\)"),
        (torch.zeros(2, 100), r"shape \(2, 100\), expected"),
        (torch.zeros(1, 1, 0), r"shape \(1, 1, 0\), expected"),
        (torch.zeros(1, 1, 100, dtype=torch.int16), "torch.int16, expected floats"),
        (torch.full((1, 1, 100), torch.nan), "sound 0: "),
    ],
)
def test_what_is_no_batch_of_sounds_is_refused(values, said):
    with pytest.raises(AudioError, match=said):
        CodecModel(tiny_codec()).encode(values)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        (torch.zeros(1, 4, 5), "torch.float32 of the shape"),
        (torch.zeros(4, 5, dtype=torch.int64), r"expected integers \(batch, n_q, frames\)"),
        (torch.zeros(1, 5, 5, dtype=torch.int64), "5 codebooks asked for"),
        (torch.full((1, 4, 5), 64), "codes from 64 to 64 do not fit a codebook of 64"),
        (torch.zeros(1, 4, 5, dtype=torch.int64, device="meta"), "are on meta, but the model is on cpu"),
    ],
)
def test_what_are_no_codes_of_the_model_is_refused(codes, said):
    with pytest.raises(ModelError, match=said):
        CodecModel(tiny_codec()).decode(codes)


def test_codes_for_less_than_the_mask_asks_for_are_refused():
    with pytest.raises(ModelError, match="have 5 frames, expected 6 for 1601 samples"):
        CodecModel(tiny_codec()).decode(torch.zeros(1, 4, 5, dtype=torch.int64), torch.ones(1, 1601))


def test_two_ways_to_say_how_many_codebooks_are_one_too_many():
    model, values = CodecModel(tiny_codec()), torch.zeros(1, 1, 320)
    with pytest.raises(ModelError, match="num_quantizers and bandwidth both"):
        model.encode(values, num_quantizers=2, bandwidth=0.6)
    with pytest.raises(ModelError, match="5 codebooks asked for"):
        model(values, num_quantizers=5)
    with pytest.raises(ModelError, match="below the lowest rate"):
        model(values, bandwidth=0.1)


def test_without_torch_one_sentence_says_what_to_install():
    script = "import sys\nsys.modules['torch'] = None\nimport vqaudio.adapter"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    said = "ModuleNotFoundError: vqaudio.adapter needs torch: pip install 'vqaudio[torch]'"
    assert done.stderr.splitlines()[-1] == said


def test_models_without_codes_or_without_an_encoder_are_refused():
    config = strided_config().model_copy(update={"bottleneck": GaussianConfig()})
    with pytest.raises(ModelError, match="has no tokens"):
        CodecModel(codec_of(Autoencoder(config).eval(), silence=[]))
    with pytest.raises(ModelError, match="decodes only"):
        CodecModel(codec_of(Autoencoder(strided_config(), decode_only=True).eval(), silence=[0, 0, 0]))
