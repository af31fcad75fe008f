"""One worker of a run on a Ray cluster: it trains as a process that torchrun has started does."""

from __future__ import annotations

import logging
import os
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from vqaudio.config.training import RunConfig
from vqaudio.errors import LostProcessError, VqaudioError, install
from vqaudio.training.interruption import Interruption
from vqaudio.training.line import Line

DATA_VARIABLES = ("VQAUDIO_DATA", "XDG_CACHE_HOME")
"""What commands read of the environment: workers find the same."""


@dataclass(frozen=True)
class Job:
    """What every worker is told.

    Attributes:
        config: of the run, its paths as on the machine that started it.
        minutes, resume, progress: as for :class:`vqaudio.training.loop.Trainer`.
        folder: where the command was started; paths are from there where workers have it.
        environment: variables that count.
        columns: the width of the terminal on which the bar is seen; none: it is not seen.
    """

    config: RunConfig
    minutes: float | None
    resume: bool
    progress: bool
    folder: str
    environment: dict[str, str]
    columns: int | None


def work(given: dict[str, Any]) -> None:
    """Train, in one of Ray Train's workers; what fails is told to the command, and ends the run.

    Raises:
        LostProcessError: another worker is gone: Ray Train may start all of them anew.
    """
    import ray
    from ray.train import get_context

    job: Job = given["job"]
    rank = get_context().get_world_rank()
    os.environ.update(job.environment)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if job.columns is not None:
        os.environ["COLUMNS"] = str(job.columns)
    with suppress(OSError):
        os.chdir(job.folder)

    interruption = Interruption()
    line = Line(ray, given["switchboard"], terminal=rank == 0 and job.columns is not None, interruption=interruption)
    before = sys.stderr
    if rank == 0:
        line.tell_of("begin")
        line.open()
        sys.stderr = line
    try:
        _train(job, interruption)
    except LostProcessError:
        raise
    except VqaudioError as error:
        line.tell_of("failed", str(error))
    except KeyboardInterrupt:
        line.tell_of("stopped")
    except SystemExit:  # another worker has said why
        pass
    except OSError as error:
        line.tell_of("failed", f"{error.filename or 'a file'}: {error.strerror or error}")
    except ModuleNotFoundError as error:
        line.tell_of("failed", f"node {socket.gethostname()} has no {error.name}: {install('train')} on every node")
    except Exception:
        line.tell_of("bug", traceback.format_exc())
    finally:
        line.hang_up()
        sys.stderr = before


def _train(job: Job, interruption: Interruption) -> None:
    from vqaudio.training.folder import RunFolder  # late: what follows brings torch
    from vqaudio.training.loop import Trainer
    from vqaudio.training.processes import RayEnvironment, leave

    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    begun = RunFolder(job.config.out).config.exists()  # by this very run: the command has looked whose the folder is
    trainer = Trainer(
        job.config,
        minutes=job.minutes,
        resume=job.resume or begun,
        progress=job.progress,
        environment=RayEnvironment(),
    )
    trainer.run(interruption)
    leave()
