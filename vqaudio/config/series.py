"""Settings of a run that trains a model of time series."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vqaudio.config.section import Section
from vqaudio.config.training import RunConfig


class SeriesNetworkConfig(Section):
    """A network of two hidden layers. Its quantized export needs sums of at most 512 products to be exact."""

    hidden: int = Field(64, ge=1, le=512, description="width of both hidden layers")


class TableDataConfig(Section):
    """Which tables a model of series learns from. The last fifth of each one's rows validates alone."""

    tables: tuple[str, ...] = Field(
        min_length=1, description="CSV, Parquet, NPY or NPZ files, or folders of them: a source each"
    )
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="share of values by source, which is called by its last name; 1 for others"
    )
    values: int = Field(800_000, ge=1, description="learned from in all; of small tables some come at several bounds")
    valid_values: int = Field(100_000, ge=1, description="scored at each validation, as many of each source")
    batch_size: int = Field(512, ge=1, description="values per process and step")


class SeriesTrainConfig(RunConfig):
    """The training of a model of time series."""

    kind: Literal["series"]
    model: SeriesNetworkConfig = SeriesNetworkConfig()
    data: TableDataConfig
    quantize_from: float = Field(0.6, ge=0, le=1, description="share of the run after which values are on their grids")
