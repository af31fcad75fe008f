"""Settings of a prior, and of a run that trains one on a codec's tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vqaudio.config.section import Section
from vqaudio.config.training import RunConfig


class WaveNetConfig(Section):
    """A WaveNet over codes. Its quantized export needs sums of at most 512 products to be exact."""

    channels: int = Field(192, ge=4, le=256, description="of the residual stream and of the gates")
    skip_channels: int = Field(256, ge=4, le=512)
    dilations: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 2, 4, 8, 16, 1, 2, 4, 8, 16), min_length=1, description="frames between a layer's two columns"
    )
    head_channels: int = Field(256, ge=4, le=512)
    code_dim: int = Field(64, ge=1, le=512, description="of a code's embedding; best that of the codec's codebooks")
    condition_channels: int = Field(32, ge=1, le=512, description="of a label's embedding")
    dropout: float = Field(0.1, ge=0, lt=1, description="inside the heads")


class TokenDataConfig(Section):
    """Which tokens a prior learns from, and how they are varied."""

    folder: str = Field(description="what python -m vqaudio.tokenize wrote")
    cache: str | None = Field(
        None, description="folder in which their index is kept, if it cannot be beside them; 2 bytes a code"
    )
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="share of crops by corpus; others share by duration"
    )
    crop_seconds: float = Field(5.0, gt=0, description="also of what validation scores; best the chunks of files")
    batch_size: int = Field(16, ge=1, description="crops per process and step")
    frame_dropout: float = Field(0.1, ge=0, lt=1, description="share of frames hidden from those after them")
    label_dropout: float = Field(
        0.5, ge=0, le=1, description="share of crops whose labels are left out, each by itself"
    )
    text_dropout: float = Field(0.15, ge=0, le=1, description="share of steps without the text, where there is one")
    lead_seconds: float = Field(0.04, ge=0, le=1, description="how long before its sound a symbol of a text comes")


class PriorTrainConfig(RunConfig):
    """The training of a prior over a codec's tokens."""

    kind: Literal["prior"]
    codec: str = Field(description="a shipped model's name, or a file: whose tokens they are")
    fields: tuple[Literal["speaker", "label"], ...] = Field((), description="what the prior is conditioned on")
    field_corpora: tuple[str, ...] = Field((), description="whose labels count; none: all that have one")
    text: Literal["word", "character"] | None = Field(
        None, description="the symbols of texts, which the prior is to know in step with codes; none: it knows no text"
    )
    text_weight: float = Field(
        0.5, ge=0, description="of the text's bits in the loss, beside the mean of the codebooks'"
    )
    codebooks: int | None = Field(None, ge=1, description="learn the first so many alone")
    model: WaveNetConfig = WaveNetConfig()
    data: TokenDataConfig
    quantize_from: float = Field(0.7, ge=0, le=1, description="share of the run after which values are on their grids")
