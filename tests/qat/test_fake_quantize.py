"""Values and weights on grids: worked by hand."""

from __future__ import annotations

import torch

from vqaudio.intnet.grids import INT8
from vqaudio.qat.fake_quantize import FakeQuantize, QuantizedLinear, fake_quantize, finest_exponent, set_quantized


def test_fake_quantize_worked_by_hand():
    x = torch.tensor([0.24, 0.25, 0.75, -0.24, -0.25, -0.26, 1.6, -9.0, 0.0])
    assert fake_quantize(x, 1, 3).tolist() == [0.0, 0.5, 1.0, 0.0, 0.0, -0.5, 1.5, -1.5, 0.0]  # steps of 1/2, at most 3
    assert fake_quantize(torch.tensor([5.0, 6.0, 1000.0]), -2, 3).tolist() == [4.0, 8.0, 12.0]
    exponents = torch.tensor([[0.0], [2.0]])
    assert fake_quantize(torch.tensor([[0.6], [0.6]]), exponents, 127).tolist() == [[1.0], [0.5]]


def test_gradients_pass_as_if_nothing_had_been_rounded():
    x = torch.tensor([0.3, -0.7, 1.49, 1.6, -9.0], requires_grad=True)
    (fake_quantize(x, 1, 3) * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 2.0, 3.0, 0.0, 0.0]  # but not where a value was cut off


def test_finest_worked_by_hand():
    peaks = torch.tensor([127.0, 128.0, 1.0, 0.99, 127 / 128, 0.0])
    assert finest_exponent(peaks).tolist() == [0, -1, 6, 7, 7, 26]
    peaks = torch.rand(1000) * 300
    assert bool((peaks * 2.0 ** finest_exponent(peaks) <= INT8).all())
    assert bool((peaks * 2.0 ** (finest_exponent(peaks) + 1) > INT8).all())


def test_a_grid_follows_from_what_was_observed():
    steps, x = FakeQuantize(), torch.linspace(-3, 3, 11)
    assert torch.equal(steps(x), x)
    steps.observing = True
    assert torch.equal(steps(x), x)
    assert int(steps.exponent) == 5  # 3 * 2**5 = 96
    steps(x / 10)
    assert int(steps.exponent) == 5  # peaks last
    steps.observing, steps.quantized = False, True
    assert torch.equal(steps(10 * x), (320 * x + 0.5).floor().clamp(-127, 127) / 32)


def test_weights_have_one_step_for_each_output():
    layer = QuantizedLinear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.3], [10.0, -3.0]]))
        layer.bias.copy_(torch.tensor([0.123, 0.0]))
    x = torch.tensor([1.0, 10.0])
    torch.testing.assert_close(layer(x), torch.tensor([4.123, -20.0]))
    set_quantized(layer)
    assert layer.exponents.tolist() == [6, 3]
    torch.testing.assert_close(layer(x, 4), torch.tensor([1 + 190 / 64 + 126 / 1024, 10 - 30.0]))
