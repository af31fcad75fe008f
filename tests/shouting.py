"""A quick converter of files, for tests of what surrounds converters: other processes import it in no time."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from functools import cached_property

from vqaudio.cli.converting import Converter, Job
from vqaudio.errors import FileError, VqaudioError


@dataclass(frozen=True)
class Shouting(Converter[Job, str]):
    """Writes in capitals; says so; and does what a name asks for."""

    mark: str

    @cached_property
    def loaded(self) -> list[int]:
        return []

    def __call__(self, job: Job) -> str:
        self.loaded.append(os.getpid())
        if job.source.name == "slow":
            time.sleep(0.5)
        if job.source.name == "deadly":
            os._exit(9)
        print(f"note: {job.source} is heard", file=sys.stderr)
        if job.source.name == "bad":
            raise VqaudioError(f"{job.source}: is bad")
        try:
            text = job.source.read_text()
        except FileNotFoundError:
            raise FileError(f"{job.source}: no such file") from None
        job.target.write_text(text.upper() + self.mark)
        return f"{job.target}, {len(self.loaded)} of {len(set(self.loaded))}"
