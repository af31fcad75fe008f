"""Every codec under test behind one small interface: our own, and Opus and Codec2 through their command-line tools.

A rate is that of the whole file that a codec writes, headers included. Codec2 is a telephone codec: it codes 8 kHz
speech, and wideband metrics charge it for the upper half of the band that it leaves out.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave

if TYPE_CHECKING:
    from vqaudio.codec import Codec


@dataclass(frozen=True)
class Coded:
    """A clip after encoding and decoding: float32 ``(samples,)`` as long as the clip, and the file's size between."""

    decoded: Wave
    n_bytes: int


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


def _fitted(wave: NDArray[np.floating], n_samples: int) -> Wave:
    """Cut or filled with zeros to ``n_samples``, and clipped to full scale as in a 16-bit file."""
    fitted = np.zeros(n_samples, dtype=np.float32)
    fitted[: len(wave)] = np.clip(wave[:n_samples], -1.0, 1.0)
    return fitted


# --------------------------------------------------------------------------------------------------------------- own


class OwnCodec:
    """What :func:`vqaudio.load` returns, at a number of codebooks, with an entropy mode and a λ."""

    def __init__(self, codec: Codec, n_codebooks: int, entropy: str | None = None, rdo: float = 0.0):
        self.codec, self.n_codebooks, self.entropy, self.rdo = codec, n_codebooks, entropy, rdo
        how = [] if entropy is None else [entropy]
        how += [f"rdo {rdo:g}"] if rdo else []
        self.family = ", ".join([codec.name, *how])
        self.name = ", ".join([codec.name, f"{n_codebooks} codebook{'s' if n_codebooks > 1 else ''}", *how])

    def run(self, clip: Wave) -> Coded:
        """See :class:`System`."""
        data = self.codec.compress(clip[None], SAMPLE_RATE, self.n_codebooks, self.entropy, rdo=self.rdo)
        decoded, _ = self.codec.decompress(data)
        return Coded(_fitted(decoded[0], len(clip)), len(data))


# ------------------------------------------------------------------------------------------------------------- peers


class Opus:
    """Opus in its own ``.opus`` file, at a rate that it is asked for (kb/s); what it writes is a little more."""

    family = "Opus"
    tools = ("opusenc", "opusdec")
    package = "opus-tools"
    settings = (6, 8, 12)
    quality = ("--speech", "--framesize", "60", "--comp", "10", "--vbr")
    lean = ("--padding", "0", "--discard-comments", "--quiet")

    def __init__(self, kbps: int):
        self.kbps = kbps
        self.name = f"Opus {kbps}"

    @classmethod
    def at_each_setting(cls) -> list[System]:
        """One system per entry of ``settings``."""
        return [cls(kbps) for kbps in cls.settings]

    def run(self, clip: Wave) -> Coded:
        """See :class:`System`."""
        with tempfile.TemporaryDirectory(prefix="vqaudio-") as name:
            folder = Path(name)
            source, coded, decoded = folder / "in.wav", folder / "coded.opus", folder / "out.wav"
            soundfile.write(source, clip, SAMPLE_RATE, "PCM_16")
            _run("opusenc", "--bitrate", str(self.kbps), *self.quality, *self.lean, source, coded)
            _run("opusdec", "--rate", str(SAMPLE_RATE), "--quiet", coded, decoded)
            wave, _ = soundfile.read(decoded, dtype="float32")
            return Coded(_fitted(wave, len(clip)), coded.stat().st_size)


class Codec2:
    """Codec2 in its own ``.c2`` file, in one of its modes (b/s), on the clip at 8 kHz.

    Its files hold whole bytes a frame: 700C takes 800 b/s.

    Its output is late by a fixed number of samples, which is taken out. It is written down here and not estimated: the
    decoder makes up its phases, so that the cross-correlation of the waveforms peaks up to 15 ms beside the delay,
    and such an error costs STOI up to 0.1. These are the shifts at which STOI over several voices is highest.
    """

    family = "Codec2"
    tools = ("c2enc", "c2dec")
    package = "codec2"
    settings = ("3200", "1200", "700C")
    sample_rate = 8000  # Hz
    frame = 320  # samples: a whole number of frames in every mode, the shorter ones are 160
    delays = MappingProxyType({"3200": 160, "1200": 160, "700C": 240})  # samples

    def __init__(self, mode: str):
        self.mode = mode
        self.name = f"Codec2 {mode}"

    @classmethod
    def at_each_setting(cls) -> list[System]:
        """One system per entry of ``settings``."""
        return [cls(mode) for mode in cls.settings]

    def run(self, clip: Wave) -> Coded:
        """See :class:`System`."""
        narrow = soxr.resample(clip, SAMPLE_RATE, self.sample_rate)
        narrow = np.pad(narrow, (0, -len(narrow) % self.frame))  # c2enc drops what does not fill a frame
        with tempfile.TemporaryDirectory(prefix="vqaudio-") as name:
            folder = Path(name)
            source, coded, decoded = folder / "in.raw", folder / "coded.c2", folder / "out.raw"
            (np.clip(narrow, -1.0, 1.0) * 32767.0).round().astype("<i2").tofile(source)
            _run("c2enc", self.mode, source, coded)
            _run("c2dec", self.mode, coded, decoded)
            late = np.fromfile(decoded, "<i2").astype(np.float32) / np.float32(32768.0)
            wave = soxr.resample(late[self.delays[self.mode] :], self.sample_rate, SAMPLE_RATE)
            return Coded(_fitted(wave, len(clip)), coded.stat().st_size)


def _run(tool: str, *arguments: str | Path) -> None:
    """Run a tool and wait for it.

    Raises:
        EvaluationError: it fails; the message ends with the last line that it wrote.
    """
    result = subprocess.run([tool, *map(str, arguments)], capture_output=True, check=False)
    if result.returncode:
        said = (result.stderr or result.stdout).decode(errors="replace").strip().splitlines()
        raise EvaluationError(
            f"{tool}: failed with exit status {result.returncode} ({said[-1] if said else 'it said nothing'}); "
            "leave that codec out of --peers, or install a current version"
        )


PEERS: dict[str, type[Opus] | type[Codec2]] = {"opus": Opus, "codec2": Codec2}


def find_peers(wanted: Sequence[str] | None) -> tuple[list[System], list[str]]:
    """The peers at each of their settings, and a note for each that is left out.

    ``wanted``: names in :data:`PEERS`; None takes those whose tools are installed.

    Raises:
        EvaluationError: an unknown name, or one asked for whose tools are not installed.
    """
    systems: list[System] = []
    notes = []
    for name in PEERS if wanted is None else wanted:
        if name not in PEERS:
            raise EvaluationError(f"--peers {name}: no such codec; choose among {', '.join(PEERS)}, or none")
        peer = PEERS[name]
        missing = [tool for tool in peer.tools if shutil.which(tool) is None]
        if missing:
            cure = f"{' and '.join(missing)} not found; install them with: apt install {peer.package}"
            if wanted is not None:
                raise EvaluationError(f"--peers {name}: {cure}")
            notes.append(f"{peer.family} is left out: {cure}")
            continue
        systems.extend(peer.at_each_setting())
    return systems, notes
