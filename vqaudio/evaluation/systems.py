"""What is evaluated, behind one small interface: a codec at one setting, ours or another."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec


@dataclass(frozen=True)
class Coded:
    """A clip after encoding and decoding: float32 ``(samples,)`` as long as the clip, and the file's size between.

    ``n_packet_bytes``: what of it is not the container's, where the codec has packets in a container; ``data``: the
    file, where it is ours.
    """

    decoded: Wave
    n_bytes: int
    n_packet_bytes: int | None = None
    data: bytes | None = None


class System(Protocol):
    """A codec at one setting."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def family(self) -> str:
        """What plots join with a line."""

    def run(self, clip: Wave) -> Coded:
        """Encode and decode float32 ``(samples,)``, mono at 16 kHz.

        Raises:
            VqaudioError: it cannot.
        """


def fit_length(wave: NDArray[np.floating], n_samples: int) -> Wave:
    """Cut or filled with zeros to ``n_samples``, and clipped to full scale as in a 16-bit file."""
    fitted = np.zeros(n_samples, dtype=np.float32)
    fitted[: len(wave)] = np.clip(wave[:n_samples], -1.0, 1.0)
    return fitted


class OwnCodec:
    """What :func:`vqaudio.load` returns, at a number of codebooks, with an entropy mode and a λ."""

    def __init__(self, codec: Codec, n_codebooks: int, *, entropy: str | None = None, rdo: float = 0.0):
        self.codec, self.n_codebooks, self.entropy, self.rdo = codec, n_codebooks, entropy, rdo
        how = [] if entropy is None else [entropy]
        how += [f"rdo {rdo:g}"] if rdo else []
        self.family = ", ".join([codec.name, *how])
        self.name = ", ".join([codec.name, f"{n_codebooks} codebook{'s' if n_codebooks > 1 else ''}", *how])

    def run(self, clip: Wave) -> Coded:
        """See :class:`System`."""
        data = self.codec.compress(
            clip[None], SAMPLE_RATE, n_codebooks=self.n_codebooks, entropy=self.entropy, rdo=self.rdo
        )
        decoded, _ = self.codec.decompress(data)
        return Coded(fit_length(decoded[0], len(clip)), len(data), data=data)


class Original:
    """No codec: what metrics and judges say of the recordings themselves, as samples of 16 bits."""

    name = family = "original"

    def run(self, clip: Wave) -> Coded:
        """See :class:`System`."""
        return Coded(fit_length(clip, len(clip)), 2 * len(clip))


# ------------------------------------------------------------------------------------------------- command-line tools


def missing_tools(package: str, *tools: str) -> str | None:
    """Which command-line tools are not there, and the package that brings them; None if all are."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return f"{' and '.join(missing)} not found; install them with: apt install {package}" if missing else None


def run_tool(tool: str, *arguments: str | Path, given: bytes | None = None) -> bytes:
    """Run a tool on what is ``given`` on its standard input, wait for it, and return what it wrote to standard output.

    Raises:
        EvaluationError: it fails; the message ends with the last line that it wrote.
    """
    result = subprocess.run([tool, *map(str, arguments)], input=given, capture_output=True, check=False)
    if result.returncode:
        said = (result.stderr or result.stdout).decode(errors="replace").strip().splitlines()
        raise EvaluationError(
            f"{tool}: failed with exit status {result.returncode} ({said[-1] if said else 'it said nothing'}); "
            "leave that codec out of --peers, or install a current version"
        )
    return result.stdout
