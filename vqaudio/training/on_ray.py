"""Runs on a Ray cluster: Ray Train places the workers, and starts them anew where one is lost; here they are heard."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from vqaudio.cluster.connect import connect
from vqaudio.config.training import RunConfig
from vqaudio.errors import ConfigError, LostProcessError, VqaudioError
from vqaudio.training.folder import RunFolder
from vqaudio.training.interruption import Interruption
from vqaudio.training.line import TELL_SECONDS, Switchboard
from vqaudio.training.worker import DATA_VARIABLES, Job, work

SILENT_SECONDS = 30.0
"""After so long without a word of any worker it is said what they may wait for."""
PATIENCE_SECONDS = 600.0
"""After so long the run is given up."""
RAY_FOLDER = "ray"
"""What Ray Train keeps in a run's folder while it is at work."""


def train_on_ray(
    config: RunConfig,
    cluster: str,
    *,
    workers: int | None = None,
    max_failures: int = 0,
    minutes: float | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Path:
    """Train with ``workers`` processes, as many as the config's ``devices`` and ``nodes`` by default, on a cluster.

    Each has a CPU, and a GPU where the config's accelerator is ``cuda``, or ``auto`` and the cluster has any. Where one
    is lost, or its node, all go on from the last state on the nodes that are there, ``max_failures`` times.

    Args:
        config: of the run; its folder must be the same on all nodes, as must recordings and what else it names.
        cluster: ``auto`` or an address, as for :func:`vqaudio.cluster.connect.connect`.
        workers, max_failures: see above.
        minutes, resume, progress: as for :class:`vqaudio.training.loop.Trainer`.

    Returns:
        The path of the trained model.

    Where it fails contact with the cluster, and with it the run, ends with this process.

    Raises:
        VqaudioError: the cluster cannot be joined or has not what is asked for, or what ends a run anywhere.
        KeyboardInterrupt: the run was asked to stop, and has saved its state.
    """
    if (os.environ.get("RAY_ADDRESS", "") if cluster == "auto" else cluster).startswith("ray://"):
        raise ConfigError(
            f"--cluster {cluster}: Ray Client cannot start a training; give the command on a machine of the cluster, "
            "with HOST:PORT (6379 unless chosen otherwise)"
        )
    folder = RunFolder(config.out)
    folder.claim(resume)
    ray, ours = connect(cluster)
    try:
        workers = workers or config.devices * config.nodes
        accelerator = _accelerator(ray, config.accelerator, workers, cluster)
        folder.make()
        job = Job(
            config.model_copy(update={"out": str(folder.path.absolute()), "accelerator": accelerator}),
            minutes,
            resume,
            progress,
            folder=os.getcwd(),
            environment={name: os.environ[name] for name in DATA_VARIABLES if name in os.environ},
            columns=shutil.get_terminal_size().columns if sys.stderr.isatty() else None,
        )
        try:
            _Run(ray, job, workers, max_failures).follow()
        except BaseException:  # Ray Train may still be at work: to end contact now can end this process, unheard
            ours = False  # it ends with the process, once all is said
            raise
    finally:
        if ours:
            ray.shutdown()
        shutil.rmtree(folder.path / RAY_FOLDER, ignore_errors=True)
    return folder.model


def _accelerator(ray: Any, accelerator: str, workers: int, cluster: str) -> str:
    """``cpu`` or ``cuda``, of which the cluster has enough.

    Raises:
        ConfigError: it has not.
    """
    there = ray.cluster_resources()
    cpus, gpus = int(there.get("CPU", 0)), int(there.get("GPU", 0))
    if accelerator == "auto":
        accelerator = "cuda" if gpus else "cpu"
    if accelerator == "cuda" and gpus < workers:
        raise ConfigError(
            f"--cluster {cluster}: {_count(workers, 'worker')} with a GPU each, but the cluster has "
            f"{_count(gpus, 'GPU')}; lower --workers, add nodes, or do without by --device cpu"
        )
    if cpus < workers:
        raise ConfigError(
            f"--cluster {cluster}: {_count(workers, 'worker')} with a CPU each, but the cluster has "
            f"{_count(cpus, 'CPU')}; lower --workers (or devices and nodes), or add nodes"
        )
    return accelerator


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


class _Run:
    """A run that Ray Train has in hand, in a thread; this one listens, and passes on a wish to stop."""

    def __init__(self, ray: Any, job: Job, workers: int, max_failures: int):
        self.ray, self.job, self.workers, self.max_failures = ray, job, workers, max_failures
        self.folder = RunFolder(job.config.out)
        self.begun, self.stopped, self.waiting = 0, False, False
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self.switchboard = ray.remote(Switchboard).options(num_cpus=0, scheduling_strategy=here).remote()
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._fit, name="ray train", daemon=True)

    def _fit(self) -> None:
        os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")  # where Ray is older, this is not yet the default
        from ray.train.torch import TorchConfig, TorchTrainer

        from vqaudio.training.processes import WAIT_SECONDS

        train, gpus = self.ray.train, int(self._kind == "GPU")
        each = {"CPU": 1, "GPU": 1} if gpus else {"CPU": 1}
        try:
            TorchTrainer(
                work,
                train_loop_config={"job": self.job, "switchboard": self.switchboard},
                torch_config=TorchConfig(timeout_s=WAIT_SECONDS),
                scaling_config=train.ScalingConfig(
                    num_workers=self.workers, use_gpu=bool(gpus), resources_per_worker=each
                ),
                run_config=train.RunConfig(
                    name=RAY_FOLDER,
                    storage_path=str(self.folder.path),
                    failure_config=train.FailureConfig(max_failures=self.max_failures),
                ),
            ).fit()
        except Exception as error:
            self.error = error

    def follow(self) -> None:
        """Until it ends; raises what :func:`train_on_ray` does."""
        with Interruption() as interruption:
            self.thread.start()
            asked = False
            while self.thread.is_alive():
                self.thread.join(TELL_SECONDS)
                self._hear()
                if interruption.asked and not asked:
                    if not self.begun:
                        raise KeyboardInterrupt
                    self._ask(self.switchboard.ask_to_stop.remote())
                    asked = True
        self._hear()
        if self.stopped:
            raise KeyboardInterrupt
        if self.error is not None:
            raise VqaudioError(_reason(self.error, self.max_failures, self.folder.hint)) from None

    def _hear(self) -> None:
        messages, silence = self._ask(self.switchboard.hear.remote())
        for kind, text in messages:
            if kind == "text":
                sys.stderr.write(text)
                sys.stderr.flush()
            elif kind == "begin":
                self._begin()
            elif kind == "stopped":
                self.stopped = True
            elif kind == "failed":
                raise VqaudioError(text)
            else:
                raise RuntimeError(f"a worker failed:\n{text}")
        if silence > PATIENCE_SECONDS:
            raise VqaudioError(
                f"the cluster has had no {self.workers} free {self._kind}s for {PATIENCE_SECONDS / 60:.0f} minutes; "
                f"{self.folder.hint}"
            )
        if silence > SILENT_SECONDS and not self.waiting and self.job.progress:
            self.waiting = True
            free = int(self.ray.available_resources().get(self._kind, 0))
            print(
                f"waiting for {_count(self.workers, 'worker')} to start, or for {self._kind}s to come free: "
                f"{_count(free, self._kind)} now",
                file=sys.stderr,
            )

    def _begin(self) -> None:
        self.begun, self.waiting = self.begun + 1, False
        if self.begun > 1 and self.job.progress:
            again = f"{self.begun - 1} of {self.max_failures}"
            print(f"a worker or its node was lost: all go on from the last state ({again})", file=sys.stderr)

    @property
    def _kind(self) -> str:
        return "GPU" if self.job.config.accelerator == "cuda" else "CPU"

    def _ask(self, question: Any) -> Any:
        """What the switchboard answers.

        Raises:
            VqaudioError: it does not any more, for the cluster is gone.
        """
        try:
            return self.ray.get(question)
        except self.ray.exceptions.RayError:
            raise VqaudioError(f"the cluster does not answer any more; {self.folder.hint}") from None


def _reason(error: Exception, max_failures: int, hint: str) -> str:
    """What to say of an error of Ray Train."""
    failures = list(getattr(error, "worker_failures", {}).values())
    if failures and all(_is_a_loss(one) for one in failures):
        often = "" if max_failures == 0 else f" {max_failures + 1} times"
        return (
            f"a worker is gone without a word{often} (killed, or with its node); {hint}, or let it go on by itself "
            "with a larger --max-failures"
        )
    said = next((str(one) for one in failures if not _is_a_loss(one)), str(error))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"Ray Train could not go on ({lines[-1] if lines else type(error).__name__}); {hint}"


def _is_a_loss(failure: Exception) -> bool:
    """Whether a worker failed for being gone, or for another that was."""
    return isinstance(failure, LostProcessError) or type(failure).__name__ == "WorkerHealthCheckFailedError"
