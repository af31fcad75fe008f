"""``python benchmarks/tolerances.py FOLDER``: how far ONNX Runtime's numbers are from torch's, over recordings.

Prints Markdown tables: for each model the largest difference of a feature, and the energy of the decoded sound's
difference relative to the sound, of the networks that vqaudio runs and of the files that ``vqaudio.export`` writes; and
how near encoder.onnx, which chooses codes greedily, comes to what a search of files finds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from vqaudio.audio.recordings import list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.cli.program import Command
from vqaudio.errors import VqaudioError
from vqaudio.inference.backends import load_networks
from vqaudio.inference.exported import decoder_model, encoder_model
from vqaudio.inference.onnx_networks import OnnxNetworks
from vqaudio.inference.stored import read_model
from vqaudio.registry import shipped_models

Floats = NDArray[np.float32]


@dataclass
class Differences:
    """Of features, the largest; of sounds, the energies of difference and sound."""

    largest: float = 0.0
    energies: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def add(self, features: tuple[Floats, Floats], sounds: tuple[Floats, Floats]) -> None:
        """One recording's: what is looked at, then what it should be."""
        self.largest = max(self.largest, float(np.abs(features[0] - features[1]).max()))
        self.energies += [float(np.square(x, dtype=np.float64).sum()) for x in (sounds[0] - sounds[1], sounds[1])]

    @property
    def decibels(self) -> float:
        """The difference's energy relative to the sound's."""
        return float(10 * np.log10(self.energies[0] / self.energies[1]))


@click.command("benchmarks/tolerances.py", cls=Command, example="../shared/data/speech/digits --limit 20")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--limit", type=int, default=20, show_default=True, metavar="N", help="recordings, evenly spread")
@click.option("--seconds", type=float, default=10.0, show_default=True, metavar="TIME", help="of each at most")
def main(folder: Path, limit: int, seconds: float) -> int:
    """Compare backends on the first seconds of recordings, of those of the split test where splits are known."""
    found = list_recordings(folder)
    found = [one for one in found if one.split == "test"] or found
    if not found:
        raise VqaudioError(f"{folder}: holds no recordings")
    chosen = [found[at].path for at in np.linspace(0, len(found) - 1, min(limit, len(found))).astype(int)]
    rows, greedy = [], []
    for name in shipped_models():
        networks, exported, nearness = compare(name, chosen, seconds)
        rows.append(
            f"| `{name}` | {networks.largest:.1g} | {networks.decibels:.0f} | {exported.largest:.1g} "
            f"| {exported.decibels:.0f} |"
        )
        greedy.append(f"| `{name}` | {nearness[0]:.0%} | {nearness[1]:.3f} |")
    print(f"{len(chosen)} recordings of {folder}\n")
    print("| model | features | sound, dB | encoder.onnx | decoder.onnx, dB |\n|---|---:|---:|---:|---:|")
    print("\n".join(rows))
    print("\n| model | equal codes | squared distance, greedy / search |\n|---|---:|---:|")
    print("\n".join(greedy))
    return 0


def compare(name: str, paths: list[Path], seconds: float) -> tuple[Differences, Differences, tuple[float, float]]:
    """Our networks and exported files beside torch; of greedy codes the share that is equal, and their distance."""
    stored = read_model(name)
    torch_networks, onnx_networks = load_networks(stored, backend="torch"), OnnxNetworks(stored)
    encoder, decoder = (session(build(stored, onnx_networks)) for build in (encoder_model, decoder_model))
    inside, outside = Differences(), Differences()
    equal, distances = [], np.zeros(2)
    for path in paths:
        hop = stored.config.hop_length
        sound = read_mono(path, stored.config.sample_rate)[: round(seconds * stored.config.sample_rate)]
        waveform = np.pad(sound, (0, -len(sound) % hop))[None, None].astype(np.float32)
        features = torch_networks.features(waveform)
        codes = torch_networks.encode(features)
        decoded, own = torch_networks.decode(codes), onnx_networks.features(waveform)
        inside.add((own, features), (onnx_networks.decode(codes), decoded))
        found, greedy = encoder.run(["features", "codes"], {"waveform": waveform})
        told = {"speaker": np.zeros(1, np.int64)} if stored.config.speakers else {}
        (again,) = decoder.run(None, {"codes": np.stack(codes, axis=1), **told})
        outside.add((found, features), (again, decoded))
        equal.append(np.mean(greedy[0] == np.concatenate(codes)))
        for at, one in enumerate((list(greedy.transpose(1, 0, 2)), codes)):
            distances[at] += np.square(onnx_networks.quantizer.decode(one) - features).sum(dtype=np.float64)
    return inside, outside, (float(np.mean(equal)), float(distances[0] / distances[1]))


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """What runs an exported file."""
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    raise SystemExit(main())
