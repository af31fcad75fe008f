"""A tiny prior that knows a text of two words in step with codes, and the bits of all texts by trying each."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import torch
from priors import CODEC, FIELDS, random_codes, walked

from vqaudio.config.prior import WaveNetConfig
from vqaudio.container import Stream
from vqaudio.intnet.intervals import Integers
from vqaudio.prior.base import NONE, n_frames_of
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.text import Alphabet
from vqaudio.prior.text_search import log_softmax
from vqaudio.qat.fake_quantize import set_quantized
from vqaudio.wavenet import WaveNet
from vqaudio.wavenet.export import quantized_export

WORDS = Alphabet(("one", "two"), "word")
CODEBOOKS = (Stream(16), Stream(16))
COARSE = (Stream(16, 2), Stream(16))


def text_codes(
    batch_size: int, n_frames: int, seed: int = 0, codebooks: tuple[Stream, ...] = CODEBOOKS
) -> list[Integers]:
    """Random codes, and texts whose symbols come every third frame or so: for each stream ``(batch, codes)``."""
    codes = random_codes((*codebooks, WORDS.stream), batch_size, n_frames, seed=seed)
    codes[-1] = np.where(np.random.default_rng(seed).random(codes[-1].shape) < 0.3, codes[-1], 0)
    return codes


@cache
def text_wavenet(codebooks: tuple[Stream, ...] = CODEBOOKS) -> WaveNet:
    """An untrained network on grids that fit its values, in which every symbol matters."""
    config = WaveNetConfig(
        channels=8, skip_channels=12, dilations=(1, 2, 4), head_channels=16, code_dim=6, condition_channels=5, dropout=0
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(2)
        net = WaveNet(config, codebooks, FIELDS, alphabet=WORDS).eval()
        for name, values in net.named_parameters():
            if name.startswith(("heads", "layers")):
                values *= 3
        codes = [torch.from_numpy(part) for part in text_codes(6, 20, codebooks=codebooks)]
        set_quantized(net, quantized=False, observing=True)
        net(codes, torch.tensor([[0, 0], [1, 0], [0, 2], [1, 3], [2, 3], [2, 1]]))
    set_quantized(net)
    return net


@cache
def text_prior(*, deaf: bool = False, codebooks: tuple[Stream, ...] = CODEBOOKS) -> IntegerPrior:
    """Its quantized export; to the codes of a ``deaf`` one it does not matter what is in view."""
    tensors, config = quantized_export(text_wavenet(codebooks), CODEC)
    if deaf:
        tensors = tensors | {name: np.zeros_like(tensors[name]) for name in ("symbols", "ages")}
    return IntegerPrior(tensors, config)


def all_texts(prior: IntegerPrior, codes: list[Integers], condition: str = NONE) -> dict[tuple[int, ...], float]:
    """The bits of known codes ``(codes,)`` together with each text that could be said in them."""
    alphabet = prior.known_text()
    frames = n_frames_of(codes, prior.codebooks)
    streams = np.array([[*said, alphabet.end] for said in product(range(alphabet.end), repeat=frames - 1)])
    known = [np.tile(part, (len(streams), 1)) for part in codes]
    total = np.zeros(len(streams))
    for logits, part in zip(walked(prior, [*known, streams], condition, ask="logits"), [*known, streams], strict=True):
        total += np.take_along_axis(log_softmax(logits), part[..., None], -1)[..., 0].sum(1)
    found: dict[tuple[int, ...], float] = {}
    for said, nats in zip(streams[:, :-1].tolist(), total.tolist(), strict=True):
        text = tuple(symbol for symbol in said if symbol)
        found[text] = np.logaddexp(found.get(text, -np.inf), nats)
    return {text: -nats / np.log(2) for text, nats in found.items()}
