"""Runs of several processes: equal codebooks and weights on all ranks, however the processes were started."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import logged, numbers, run_python, two_process_config, written

from vqaudio.config.training import TrainConfig
from vqaudio.training.processes import _processes

# As `python -m vqaudio.train`, but every rank leaves its weights behind, and how often codes were revived. With a step
# as a second argument the second one is killed before it, once, and whoever starts them again goes on.
WORKER = """
import os
import signal
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from vqaudio.model.bottleneck.codebook import Codebook
from vqaudio.config.reading import parse
from vqaudio.config.runs import load_yaml
from vqaudio.config.training import TrainConfig
from vqaudio.training.loop import Trainer
from vqaudio.training.processes import leave

placed, place = [], Codebook._place

def counted(self, where, vectors, count):
    placed.append(len(where))
    place(self, where, vectors, count)

Codebook._place = counted
folder, killed = Path(sys.argv[1]).parent, [int(step) for step in sys.argv[2:]]
step = Trainer._train_step

def mortal(self):
    if self.fabric.global_rank and self.step in killed and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self)

Trainer._train_step = mortal
trainer = Trainer(parse(TrainConfig, load_yaml(sys.argv[1])), resume=bool(killed), progress=False)
trainer.run()
modules, _ = trainer._parts()
tensors = {
    f"{name}/{key}": tensor.contiguous().clone()
    for name, module in modules.items() for key, tensor in module.state_dict().items()
}
rank = trainer.fabric.global_rank
tensors["heard"] = trainer.task.train_crops.batch(0, rank).target
tensors["placed"] = torch.tensor(placed)
save_file(tensors, folder / f"rank{rank}.safetensors")
leave()
"""


@pytest.mark.slow
@pytest.mark.parametrize("update", ["ema", "loss"])
def test_two_processes_end_with_equal_codebooks_and_weights(tmp_path, update):
    config = two_process_config(tmp_path, update)
    path = written(config, tmp_path)
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER, encoding="utf-8")
    done = run_python(str(worker), path)
    assert done.returncode == 0, done.stderr
    ranks = [load_file(tmp_path / f"rank{rank}.safetensors") for rank in range(2)]
    heard = [rank.pop("heard") for rank in ranks]
    assert not torch.equal(*heard)
    placed = ranks[0]["placed"].tolist()
    assert placed[:2] == [64, 64]  # both codebooks start from data
    assert len(placed) > 2  # codes died and were revived
    modules = {"model", "average", "discriminators", "gradient_norms"}
    assert {name.split("/")[0] for name in ranks[0]} == modules | {"placed"}
    assert ranks[0]["gradient_norms/norms"].min() > 0  # the model has learned from discriminators
    for name, tensor in ranks[0].items():
        assert torch.equal(tensor, ranks[1][name]), name
    assert numbers(config.out)["heard"] == pytest.approx(12 * 2 * 2 * 0.25)
    assert len(logged(config.out)) == 12


@pytest.mark.slow
def test_torchrun_starts_a_killed_process_again_and_ends_as_fabric_does_undisturbed(tmp_path):
    """The very same weights, codebooks, averages and discriminators, whoever launches and whatever happens."""
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER, encoding="utf-8")
    config = two_process_config(tmp_path)
    fabric = run_python(str(worker), written(config, tmp_path))
    assert fabric.returncode == 0, fabric.stderr
    expected = [load_file(tmp_path / f"rank{rank}.safetensors") for rank in range(2)]

    other = config.model_copy(update={"devices": 1, "out": str(tmp_path / "torchrun")})
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", "--max-restarts=1")
    anew = {
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"
    }  # else they may find the addresses of those before: docs/training.md
    torchrun = run_python(*launcher, str(worker), written(other, tmp_path), "7", **anew)
    assert torchrun.returncode == 0, torchrun.stderr
    assert (tmp_path / "killed").exists()
    assert "process 1 of 2: another one is gone without a word" in torchrun.stderr
    assert numbers(other.out)["step"] == 12
    for rank in range(2):
        found = load_file(tmp_path / f"rank{rank}.safetensors")
        for name in expected[rank].keys() - {"placed"}:  # these were counted from the restart
            assert torch.equal(found[name], expected[rank][name]), name


@pytest.mark.slow
def test_torchrun_says_how_many_processes_there_are(tmp_path):
    """Against the config, which asks for one; and a failure is one line, by the first rank alone."""
    config = two_process_config(tmp_path).model_copy(update={"devices": 1, "steps": 3})
    path = written(config, tmp_path)
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", "-m", "vqaudio.train", path)
    done = run_python(*launcher)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{config.out}/model.safetensors\n"
    assert "distributed" not in done.stderr  # the library's greetings
    assert numbers(config.out) == numbers(config.out) | {"step": 3, "heard": pytest.approx(3 * 2 * 2 * 0.25)}

    done = run_python(*launcher, "--set", f"out={tmp_path / 'other'}", "--set", "learning_rate=1e30")
    assert done.returncode != 0
    assert done.stderr.count("error: the loss became nan") == 1


def test_launchers_overrule_the_config(monkeypatch):
    config = TrainConfig(devices=3, nodes=2)
    for name in ("LT_CLI_USED", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    assert _processes(config) == (3, 2)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "torchrun")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert _processes(config) == (4, 2)
    monkeypatch.setenv("LT_CLI_USED", "1")  # `fabric run` starts torchrun, and leaves word for Fabric itself
    assert _processes(config) == ("auto", 1)
