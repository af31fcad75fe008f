"""Building blocks: alignment, spans, and the two fixed Fourier bases against direct formulas."""

from __future__ import annotations

import pytest
import torch

from vqaudio.inference.spans import Span
from vqaudio.model.layers import ChannelNorm, ResidualUnit, SameConv1d, at_least_float32


@pytest.mark.parametrize(("kernel_size", "stride"), [(1, 1), (3, 1), (4, 1), (4, 2), (6, 3), (10, 5), (5, 5)])
def test_same_convolution_keeps_its_place(kernel_size: int, stride: int) -> None:
    layer = SameConv1d(1, 1, kernel_size=kernel_size, stride=stride).double()
    torch.nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, 20 * stride, dtype=torch.double, requires_grad=True)
    made = layer(x)
    assert made.shape == (1, 1, 20)
    made[0, 0, 10].backward()
    seen = x.grad[0, 0].nonzero()[:, 0]
    assert int(seen.min()) == 10 * stride - layer.span.left
    assert int(seen.max()) == 11 * stride - 1 + layer.span.right


def test_a_stride_that_skips_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel_size 3 is below the stride 4"):
        SameConv1d(1, 1, kernel_size=3, stride=4)


def test_normalisation_looks_at_one_frame_only() -> None:
    x = 3.0 + 2.0 * torch.randn(2, 50, 4)
    made = ChannelNorm(50)(x)
    assert torch.allclose(made.mean(1), torch.zeros(2, 4), atol=1e-5)
    assert torch.allclose(made.var(1, unbiased=False), torch.ones(2, 4), atol=1e-3)
    changed = x.clone()
    changed[:, :, 2] = 100.0 * torch.randn(2, 50)
    assert torch.equal(ChannelNorm(50)(changed)[:, :, [0, 1, 3]], made[:, :, [0, 1, 3]])


def test_unit_is_residual_and_spans_its_kernel() -> None:
    unit = ResidualUnit(6, 5, hidden=12, depth=3)
    assert unit.span == Span(2, 2)
    x = torch.randn(1, 6, 11, requires_grad=True)
    unit(x)[0, :, 5].square().sum().backward()
    assert x.grad[0].abs().sum(0).nonzero()[:, 0].tolist() == [3, 4, 5, 6, 7]
    torch.nn.init.zeros_(unit.scale)
    assert torch.equal(unit(x), x)


@pytest.mark.parametrize("look_ahead", [0, 1, 2, 4])
def test_a_unit_sees_as_far_ahead_as_it_is_told(look_ahead: int) -> None:
    unit = ResidualUnit(6, 5, hidden=12, depth=3, look_ahead=look_ahead)
    assert unit.span == Span(4 - look_ahead, look_ahead)
    x = torch.randn(1, 6, 13, requires_grad=True)
    made = unit(x)
    assert made.shape == x.shape
    made[0, :, 6].square().sum().backward()
    assert x.grad[0].abs().sum(0).nonzero()[:, 0].tolist() == [2 + look_ahead + column for column in range(5)]


def test_half_a_kernel_ahead_is_the_default_to_the_bit() -> None:
    plain, told = ResidualUnit(6, 5, hidden=12, depth=3), ResidualUnit(6, 5, hidden=12, depth=3, look_ahead=2)
    told.load_state_dict(plain.state_dict())
    x = torch.randn(2, 6, 9)
    assert torch.equal(plain(x), told(x))


def test_only_low_precision_is_raised() -> None:
    kinds = {torch.bfloat16: torch.float32, torch.float32: torch.float32, torch.float64: torch.float64}
    for given, wanted in kinds.items():
        assert at_least_float32(torch.zeros(1, dtype=given)).dtype == wanted
