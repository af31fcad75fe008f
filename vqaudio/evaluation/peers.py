"""Other codecs beside ours: Opus and Codec2 through their command-line tools.

A rate is that of the whole file that a codec writes, headers included. Codec2 is a telephone codec: it codes 8 kHz
speech, and wideband metrics charge it for the upper half of the band that it leaves out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import soxr

from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.choices import PEER_NAMES
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave
from vqaudio.evaluation.opus import Opus, OpusNolace
from vqaudio.evaluation.systems import Coded, System, fit_length, missing_tools, run_tool


class Codec2:
    """Codec2 in its own ``.c2`` file, in one of its modes (b/s), on the clip at 8 kHz.

    Its files hold whole bytes a frame: 700C takes 800 b/s.

    Its output is late by a fixed number of samples, which is taken out. It is written down here and not estimated: the
    decoder makes up its phases, so that the cross-correlation of the waveforms peaks up to 15 ms beside the delay,
    and such an error costs STOI up to 0.1. These are the shifts at which STOI over several voices is highest.
    """

    family = "Codec2"
    settings = ("3200", "1200", "700C")
    sample_rate = 8000  # Hz
    frame = 320  # samples: a whole number of frames in every mode, the shorter ones are 160
    delays = MappingProxyType({"3200": 160, "1200": 160, "700C": 240})  # samples

    def __init__(self, mode: str):
        self.mode = mode
        self.name = f"Codec2 {mode}"

    @classmethod
    def missing(cls) -> str | None:
        """What has to be installed, and how; None if nothing."""
        return missing_tools("codec2", "c2enc", "c2dec")

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
            run_tool("c2enc", self.mode, source, coded)
            run_tool("c2dec", self.mode, coded, decoded)
            late = np.fromfile(decoded, "<i2").astype(np.float32) / np.float32(32768.0)
            wave = soxr.resample(late[self.delays[self.mode] :], self.sample_rate, SAMPLE_RATE)
            return Coded(fit_length(wave, len(clip)), coded.stat().st_size)


PEERS: dict[str, type[Opus] | type[Codec2]] = dict(zip(PEER_NAMES, (Opus, OpusNolace, Codec2), strict=True))


def find_peers(wanted: Sequence[str] | None) -> tuple[list[System], list[str]]:
    """The peers at each of their settings, and a note for each that is left out.

    ``wanted``: names in :data:`PEERS`; None takes those for which all is installed.

    Raises:
        EvaluationError: an unknown name, or one asked for that lacks something.
    """
    systems: list[System] = []
    notes = []
    for name in PEERS if wanted is None else wanted:
        if name not in PEERS:
            raise EvaluationError(f"--peers {name}: no such codec; choose among {', '.join(PEERS)}, or none")
        peer = PEERS[name]
        if cure := peer.missing():
            if wanted is not None:
                raise EvaluationError(f"--peers {name}: {cure}")
            notes.append(f"{peer.family} is left out: {cure}")
            continue
        systems.extend(peer.at_each_setting())
    return systems, notes
