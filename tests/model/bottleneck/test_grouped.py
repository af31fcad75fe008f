"""Groups of channels by themselves, and codes drawn by the Gumbel-softmax."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_models import RATE, spectral_config
from tools import codec_of, synthetic

from vqaudio.config.bottleneck import GroupedConfig, VQConfig
from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import parse
from vqaudio.errors import ConfigError, ContainerError, ModelError
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck import VQ, GroupedVQ, ResidualVQ
from vqaudio.model.bottleneck.gradients import gumbel_sample

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
        codec.compress(wav, RATE, 1)
    data = codec.compress(wav, RATE, 2)
    assert codec.decompress(data)[0].shape == wav.shape
    codec.least_codebooks = 3  # as if the file were by another program, with fewer than there can be
    with pytest.raises(ContainerError, match="its header does not describe the model"):
        codec.decompress(data)


# ------------------------------------------------------------------------------------------------------------- gumbel


def test_codes_are_drawn_in_proportion() -> None:
    """Squared distances 0, log 2 and log 4: probabilities 4/7, 2/7 and 1/7, whatever the temperature."""
    n = 30000
    vectors, codebook = torch.full((n, 1), 0.5), 0.5 + torch.tensor([[0.0], [math.log(2)], [math.log(4)]]).sqrt()
    for temperature in (0.1, 1.0, 5.0):
        codes, _ = gumbel_sample(vectors, codebook, temperature=temperature)
        shares = torch.bincount(codes, minlength=3) / n
        assert shares.tolist() == pytest.approx([4 / 7, 2 / 7, 1 / 7], abs=4 * 0.5 / math.sqrt(n))


def test_the_gradient_of_a_draw_is_that_of_a_softmax() -> None:
    """``∂ Σ_k y_k w·e_k / ∂ d_j = -y_j (w·e_j - Σ_k y_k w·e_k) / τ``, and ``∂ d_j / ∂ z = 2 (z - e_j)``."""
    temperature, weight = 0.7, torch.randn(2)
    vectors, codebook = torch.randn(5, 2, requires_grad=True), torch.randn(4, 2)
    torch.manual_seed(5)
    codes, chosen = gumbel_sample(vectors, codebook, temperature=temperature)
    assert torch.allclose(chosen, codebook[codes], atol=1e-6)
    (chosen @ weight).sum().backward()
    torch.manual_seed(5)
    noise = -torch.empty(5, 4).exponential_().log()
    apart = vectors.detach()[:, None] - codebook
    logits = noise - apart.square().sum(-1)
    assert torch.equal(codes, logits.argmax(1))
    y, value = torch.softmax(logits / temperature, 1), codebook @ weight
    by_distance = -y * (value - (y @ value)[:, None]) / temperature
    assert torch.allclose(vectors.grad, (by_distance[..., None] * 2 * apart).sum(1), atol=1e-5)


def test_draws_rest_in_evaluation() -> None:
    bottleneck, features = VQ(VQConfig(codebook_size=16, gradient="gumbel"), 2), torch.randn(4, 2, 100)
    plain = VQ(VQConfig(codebook_size=16), 2).eval()
    plain.load_state_dict(bottleneck.state_dict())
    assert torch.equal(bottleneck.eval()(features).tokens[0], plain(features).tokens[0])
    assert not torch.equal(bottleneck.train()(features).tokens[0], plain(features).tokens[0])


@pytest.mark.parametrize("kind", ["residual", "grouped"])
def test_draws_are_for_one_codebook(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"bottleneck\.gradient: .*'straight_through' or 'rotation'"):
        parse(ModelConfig, {"bottleneck": {"kind": kind, "gradient": "gumbel"}})


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_features_learn_through_draws(update: str) -> None:
    """Features that shall be decoded as (1, 1) leave the entry at (-1, -1) for that at (1, 1)."""
    bottleneck = VQ(VQConfig(codebook_size=2, gradient="gumbel", update=update, commitment=0.0, revive_below=0.0), 2)
    start = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    bottleneck.codebook.embedding.data.copy_(start)
    features = torch.full((64, 2, 1), -0.3).requires_grad_()
    for _ in range(30):
        made = bottleneck.train()(features).latents
        bottleneck.codebook.embedding.data.copy_(start)  # they stay, so that only features can learn
        (gradient,) = torch.autograd.grad((made - 1.0).square().sum(), features)
        features = (features - 0.05 * gradient).detach().requires_grad_()
    assert bool((bottleneck.eval()(features).tokens[0] == 1).all())
