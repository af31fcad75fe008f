"""What several test files share: two tiny models, signals made on the spot, and the recordings where there are any."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from clusters import ray_cluster  # noqa: F401 (a fixture)
from entropy_files import Toys, make_toys
from feeding import Feeder
from s3_server import s3  # noqa: F401 (a fixture)
from tiny_models import TINY_CONFIGS, tiny_model

from vqaudio.codec import codec
from vqaudio.model.autoencoder import Autoencoder


@pytest.fixture
def spectral_model() -> Autoencoder:
    return tiny_model("spectral")


@pytest.fixture
def strided_model() -> Autoencoder:
    return tiny_model("strided")


@pytest.fixture(params=sorted(TINY_CONFIGS))
def model(request: pytest.FixtureRequest) -> Autoencoder:
    """Either tiny model, one after the other."""
    return tiny_model(request.param)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Every test draws the same numbers, alone or in any order."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    """Two sounds, and a codec whose prior knows them by heart."""
    return make_toys(tmp_path_factory.mktemp("priors"))


@pytest.fixture
def slow_loading(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """By the clock of commands, models take an hour to load; what was loaded is listed."""
    loaded: list[object] = []
    load, clock = codec.load, time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: clock() + 3600.0 * len(loaded))
    monkeypatch.setattr(codec, "load", lambda name, *given, **named: loaded.append(name) or load(name, *given, **named))
    return loaded


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of recordings, ``$VQAUDIO_DATA`` or ``../shared/data``; tests that need it are skipped without one."""
    named = os.environ.get("VQAUDIO_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "speech").is_dir():
        pytest.skip(f"no recordings: {folder / 'speech'} is missing; set VQAUDIO_DATA to the folder that holds speech/")
    return folder


@pytest.fixture
def feeder() -> Iterator[Feeder]:
    feeder = Feeder()
    yield feeder
    feeder.close()
