"""Groups of channels, each quantized by itself."""

from __future__ import annotations

import pytest
import torch
from tiny_models import RATE, spectral_config
from tools import codec_of, synthetic

from vqaudio.config.bottleneck import GroupedConfig
from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import parse
from vqaudio.errors import ConfigError, ContainerError, ModelError
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck import GroupedVQ, ResidualVQ

# ------------------------------------------------------------------------------------------------------------- groups


def test_each_group_is_a_quantizer_of_its_own_channels() -> None:
    config = GroupedConfig(codebook_size=8, groups=3, n_codebooks=2, dropout=0.0)
    bottleneck, features = GroupedVQ(config, 12).eval(), torch.randn(2, 12, 20)
    passed = bottleneck(features)
    losses = []
    for index, group in enumerate(bottleneck.groups):
        assert isinstance(group, ResidualVQ)
        own = features[:, 4 * index : 4 * index + 4]
        alone = group(own)
        assert torch.equal(passed.latents[:, 4 * index : 4 * index + 4], alone.latents)
        assert torch.equal(passed.tokens[index], alone.tokens[0])  # the first codebook of each group comes first
        assert torch.equal(passed.tokens[3 + index], alone.tokens[1])
        for level in (0, 1):
            number = 3 * level + index + 1
            assert torch.equal(passed.stats[f"perplexity_{number}"], alone.stats[f"perplexity_{level + 1}"])
        losses.append(float(alone.loss))
    assert float(passed.loss) == pytest.approx(sum(losses) / 3)
    assert len(passed.stats) == 2 * 6


def test_more_streams_come_nearer_group_by_group() -> None:
    bottleneck = GroupedVQ(GroupedConfig(codebook_size=32, groups=2, n_codebooks=2), 4).eval()
    features = torch.randn(2, 4, 400)
    bottleneck.initialise(features)
    errors = [(bottleneck.decode(bottleneck.encode(features, n)) - features).square().mean((0, 2)) for n in (2, 3, 4)]
    assert torch.equal(errors[0][2:], errors[1][2:])  # the third stream is the first group's second
    assert bool((errors[1][:2] < 0.7 * errors[0][:2]).all())
    assert torch.equal(errors[1][:2], errors[2][:2])
    assert bool((errors[2][2:] < 0.7 * errors[1][2:]).all())


def test_groups_that_cannot_be() -> None:
    for settings, said in (
        ({"groups": 3}, "latent_dim is 8, which 3 groups cannot share"),
        ({"groups": 8, "n_codebooks": 9}, "8 groups of 9 codebooks make 72 streams"),
    ):
        with pytest.raises(ConfigError, match=said):
            parse(ModelConfig, {"latent_dim": 8, "bottleneck": {"kind": "grouped", **settings}})


def test_files_with_fewer_streams_than_groups_are_no_files_of_the_model() -> None:
    config = spectral_config().model_copy(
        update={"bottleneck": GroupedConfig(codebook_size=16, groups=2, n_codebooks=2)}
    )
    codec, wav = codec_of(Autoencoder(config).eval()), synthetic(0.1, RATE)
    with pytest.raises(ModelError, match="1 codebooks asked for, but made-here has 2 to 4"):
        codec.compress(wav, RATE, n_codebooks=1)
    data = codec.compress(wav, RATE, n_codebooks=2)
    assert codec.decompress(data)[0].shape == wav.shape
    codec.least_codebooks = 3  # as if the file were by another program, with fewer than there can be
    with pytest.raises(ContainerError, match="its header does not describe the model"):
        codec.decompress(data)
