"""The codec under its name in numcodecs and Zarr."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numcodecs", reason="numcodecs is not installed: pip install '.[zarr]'")
import numcodecs

from vqaudio.errors import SeriesError
from vqaudio.series import StoredTable
from vqaudio.series.numcodec import VqCodec

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
POINTS = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]


def array(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=shape) * 50
    if dtype.startswith("M8"):
        return values.astype("i8").view(dtype)
    return values.astype("f8" if "f" in dtype else "i8").astype(dtype)


def test_entry_points_name_what_is_there():
    for group, name in (("numcodecs.codecs", "VqCodec"), ("zarr.codecs", "VqSerializer")):
        module, _, found = POINTS[group]["vqaudio"].partition(":")
        assert found == name
        assert Path(PYPROJECT.parent, *module.split(".")).with_suffix(".py").exists()
    module, _, name = POINTS["numcodecs.codecs"]["vqaudio"].partition(":")
    assert getattr(importlib.import_module(module), name) is VqCodec


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "u8", "f2", "f4", "f8", ">f4", ">i8", "?", "M8[ns]"])
@pytest.mark.parametrize("shape", [(1,), (100,), (80, 5), (3, 4, 5)], ids=str)
def test_arrays_of_all_types_and_shapes_come_back(dtype, shape):
    codec, values = VqCodec(), array(dtype, shape)
    data = codec.encode(values)
    found = codec.decode(data)
    assert found.dtype == values.dtype
    assert found.tobytes() == values.tobytes()
    out = np.empty_like(values)
    assert codec.decode(data, out) is out
    assert out.tobytes() == values.tobytes()


def test_long_narrow_arrays_have_columns():
    widths = {
        shape: len(StoredTable(VqCodec().encode(np.zeros(shape))).columns) for shape in [(64, 4), (63, 4), (9, 9)]
    }
    assert widths == {(64, 4): 4, (63, 4): 1, (9, 9): 1}


def test_the_config_brings_the_codec_back():
    numcodecs.registry.register_codec(VqCodec)
    codec = numcodecs.get_codec({"id": "vqaudio", "max_error": "1%"})
    assert codec.get_config() == {"id": "vqaudio", "max_error": "1%"}
    values = np.random.default_rng(0).normal(size=(200, 3)).cumsum(0) * [1, 10, 100]
    off = np.abs(codec.decode(codec.encode(values)).reshape(values.shape) - values).max()
    assert 0.005 * np.ptp(values) < off <= 0.01 * np.ptp(values)  # of the whole array's range
    with pytest.raises(SeriesError, match="two bounds"):
        VqCodec(max_error=1, psnr=3)
    with pytest.raises(SeriesError, match="--max-error wide"):
        VqCodec(max_error="wide")


@pytest.mark.parametrize("config", [{}, {"max_error": 0.01}, {"max_relative_error": 1e-3}, {"psnr": 50}], ids=str)
@pytest.mark.parametrize("version", [2, 3])
def test_zarr_stores_arrays_by_it(version, config):
    zarr = pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed: pip install '.[zarr]'")
    from vqaudio.series.zarr_codec import VqSerializer

    values = np.random.default_rng(0).normal(size=(100, 5)).cumsum(0).astype("f4")
    numcodecs.registry.register_codec(VqCodec)
    zarr.registry.register_codec("vqaudio", VqSerializer)
    coder = {"compressors": VqCodec(**config), "filters": None}
    if version == 3:
        coder = {"serializer": VqSerializer(**config), "compressors": None}
    store = zarr.storage.MemoryStore()
    made = zarr.create_array(
        store=store, shape=values.shape, chunks=(80, 5), dtype=values.dtype, zarr_format=version, **coder
    )
    made[:] = values
    found = zarr.open_array(store=store, mode="r")[:]
    off = np.abs(found - values)
    assert found.dtype == values.dtype
    if not config:
        assert found.tobytes() == values.tobytes()
    elif "psnr" in config:
        assert 0 < off.max() < 1
    else:
        assert (off <= config.get("max_error", 0) + config.get("max_relative_error", 0) * np.abs(values)).all()
