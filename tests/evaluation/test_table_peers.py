"""Every compressor, by every setting, gives back what it was given."""

from __future__ import annotations

import numpy as np
import pytest

from vqaudio.evaluation import EvaluationError, table_peers
from vqaudio.evaluation.choices import TABLE_PEER_NAMES
from vqaudio.evaluation.table_peers import TABLE_PEERS, TablePeer, find_table_peers

TYPES = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64)


@pytest.fixture(params=TABLE_PEER_NAMES)
def peer(request) -> TablePeer:
    return find_table_peers([request.param])[0][0] if installed(request.param) else pytest.skip("not installed")


def installed(name: str) -> bool:
    return bool(find_table_peers()[0]) and TABLE_PEERS[name] in find_table_peers()[0]


def wave(dtype: type, seed: int = 0) -> np.ndarray:
    steps = np.random.default_rng(seed).integers(-2, 3, 300)
    return (60 + np.clip(np.cumsum(steps), -50, 50)).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_every_setting_gives_numbers_back(peer, dtype):
    array = wave(dtype) / 8 if np.dtype(dtype).kind == "f" else wave(dtype)
    settings = peer.settings([array], 0.0)
    assert settings or (peer.name == "fpzip" and np.dtype(dtype).kind != "f")
    for setting in settings:
        (found,) = setting.unpack(setting.pack([array]), [array])
        assert found.dtype == array.dtype
        assert (found == array).all(), setting.name


def test_every_setting_takes_columns_together(peer):
    both = [wave(np.int16, 1), 300 + wave(np.int32, 2), wave(np.uint8, 3)]
    for setting in peer.settings(both, 0.0):
        found = setting.unpack(setting.pack(both), both)
        assert all((one == other).all() and one.dtype == other.dtype for one, other in zip(found, both, strict=True))


@pytest.mark.parametrize("name", ["sz3", "zfp"])
def test_those_with_bounds_keep_them_and_gain(name):
    if not installed(name):
        pytest.skip("not installed")
    peer, array = TABLE_PEERS[name], np.cumsum(np.random.default_rng(5).normal(size=2000))
    sizes = {}
    for tolerance in (0.0, 0.01, 1.0):
        packed = [(setting, setting.pack([array])) for setting in peer.settings([array], tolerance)]
        assert all(np.abs(s.unpack(data, [array])[0] - array).max() <= tolerance for s, data in packed)
        sizes[tolerance] = min(len(data) for _, data in packed)
    assert sizes[1.0] < sizes[0.01] < sizes[0.0]


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(table_peers, "find_spec", lambda name: None if name == "fpzip" else object())
    found, sentences = find_table_peers()
    assert [one.name for one in found] == [one.name for one in TABLE_PEERS.values() if one.name != "fpzip"]
    assert sentences == ["fpzip is left out: the package fpzip is missing; pip install 'vqaudio[peers]'"]
    with pytest.raises(EvaluationError, match="fpzip needs a package"):
        find_table_peers(["fpzip"])
    assert find_table_peers([]) == ([], [])
