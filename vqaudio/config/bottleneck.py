"""Settings of bottlenecks: each class is one kind, and tells the token streams that it has."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from vqaudio.config.section import Section

Streams = tuple[tuple[int, int], ...]
"""Of each token stream that a bottleneck has: how many codes there are, and its stride in frames."""


class IdentityConfig(Section):
    """No quantization: a plain autoencoder."""

    kind: Literal["identity"] = "identity"

    @property
    def streams(self) -> Streams:
        return ()


class GaussianConfig(Section):
    """A variational autoencoder: noise of a learned size, paid for in nats."""

    kind: Literal["gaussian"] = "gaussian"
    beta: float = Field(0.01, ge=0, description="β, weight of the KL divergence, whose unit is nats per frame")
    free_bits: float = Field(0.0, ge=0, description="λ, nats per frame and dimension that there is no gain in saving")
    estimator: Literal["pathwise", "score"] = Field(
        "pathwise", description="how the decoder's loss reaches the encoder: through the noise, or as a score"
    )

    @property
    def streams(self) -> Streams:
        return ()


class CodebookConfig(Section):
    """What all codebooks have, however many there are."""

    codebook_size: int = Field(1024, ge=2, le=65536, description="K")
    commitment: float = Field(0.25, ge=0, description="β")
    update: Literal["ema", "loss"] = Field("ema", description="codebook learned by moving averages or by its own loss")
    decay: float = Field(0.98, gt=0, lt=1, description="of the moving averages")
    revive_below: float = Field(0.02, ge=0, description="codes with fewer assignments a batch (averaged) are re-seeded")


class VQConfig(CodebookConfig):
    """One codebook (VQ-VAE)."""

    kind: Literal["vq"] = "vq"
    gradient: Literal["straight_through", "rotation", "gumbel"] = Field(
        "straight_through", description="how the decoder's gradient passes the choice of a code"
    )
    temperature: float = Field(1.0, gt=0, description="τ of gumbel: the lower, the nearer its gradient is to a choice")

    @property
    def streams(self) -> Streams:
        return ((self.codebook_size, 1),)


class ResidualConfig(CodebookConfig):
    """Residual VQ: each codebook quantizes what the ones before it left."""

    kind: Literal["residual"] = "residual"
    gradient: Literal["straight_through", "rotation"] = Field(
        "straight_through", description="how the decoder's gradient passes the choice of a code"
    )
    n_codebooks: int = Field(8, ge=1, le=64)
    dropout: float = Field(0.5, ge=0, le=1, description="share of a batch decoded from a random number of codebooks")
    frame_dropout: float = Field(
        0.0, ge=0, le=1, description="share of those items in which the number changes every few frames"
    )
    stop_codes: bool = Field(
        False, description="an embedding of zeros in each codebook but the first stays so: a frame may end there"
    )
    search: int = Field(1, ge=1, le=1024, description="sums that encoding keeps in view, times codebooks; 1: greedy")

    @property
    def streams(self) -> Streams:
        return ((self.codebook_size, 1),) * self.n_codebooks

    @model_validator(mode="after")
    def _stop_codes_stay(self) -> ResidualConfig:
        if self.stop_codes and self.update == "loss":
            raise ValueError("stop_codes need update: ema; with update: loss the optimizer would move them off zero")
        return self


class GroupedConfig(ResidualConfig):
    """Product quantization: groups of channels, each with codebooks of its own."""

    kind: Literal["grouped"] = "grouped"  # type: ignore[assignment]
    groups: int = Field(2, ge=2, le=64)
    n_codebooks: int = Field(1, ge=1, le=32, description="in each group, one on what the other left")

    @property
    def streams(self) -> Streams:
        return ((self.codebook_size, 1),) * (self.groups * self.n_codebooks)

    @model_validator(mode="after")
    def _streams_fit_a_file(self) -> GroupedConfig:
        if self.groups * self.n_codebooks > 64:
            raise ValueError(
                f"{self.groups} groups of {self.n_codebooks} codebooks make {self.groups * self.n_codebooks} streams, "
                "but a file holds 64: use fewer"
            )
        return self


class FSQConfig(Section):
    """Finite scalar quantization: a few numbers a frame, each rounded to a few levels."""

    kind: Literal["fsq"] = "fsq"
    levels: tuple[Annotated[int, Field(ge=3)], ...] = Field(
        (8, 5, 5, 5), min_length=1, description="of each number; their product is the number of codes"
    )

    @property
    def streams(self) -> Streams:
        return ((math.prod(self.levels), 1),)

    @model_validator(mode="after")
    def _codes_fit_a_file(self) -> FSQConfig:
        if math.prod(self.levels) > 65536:
            raise ValueError(f"levels multiply to {math.prod(self.levels)} codes, but a file holds 65536: use fewer")
        return self


class HierarchicalConfig(VQConfig):
    """VQ-VAE-2 over time: each level has half the frame rate of the one below it, which is told its codes."""

    kind: Literal["hierarchical"] = "hierarchical"  # type: ignore[assignment]
    levels: int = Field(2, ge=2, le=4)
    kernel_size: int = Field(5, ge=1, description="of the units between levels")
    expansion: int = Field(3, ge=1)

    @property
    def streams(self) -> Streams:
        return tuple((self.codebook_size, 2**power) for power in reversed(range(self.levels)))


BottleneckConfig = Annotated[
    IdentityConfig | GaussianConfig | VQConfig | ResidualConfig | GroupedConfig | FSQConfig | HierarchicalConfig,
    Field(discriminator="kind"),
]
