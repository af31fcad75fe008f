"""Priors that several tests look at: a tiny WaveNet, its quantized export, and an integer prior of random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio.config.prior import WaveNetConfig
from vqaudio.container import Stream
from vqaudio.intnet.grids import EXP_BITS, GATE, LOGIT, UNIT
from vqaudio.intnet.intervals import Integers
from vqaudio.prior.base import NONE, Prior, due, n_frames_of
from vqaudio.prior.context import ContextPrior
from vqaudio.prior.integer import IntegerPrior
from vqaudio.qat.fake_quantize import set_quantized
from vqaudio.wavenet import WaveNet
from vqaudio.wavenet.export import quantized_export

CODEC = "0123456789ab"
STREAMS = (Stream(11, stride=2), Stream(16), Stream(16))
FIELDS = {"speaker": ("ann", "bob"), "digit": ("zero", "one", "two")}
BOB = "speaker=bob,digit=two"


def random_codes(streams: Sequence[Stream], batch_size: int, n_frames: int, seed: int = 0) -> list[Integers]:
    """For each stream ``(batch, codes)``."""
    random = np.random.default_rng(seed)
    return [random.integers(0, stream.alphabet, (batch_size, stream.codes_in(n_frames))) for stream in streams]


def places(streams: Sequence[Stream], n_frames: int) -> list[tuple[int, int]]:
    """The codes of some frames in their order, each as its stream and its number in that stream."""
    return [place for frame in range(n_frames) for place in due(streams, frame)]


def walked(
    prior: Prior, codes: Sequence[Integers], condition: str = NONE, ask: str = "frequencies"
) -> list[NDArray[Any]]:
    """What a stepper gives along known codes when asked for ``frequencies`` or ``logits``.

    For each stream ``(batch, codes, alphabet)``.
    """
    stepper = prior.begin(len(codes[0]), len(codes), condition=condition)
    found: list[list[NDArray[Any]]] = [[] for _ in codes]
    for frame in range(n_frames_of(codes, prior.streams)):
        for stream, at in due(prior.streams[: len(codes)], frame):
            found[stream].append(getattr(stepper, ask)(stream))
            stepper.accept(stream, codes[stream][:, at])
        stepper.advance()
    return [np.stack(parts, axis=1) for parts in found]


# ------------------------------------------------------------------------------------------- a network and its export


def tiny_wavenet(streams: Sequence[Stream] = STREAMS) -> WaveNet:
    """An untrained network on grids that fit its values.

    Logits are spread by some nats, so that every code and label matters.
    """
    config = WaveNetConfig(
        channels=8, skip_channels=12, dilations=(1, 2, 4), head_channels=16, code_dim=6, condition_channels=5, dropout=0
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        net = WaveNet(config, streams, FIELDS).eval()
        for name, values in net.named_parameters():
            if name.startswith(("heads", "layers")):
                values *= 3
        codes = [torch.from_numpy(part) for part in random_codes(streams, 6, 20)]
        set_quantized(net, quantized=False, observing=True)
        net(codes, torch.tensor([[0, 0], [1, 0], [0, 2], [1, 3], [2, 3], [2, 1]]))
    set_quantized(net)
    return net


def smooth(streams: tuple[Stream, ...] = STREAMS) -> WaveNet:
    """The tiny network with no value rounded."""
    net = tiny_wavenet(streams)
    set_quantized(net, quantized=False)
    return net


@torch.no_grad()
def logits_of(net: WaveNet, codes: list[Integers], labels: Tensor | None = None) -> list[np.ndarray]:
    batch_size = len(codes[0])
    found = net([torch.from_numpy(part) for part in codes], None if labels is None else labels.expand(batch_size, -1))
    return [part.float().numpy() for part in found]


@cache
def tiny_integer_prior() -> IntegerPrior:
    """The quantized export of :func:`tiny_wavenet`."""
    return IntegerPrior(*quantized_export(tiny_wavenet(), CODEC))


# ------------------------------------------------------------------------------------------------------- mere integers


class Dice:
    """Whole numbers that are the same on every machine and under every version of numpy."""

    def __init__(self, seed: int):
        self.bits = np.random.Philox(key=seed)

    def __call__(self, low: int, high: int, *shape: int) -> Integers:
        """Numbers in ``[low, high]``."""
        raw = self.bits.random_raw(math.prod(shape)) % np.uint64(high - low + 1)
        return raw.astype(np.int64).reshape(shape) + low

    def codes(self, streams: Sequence[Stream], batch_size: int, n_frames: int) -> list[Integers]:
        """For each stream ``(batch, codes)``."""
        return [self(0, stream.alphabet - 1, batch_size, stream.codes_in(n_frames)) for stream in streams]


@cache
def dice_prior(seed: int = 4) -> IntegerPrior:
    """A prior for ``STREAMS`` that no torch took part in: thrown weights, and shifts that keep values within grids."""
    dice, dilations = Dice(seed), (1, 2, 4)
    width, skip, hidden, dim, condition = 64, 128, 256, 32, 8
    tensors: dict[str, NDArray[Any]] = {
        "used": dice(-1000, 1000, len(STREAMS), condition),
        **{f"labels.{field}": dice(-1000, 1000, len(labels) + 1, condition) for field, labels in FIELDS.items()},
        **{f"entries.{index}": dice(-60, 60, stream.alphabet, dim) for index, stream in enumerate(STREAMS)},
        "tanh": _table(math.tanh),
        "sigmoid": _table(lambda x: 1 / (1 + math.exp(-x))),
        "exp": np.array([round(2**EXP_BITS * math.exp(-d / 2 ** LOGIT[0])) for d in range(600)]),
    }

    def product(name: str, outputs: int, inputs: int, shift: int) -> None:
        tensors[f"{name}.weight"] = dice(-127, 127, outputs, inputs)
        tensors[f"{name}.bias"] = dice(-(10 << shift), 10 << shift, outputs)
        tensors[f"{name}.shift"] = dice(shift, shift + 1, outputs)

    product("embed", width, dim, 4)
    for index in range(len(dilations)):
        product(f"layers.{index}.gates", 2 * width, 2 * width, 9)
        tensors[f"layers.{index}.condition"] = dice(-200, 200, 2 * width, condition)
        product(f"layers.{index}.out", width + skip, width, 5)
    for index, stream in enumerate(STREAMS):
        product(f"heads.{index}.context", hidden, skip, 6)
        product(f"heads.{index}.before", hidden, dim, 5)
        product(f"heads.{index}.query", dim, hidden, 10)
        product(f"heads.{index}.entries", stream.alphabet, dim, 8)
    config = {
        "codec": CODEC,
        "seconds": 5.0,
        "streams": [[stream.alphabet, stream.stride] for stream in STREAMS],
        "fields": FIELDS,
        "dilations": dilations,
        "see": {"condition": 5, "context": 4, "layers": [3] * len(dilations), "hidden": [4] * len(STREAMS)},
    }
    return IntegerPrior(tensors, config)


def _table(function: Any) -> Integers:
    return np.array([round(UNIT[1] * function(steps / 2 ** GATE[0])) for steps in range(-GATE[1], GATE[1] + 1)])


def in_numpy(prior: IntegerPrior) -> IntegerPrior:
    """The same prior on a machine where ONNX Runtime is not exact."""
    made = copy(prior)
    made.__dict__["_sessions"] = None
    return made


# ------------------------------------------------------------------------------------------------------ every prior


def learned(order: int) -> ContextPrior:
    prior = ContextPrior(STREAMS, order)
    prior.learn([list(part) for part in random_codes(STREAMS, 3, 40, seed=9)])
    return prior


TABLE: dict[str, Callable[[], Prior]] = {
    "order 0": lambda: ContextPrior(STREAMS, order=0),
    "order 1": lambda: ContextPrior(STREAMS, order=1),
    "order 0, learned": lambda: learned(0),
    "order 1, learned": lambda: learned(1),
    "wavenet": tiny_integer_prior,
    "thrown": dice_prior,
    "thrown, in numpy": lambda: in_numpy(dice_prior()),
}


@cache
def made(name: str) -> Prior:
    return TABLE[name]()


def conditions(prior: Prior) -> list[str]:
    return [NONE, BOB] if prior.fields else [NONE]


def same(found: list[Integers], expected: list[Integers]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
