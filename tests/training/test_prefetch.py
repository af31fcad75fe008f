"""Crops made ahead of the step: the same to the bit, whichever process makes them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_models import spectral_config
from tiny_runs import toy_folder

from vqaudio.config.training import DataConfig
from vqaudio.training import prefetch
from vqaudio.training.data import CropBatch, Crops
from vqaudio.training.prefetch import Prefetch, fits

CPU = torch.device("cpu")
VARIED = {"equalised": 0.5, "reverberant": 0.5, "noisy": 0.5, "noise": 0.1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("recordings") / "sounds")


def crops_of(folder: Path, **settings: object) -> Crops:
    config = DataConfig(folder=str(folder), crop_seconds=0.5, batch_size=6, cache=str(folder.parent / "cache"))
    return Crops(config.model_copy(update=VARIED | settings), spectral_config(), split="train", seed=3)


def assert_equal(one: CropBatch, other: CropBatch) -> None:
    for name in ("target", "source", "speaker"):
        assert torch.equal(getattr(one, name), getattr(other, name))


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_the_number_of_threads_does_not_matter(folder):
    made = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        made.append(crops_of(folder).batch(5, 1))
        assert torch.get_num_threads() == count
    assert_equal(made[0], made[1])
    assert_equal(made[0], made[2])


@pytest.mark.parametrize("cached", [True, False])
def test_crops_reach_other_processes_as_the_names_of_files(folder, cached):
    crops = crops_of(folder) if cached else crops_of(folder, cache=None)
    sent = pickle.dumps(crops)
    assert (len(sent) < 10_000) == cached
    assert_equal(pickle.loads(sent).batch(5, 1), crops.batch(5, 1))


def test_workers_read_files_though_recordings_are_few(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert crops_of(folder, cache=None).corpus.files is None
    files = crops_of(folder, cache=None, workers=1).corpus.files
    assert files is not None
    assert files.folder == tmp_path / "vqaudio"


def test_batches_stay_what_they_are_on_their_way(folder):
    for settings, same in (({"noise": 0.0}, True), ({}, False)):
        batch = crops_of(folder, **settings).batch(0)
        assert (batch.source is batch.target) == same
        moved = batch.to(CPU)
        assert (moved.source is moved.target) == same
        assert_equal(moved, batch)


def test_a_gpu_holds_recordings_up_to_a_quarter_of_its_memory(folder, monkeypatch):
    crops = crops_of(folder)
    for spare, expected in ((0, True), (-4, False)):
        found = SimpleNamespace(total_memory=4 * crops.n_bytes + spare)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, found=found: found)
        assert fits(crops, torch.device("cuda")) == expected


def test_without_workers_crops_are_made_in_the_step(folder):
    crops = crops_of(folder)
    made = Prefetch(crops, CPU, workers=0)
    for step in (3, 4, 9):
        assert_equal(made.batch(step, 1), crops.batch(step, 1))


@pytest.mark.slow
def test_workers_make_the_same_crops_from_any_step_on(folder):
    crops = crops_of(folder)
    made = Prefetch(crops, CPU, workers=2)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    for step in (3, 4, 5, 6, 90, 91):
        assert_equal(made.batch(step, 1), crops.batch(step, 1))
    assert torch.equal(torch.rand(1), expected)  # what the model draws is what it draws without workers


@pytest.mark.slow
def test_workers_go_on_when_all_processes_are_told_to_stop(folder, monkeypatch):
    monkeypatch.setattr(prefetch, "AHEAD", 1)
    crops = crops_of(folder)
    made = Prefetch(crops, CPU, workers=1)
    made.batch(0, 0)
    (worker,) = multiprocessing.active_children()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker.pid, number)
    for step in range(1, 5):
        assert_equal(made.batch(step, 0), crops.batch(step, 0))
    begun = time.monotonic()
    made.close()
    assert not multiprocessing.active_children()
    assert time.monotonic() - begun < 4
