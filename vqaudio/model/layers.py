"""Building blocks that see a bounded stretch of time, and say how long it is.

Nothing here looks across time except finite convolutions: normalisation acts on the channels of one frame. That is
what lets a file be coded in blocks with the receptive field as context.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.inference.spans import Span, same_span, unit_span


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each frame, for ``(batch, channels, frames)`` tensors.

    Source: Ba et al., "Layer Normalization", 2016, eq. 4; never across time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, frames)`` in and out."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,  # x Φ(x) (Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016)
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),  # the same to 0.001, and four times slower on a CPU
}


class ResidualUnit(nn.Module):
    """A residual unit: depthwise convolution over time, then two dense layers over channels.

    Source: Liu et al., "A ConvNet for the 2020s", 2022, fig. 4, in one dimension as in Vocos (Siuzdak, 2023).
    Shapes: ``(batch, channels, frames)`` in and out, ``hidden`` channels between the dense layers.

    With ``condition_dim`` a condition scales and shifts each channel after its normalisation (FiLM: Perez et al.,
    "FiLM: Visual reasoning with a general conditioning layer", 2018, eq. 2).

    ``look_ahead`` is how many of the kernel's frames lie ahead of a frame's own; None: half of them.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        *,
        hidden: int,
        depth: int,
        activation: str = "gelu",
        condition_dim: int = 0,
        look_ahead: int | None = None,
    ):
        super().__init__()
        self.kernel_size, self.activation = kernel_size, ACTIVATIONS[activation]
        self.look_ahead = look_ahead
        self.mix_time = nn.Conv1d(channels, channels, kernel_size, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, hidden)
        self.contract = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), 1.0 / depth))
        nn.init.trunc_normal_(self.expand.weight, std=0.02)
        nn.init.trunc_normal_(self.contract.weight, std=0.02)
        nn.init.zeros_(self.expand.bias)
        nn.init.zeros_(self.contract.bias)
        self.film = nn.Linear(condition_dim, 2 * channels) if condition_dim else None
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    @property
    def span(self) -> Span:
        """What a frame sees beside itself."""
        return unit_span(self.kernel_size, self.look_ahead)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """``(batch, channels, frames)`` in and out; the condition is ``(batch, condition_dim)``."""
        span = self.span
        mixed: Tensor = self.mix_time(functional.pad(x, (span.left, span.right))).transpose(1, 2)
        mixed = self.norm(mixed)
        if self.film is not None and condition is not None:
            scale, shift = self.film(condition)[:, None].chunk(2, dim=-1)
            mixed = torch.addcmul(shift, mixed, 1.0 + scale)
        mixed = self.contract(self.activation(self.expand(mixed)))
        return torch.addcmul(x, self.scale[:, None], mixed.transpose(1, 2))


def full_precision(x: Tensor) -> torch.autocast:
    """A context in which autocast leaves float32 alone: for codebooks and heads, which bf16 would blur."""
    return torch.autocast(x.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    """bfloat16 and float16 to float32; float32 and float64 as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class SameConv1d(nn.Conv1d):
    """A convolution whose output has ``frames / stride`` columns; zeros stand outside the input.

    Errors: ``kernel_size`` must be at least ``stride``, or inputs would be skipped.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel_size: int, stride: int = 1):
        if kernel_size < stride:
            raise ValueError(f"kernel_size {kernel_size} is below the stride {stride}: samples would be skipped")
        super().__init__(in_channels, out_channels, kernel_size, stride)

    @property
    def span(self) -> Span:
        """In columns of the input."""
        return same_span(self.kernel_size[0], self.stride[0])

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, frames)`` to ``(batch, channels, frames / stride)``."""
        if self.kernel_size == self.stride == (1,):  # the same as a matrix product, which needs no copy of its input
            return functional.linear(x.transpose(1, 2), self.weight[..., 0], self.bias).transpose(1, 2)
        return super().forward(functional.pad(x, (self.span.left, self.span.right)))
