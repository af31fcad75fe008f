"""A run's folder on disk: what is written there, by which name, and whose it is."""

from __future__ import annotations

from pathlib import Path

from vqaudio.config.reading import dump_json
from vqaudio.config.training import RunConfig
from vqaudio.errors import FileError
from vqaudio.files import atomic_write


class RunFolder:
    """``config.json``, ``resume.safetensors``, the folders ``logs`` and ``tensorboard``, and models.

    ``latest.safetensors`` is the model when the state was last saved, ``before_adversarial.safetensors`` the one from
    before the discriminators began, ``model.safetensors`` the one at the end, ``discriminators.safetensors`` what
    it was trained against.
    """

    def __init__(self, path: str):
        self.path = Path(path)
        self.config, self.state = self.path / "config.json", self.path / "resume.safetensors"
        self.latest, self.before_adversarial = (
            self.path / "latest.safetensors",
            self.path / "before_adversarial.safetensors",
        )
        self.model, self.discriminators = self.path / "model.safetensors", self.path / "discriminators.safetensors"

    def claim(self, resume: bool) -> None:
        """Refuse a folder that belongs to another run.

        Raises:
            FileError: it holds a run that is not to be resumed, or is no folder.
        """
        if self.path.exists() and not self.path.is_dir():
            raise FileError(f"{self.path}: is a file, not a folder; set another `out`")
        if not resume and any(path.exists() for path in (self.config, self.state, self.model)):
            raise FileError(f"{self.path}: holds a run already; add --resume to go on with it, or set another `out`")

    def make(self) -> None:
        """Make the folder, where it is not there yet.

        Raises:
            FileError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{self.path}: cannot be made ({error.strerror}); set another `out`") from None

    def write_config(self, config: RunConfig) -> None:
        """Write what the run is made of, as JSON.

        Raises:
            FileError: the folder cannot be made or written to.
        """
        self.make()
        with atomic_write(self.config) as file:
            file.write(f"{dump_json(config)}\n".encode())

    @property
    def hint(self) -> str:
        """How to go on after a run has stopped early."""
        if self.state.is_file():
            return f"the last state is kept in {self.state}: go on from it with --resume"
        return f"{self.path} holds no state yet: start anew with --resume, or remove it"
