"""Opus by its command-line tools, and with the decoder of version 1.5, which has learned to repair speech (NoLACE).

Both write an Ogg file, whose size is the rate beside that of other files; the size of the packets in it is told too.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from vqaudio.evaluation import require
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave
from vqaudio.evaluation.systems import Coded, System, fit_length, missing_tools, run_tool

LEAN = ("--padding", "0", "--discard-comments", "--quiet")
PRE_SKIP_RATE = 48000  # Hz, whatever rate is coded
NODE_PACKAGE = "@wasm-audio-decoders/opus-ml"
NODE_SCRIPT = Path(__file__).with_name("nolace.mjs")


@dataclass(frozen=True)
class OpusFile:
    """An Ogg Opus file: its size, its packets, and how many samples at 48 kHz come before the sound."""

    n_bytes: int
    packets: tuple[bytes, ...]
    pre_skip: int

    @property
    def n_packet_bytes(self) -> int:
        """Bytes of all packets."""
        return sum(map(len, self.packets))

    @classmethod
    def read(cls, path: Path) -> OpusFile:
        """Take a file of one stream apart."""
        with require("av").open(str(path)) as file:
            stream = file.streams.audio[0]
            header = bytes(stream.codec_context.extradata or b"")
            packets = tuple(bytes(packet) for packet in file.demux(stream) if packet.size)
        return cls(path.stat().st_size, packets, int.from_bytes(header[10:12], "little"))


class Opus:
    """Opus in its own ``.opus`` file, at a rate that it is asked for (kb/s); what it writes is a little more."""

    family = "Opus"
    settings = (6, 8, 12)
    quality: tuple[str, ...] = ("--speech", "--framesize", "60", "--comp", "10", "--vbr")

    def __init__(self, kbps: int):
        self.kbps = kbps
        self.name = f"{self.family} {kbps}"

    @classmethod
    def missing(cls) -> str | None:
        """What has to be installed, and how; None if nothing."""
        return missing_tools("opus-tools", "opusenc", "opusdec")

    @classmethod
    def at_each_setting(cls) -> list[System]:
        """One system per entry of ``settings``."""
        return [cls(kbps) for kbps in cls.settings]

    def run(self, clip: Wave) -> Coded:
        """See :class:`System`."""
        with tempfile.TemporaryDirectory(prefix="vqaudio-") as name:
            source, coded = Path(name, "in.wav"), Path(name, "coded.opus")
            soundfile.write(source, clip, SAMPLE_RATE, "PCM_16")
            run_tool("opusenc", "--bitrate", str(self.kbps), *self.quality, *LEAN, source, coded)
            file = OpusFile.read(coded)
            return Coded(fit_length(self.decoded(coded, file), len(clip)), file.n_bytes, file.n_packet_bytes)

    def decoded(self, path: Path, file: OpusFile) -> Wave:
        """The sound ``(samples,)`` at 16 kHz of a file that was written, beginning where the sound began."""
        out = path.with_name("out.wav")
        run_tool("opusdec", "--rate", str(SAMPLE_RATE), "--quiet", path, out)
        wave: Wave = soundfile.read(out, dtype="float32")[0]
        return wave


class OpusNolace(Opus):
    """The same encoder held to wide band and to frames of 20 ms, which NoLACE repairs, and Opus 1.5's decoder in Node.

    Source: Büthe et al., "NoLACE: improving low-complexity speech codec enhancement through adaptive temporal shaping",
    2024.
    """

    family = "Opus, NoLACE"
    wide_band = ("--set-ctl-int", "4008=1103")  # OPUS_SET_BANDWIDTH(OPUS_BANDWIDTH_WIDEBAND)
    quality = ("--speech", "--framesize", "20", "--comp", "10", "--vbr", *wide_band)

    @classmethod
    def missing(cls) -> str | None:
        """What has to be installed, and how; None if nothing."""
        if tools := missing_tools("opus-tools nodejs", "opusenc", "node"):
            return tools
        look = ["node", "-e", f"require.resolve('{NODE_PACKAGE}')"]
        if subprocess.run(look, capture_output=True, check=False).returncode:
            return (
                f"the Node package {NODE_PACKAGE} not found; install it with: "
                f"npm install --prefix FOLDER {NODE_PACKAGE}, and set NODE_PATH=FOLDER/node_modules"
            )
        return None

    def decoded(self, path: Path, file: OpusFile) -> Wave:
        """See :class:`Opus`."""
        packed = b"".join(len(packet).to_bytes(2, "little") + packet for packet in file.packets)
        wave = np.frombuffer(run_tool("node", NODE_SCRIPT, given=packed), "<f4")
        return wave[file.pre_skip * SAMPLE_RATE // PRE_SKIP_RATE :]
