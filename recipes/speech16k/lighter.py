"""Makes a model's encoder or decoder lighter: fewer hidden channels in its units, the same bottleneck.

    python -m recipes.speech16k.lighter FOLDER MODEL OUT --stem-expansion 1 --expansion 2
    python -m recipes.speech16k.lighter FOLDER MODEL OUT --decoder-hidden 1024,768,...

Unit by unit, the hidden channels that matter least on training speech are left out, and the layer after them is fitted
to what the whole unit made there; how far off that is, is printed. FOLDER holds recordings; MODEL and OUT are
.safetensors files. The codes mean what they meant, so OUT keeps MODEL's fingerprint; training goes on with the
bottleneck ``frozen``, and what was not pruned.

Source: layer by layer, what remains is fitted to the outputs by least squares as in He, Zhang & Sun, "Channel pruning
for accelerating very deep neural networks", 2017, eq. 1; channels are chosen by the energy that they bring instead.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from vqaudio.audio.recordings import list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.cli import command
from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import parse
from vqaudio.config.runs import merged
from vqaudio.errors import ModelError
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.layers import ResidualUnit

SECONDS = 8
RIDGE = 1e-4  # of the mean energy of a channel


@command
@torch.no_grad()
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="lighter.py", description="Make a model's encoder or decoder lighter.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--stem-expansion", type=int, metavar="N", help="hidden channels over others (default: as it is)"
    )
    parser.add_argument("--expansion", type=int, metavar="N", help="the same, behind the stem")
    parser.add_argument("--decoder-hidden", type=counts, metavar="N,...", help="hidden channels of the decoder's units")
    parser.add_argument("--recordings", type=int, default=100, help="to look at (default: %(default)s)")
    options = parser.parse_args(argv)
    sizes = {
        "encoder": {"stem_expansion": options.stem_expansion, "expansion": options.expansion},
        "decoder": {"hidden": options.decoder_hidden},
    }
    given = {part: {name: size for name, size in asked.items() if size is not None} for part, asked in sizes.items()}
    smaller = {part: asked for part, asked in given.items() if asked}
    if not smaller:
        parser.error("nothing to prune: expected --stem-expansion, --expansion or --decoder-hidden")
    source = checkpoint.load(options.model)
    model, config = source.model, source.model.config
    for part in smaller:
        if getattr(config, part).kind != "spectral":
            raise ModelError(f"{options.model}: has no spectral {part}; use another model")
    lighter = Autoencoder(parse(ModelConfig, merged(config.model_dump(mode="json"), smaller)))
    sounds = list(speech(options.folder, config.sample_rate, config.hop_length, options.recordings))
    if "decoder" in smaller:  # while the encoder is whole
        prune_layers(model.decoder.layers, lighter.decoder.layers, list(latents(model, sounds)), name="decoder")
    if "encoder" in smaller:
        prune_layers(model.encoder.layers, lighter.encoder.layers, sounds, name="encoder")
    lighter.load_state_dict(model.state_dict())
    checkpoint.save(lighter, options.out, training=source.training, codes_of=source)
    return 0


def counts(text: str) -> tuple[int, ...]:
    """``1024,768`` as numbers."""
    return tuple(int(number) for number in text.split(","))


def latents(model: Autoencoder, sounds: Iterable[Tensor]) -> Iterator[Tensor]:
    """What a decoder gets, ``(1, D, frames)`` for each sound: of few codebooks and of many, in turn."""
    count = len(model.bottleneck.streams)
    depths = cycle(range(count, 0, -2))
    for sound in sounds:
        yield model.bottleneck.decode(model.bottleneck.encode(model.encoder(sound), next(depths)))


def prune_layers(layers: nn.Sequential, small: nn.Sequential, heard: Sequence[Tensor], *, name: str) -> None:
    """Prune units to the size of those in ``small``. ``heard`` is what reaches the first layer, for each sound."""
    for place, (layer, like) in enumerate(zip(tqdm(layers, leave=False, disable=None), small, strict=True)):
        if isinstance(layer, ResidualUnit) and like.expand.out_features < (size := layer.expand.out_features):
            kept = like.expand.out_features
            off = prune(layer, kept, products(layer, heard))
            tqdm.write(f"{name}, layer {place}: {kept} of {size} hidden channels, off by {10 * math.log10(off):.1f} dB")
        heard = [layer(one) for one in heard]  # what reaches the next


def speech(folder: Path, sample_rate: int, hop_length: int, count: int) -> Iterator[Tensor]:
    """The beginnings of some training recordings, each ``(1, 1, samples)``."""
    paths = [item.path for item in list_recordings(folder) if item.split == "train"]
    for index in np.random.default_rng(0).permutation(len(paths))[:count]:
        sound = read_mono(paths[index], sample_rate)[: SECONDS * sample_rate]
        yield torch.from_numpy(sound[: len(sound) // hop_length * hop_length])[None, None]


def products(unit: ResidualUnit, heard: Sequence[Tensor]) -> Tensor:
    """Means over all frames of the products of a unit's hidden channels: ``(hidden, hidden)``, float64.

    ``heard`` is what reaches the unit, for each sound ``(1, channels, frames)``.
    """
    size = unit.contract.in_features
    total, frames = torch.zeros(size, size, dtype=torch.float64), 0
    with hidden_of(unit) as seen:
        for one in heard:
            unit(one)
            found = seen.pop().flatten(0, 1).double()
            total += found.T @ found
            frames += len(found)
    return total / frames


@contextmanager
def hidden_of(unit: ResidualUnit) -> Iterator[list[Tensor]]:
    """A list that gets what reaches the unit's last layer, whenever it is called."""
    seen: list[Tensor] = []

    def see(_: nn.Module, inputs: Any) -> None:
        seen.append(inputs[0])

    handle = unit.contract.register_forward_pre_hook(see)
    yield seen
    handle.remove()


def prune(unit: ResidualUnit, kept: int, products: Tensor) -> float:
    """Keep so many hidden channels of a unit; its last layer makes of them what it made of all, as nearly as it can.

    Returns:
        The energy of what it makes wrong over that of what it made, biases left out.
    """
    weight = unit.contract.weight.double()
    energy = products.diagonal() * weight.square().sum(0)
    chosen = energy.argsort(descending=True)[:kept].sort().values
    within = products[chosen][:, chosen]
    within = within + RIDGE * within.diagonal().mean() * torch.eye(kept, dtype=torch.float64)
    fitted = torch.linalg.solve(within, products[chosen] @ weight.T).T
    missed = weight.clone()
    missed[:, chosen] -= fitted
    expand, contract = nn.Linear(unit.expand.in_features, kept), nn.Linear(kept, unit.contract.out_features)
    expand.load_state_dict({"weight": unit.expand.weight[chosen], "bias": unit.expand.bias[chosen]})
    contract.load_state_dict({"weight": fitted.float(), "bias": unit.contract.bias})
    unit.expand, unit.contract = expand, contract
    made, wrong = ((part @ products * part).sum(1) @ unit.scale.double().square() for part in (weight, missed))
    return float(wrong / made)


if __name__ == "__main__":
    raise SystemExit(main())
