"""Encoder, bottleneck and decoder together: shapes, context, gradients and precision."""

from __future__ import annotations

import pytest
import torch
from spans import randomised
from tiny_models import HOP, TINY_CONFIGS, tiny_model, waveforms
from torch import Tensor

from vqaudio.config.bottleneck import IdentityConfig
from vqaudio.config.model import ModelConfig
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck.codebook import Codebook


def test_forward_encode_and_decode_agree(model: Autoencoder) -> None:
    sound = waveforms(2, 12 * HOP)
    made = model(sound)
    assert made.waveform.shape == sound.shape
    assert made.loss.shape == ()
    assert [codes.shape for codes in made.tokens] == [(2, 12)] * 3
    tokens = model.encode(sound)
    assert all(torch.equal(one, other) for one, other in zip(tokens, made.tokens, strict=True))
    assert torch.allclose(model.decode(tokens), made.waveform, atol=1e-5)
    assert not torch.allclose(model.decode(tokens[:1]), made.waveform, atol=1e-5)


def test_without_quantization_the_features_pass(model: Autoencoder) -> None:
    sound = waveforms(2, 12 * HOP)
    made = model(sound, quantize=False)
    assert torch.equal(made.waveform, model.decoder(model.encoder(sound)))
    assert (made.tokens, float(made.loss), made.stats) == ([], 0.0, {})
    plain = Autoencoder(model.config.model_copy(update={"bottleneck": IdentityConfig()})).eval()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("bottleneck")})
    assert torch.equal(plain(sound).waveform, made.waveform)


def test_same_seed_same_model() -> None:
    one, other = (tiny_model(seed=4).state_dict() for _ in range(2))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


# ----------------------------------------------------------------------------------------------------------- context


def test_receptive_field_is_what_a_frame_of_output_depends_on(model: Autoencoder) -> None:
    randomised(model)
    encoder, decoder = model.encoder.span, model.decoder.span
    frame = 2 + model.encoder_context + model.decoder_context
    sound = waveforms(1, (2 * frame + 1) * HOP).double().requires_grad_()
    made = model(sound, quantize=False).waveform[0, 0, frame * HOP : (frame + 1) * HOP]
    (made * torch.randn(HOP, dtype=torch.double)).sum().backward()
    seen = sound.grad[0, 0].nonzero()[:, 0]
    slack = 1 if model.config.encoder.kind == "spectral" else 0  # a Hann window's first sample is zero
    assert int(seen.min()) == (frame - decoder.left) * HOP - encoder.left + slack
    assert int(seen.max()) == (frame + 1 + decoder.right) * HOP - 1 + encoder.right
    assert int(seen.max()) - int(seen.min()) + 1 == model.receptive_field - slack


def test_context_is_enough_for_the_same_codes_and_sound(model: Autoencoder) -> None:
    """A block coded and decoded with its context alone equals that part of the whole."""
    sound = waveforms(1, 80 * HOP)
    whole = model.encode(sound)
    first, last, context = 35, 45, model.encoder_context
    window = sound[..., (first - context) * HOP : (last + context) * HOP]
    for codes, part in zip(whole, model.encode(window), strict=True):
        assert torch.equal(part[:, context : context + last - first], codes[:, first:last])
    context = model.decoder_context
    tokens = [codes[:, first - context : last + context] for codes in whole]
    part = model.decode(tokens)[..., context * HOP : (context + last - first) * HOP]
    assert torch.allclose(part, model.decode(whole)[..., first * HOP : last * HOP], atol=1e-6)


def test_context_is_not_larger_than_needed(model: Autoencoder) -> None:
    """One frame less no longer covers the spans."""
    encoder, decoder = model.encoder.span, model.decoder.span
    assert (model.encoder_context - 1) * HOP < max(encoder.left, encoder.right) <= model.encoder_context * HOP
    assert model.decoder_context == max(decoder.left, decoder.right)


# --------------------------------------------------------------------------------------------------------- gradients


def test_every_weight_gets_a_finite_gradient(model: Autoencoder) -> None:
    model.train()
    sound = waveforms(2, 12 * HOP).requires_grad_()
    made = model(sound)
    ((made.waveform - sound.detach()).square().mean() + made.loss).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert float(parameter.grad.abs().max()) > 0, name
    assert bool((sound.grad != 0).any(-1).all())


def test_gradient_against_finite_differences(model: Autoencoder) -> None:
    randomised(model)
    sound = waveforms(1, 6 * HOP).double()
    weight, direction = torch.randn_like(sound), 0.1 * torch.randn_like(sound)

    def value(waveform: Tensor) -> Tensor:
        return (model(waveform, quantize=False).waveform * weight).mean()

    step = 1e-6
    measured = (value(sound + step * direction) - value(sound - step * direction)) / (2 * step)
    sound.requires_grad_()
    (gradient,) = torch.autograd.grad(value(sound), sound)
    assert float((gradient * direction).sum()) == pytest.approx(float(measured.detach()), rel=1e-4)


def test_a_few_steps_reduce_the_error() -> None:
    model = tiny_model().train()
    sound = waveforms(2, 20 * HOP)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    errors = []
    for _ in range(25):
        error = (model(sound, quantize=False).waveform - sound).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.9 * errors[0]


# --------------------------------------------------------------------------------------------------------- precision


def test_bf16_autocast_spares_codebooks_and_sound(model: Autoencoder) -> None:
    model.train()
    sound = waveforms(2, 12 * HOP)
    with torch.autocast("cpu", torch.bfloat16):
        made = model(sound)
        tokens = model.encode(sound)
    assert made.waveform.dtype == torch.float32
    assert made.loss.dtype == torch.float32
    assert all(codes.dtype == torch.long for codes in made.tokens + tokens)
    (made.waveform.square().mean() + made.loss).backward()
    assert all(bool(torch.isfinite(parameter.grad).all()) for parameter in model.parameters())
    for book in model.bottleneck.modules():
        if isinstance(book, Codebook):
            assert book.embedding.dtype == book.counts.dtype == book.sums.dtype == torch.float32


def test_bf16_autocast_chooses_codes_in_float32() -> None:
    """Two embeddings that bfloat16 cannot tell apart."""
    book = next(module for module in tiny_model().modules() if isinstance(module, Codebook))
    book.embedding.fill_(9.0)
    book.embedding[3], book.embedding[5] = 1.0, 1.001
    vectors = torch.full((1, 8), 1.0009)
    with torch.autocast("cpu", torch.bfloat16):
        assert book.assign(vectors).tolist() == [5]


@pytest.mark.parametrize("update", ["ema", "loss"])
@pytest.mark.parametrize("kind", TINY_CONFIGS)
def test_float64_from_end_to_end(kind: str, update: str) -> None:
    config = TINY_CONFIGS[kind]()
    bottleneck = config.bottleneck.model_copy(update={"update": update})
    model = Autoencoder(ModelConfig(**{**dict(config), "bottleneck": bottleneck})).double().train()
    sound = waveforms(2, 12 * HOP).double().requires_grad_()
    made = model(sound)
    assert made.waveform.dtype == made.loss.dtype == torch.float64
    (made.waveform.square().mean() + made.loss).backward()
    assert sound.grad.dtype == torch.float64
    single = Autoencoder(model.config)
    single.load_state_dict(model.state_dict())
    exact = model.eval()(sound.detach(), quantize=False).waveform
    assert torch.allclose(single(sound.detach().float(), quantize=False).waveform, exact.float(), atol=1e-4)
