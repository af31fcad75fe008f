"""Models in use by torch, on any device: :class:`vqaudio.inference.base.Networks` over an :class:`Autoencoder`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio.errors import ModelError
from vqaudio.inference.base import MOST_AHEAD, NO_CONTEXT, Floats, Found, Heard, Networks, Quantizer, Tokens, inner
from vqaudio.inference.spans import Span
from vqaudio.inference.stored import StoredModel
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck.base import Bottleneck
from vqaudio.model.checkpoint import built
from vqaudio.model.fixed_batches import FixedBatches


def load_networks(stored: StoredModel, device: str, precision: str) -> TorchNetworks:
    """A file's networks on a device; ``precision`` as for :class:`TorchNetworks`.

    Raises:
        ModelError: a device that cannot be used, or tensors that do not fit the config.
    """
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:  # the latter: a device that this torch was not built for
        reason = str(error).splitlines()[0].rstrip(".")
        raise ModelError(
            f"device {device!r} cannot be used here ({reason}): use cpu, or cuda where there is a GPU"
        ) from None
    return TorchNetworks(built(stored, device).model, precision=precision)


def module_of(networks: Networks, stored: StoredModel) -> Autoencoder:
    """The module that torch runs already, or the one that a file holds, on the CPU.

    Raises:
        ModelError: the file's tensors do not fit its config.
    """
    return networks.model if isinstance(networks, TorchNetworks) else built(stored).model


class TorchNetworks(Networks):
    """A module in use, on the device where its weights are.

    Attributes:
        model: the module; in evaluation mode.
        precision: of the encoder's products, ``float32`` or ``bf16``.
    """

    def __init__(self, model: Autoencoder, *, precision: str = "float32"):
        self.model, self.precision = model, precision
        self._batches: FixedBatches | None = None
        super().__init__(model.config, TorchQuantizer(model), decode_only=model.decode_only)

    @torch.inference_mode()
    def features(self, waveform: Floats, *, context: Span = NO_CONTEXT) -> Floats:
        """See :meth:`Networks.features`."""
        made = self._encoded(torch.from_numpy(waveform).to(_device_of(self.model)))
        return inner(_array(made), context)

    def _encoded(self, waveform: Tensor) -> Tensor:
        device = waveform.device
        in_bf16 = torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16")
        with full_float32(device), in_bf16:
            made: Tensor = self.model.encoder(waveform)
        return made.float()

    def encode_windows(
        self, windows: Iterable[Heard], *, context: Span = NO_CONTEXT, ahead: float = MOST_AHEAD
    ) -> Iterator[Found]:
        """See :meth:`Networks.encode_windows`: one by one on a CPU, which gains nothing by more, else in batches."""
        device = _device_of(self.model)
        if not self.side_by_side:
            yield from super().encode_windows(windows, context=context, ahead=ahead)
            return
        if self._batches is None or self._batches.device != device:
            self._batches = FixedBatches(
                self._encoded,
                partial(_searched, self.model.bottleneck),
                hop_length=self.config.hop_length,
                multiple=math.lcm(*(stream.stride for stream in self.quantizer.streams)),
                device=device,
            )
        most = round(ahead * self.config.sample_rate)
        yield from self._batches.encode_windows(windows, context=context, most=most)

    @property
    def side_by_side(self) -> bool:
        """See :attr:`Networks.side_by_side`: not on a CPU."""
        return _device_of(self.model).type != "cpu"

    @torch.inference_mode()
    def decode(self, tokens: Sequence[NDArray[Any]], speaker: int = 0, *, context: Span = NO_CONTEXT) -> Floats:
        """See :meth:`Networks.decode`."""
        device = _device_of(self.model)
        chosen = torch.full((len(tokens[0]),), speaker, device=device)
        made = self.model.decode(_tensors(tokens, device), chosen)
        return inner(_array(made), context, per_frame=self.config.hop_length)


class TorchQuantizer(Quantizer):
    """The bottleneck of a module in use."""

    def __init__(self, model: Autoencoder):  # which knows what a config would tell
        self.model, bottleneck = model, model.bottleneck
        self.streams, self.min_streams = bottleneck.streams, bottleneck.min_streams
        self.encode_span, self.decode_span = bottleneck.encode_span, bottleneck.decode_span
        self.has_code_costs = bottleneck.has_code_costs

    @torch.inference_mode()
    def encode(self, features: Floats, n_streams: int | None = None, *, code_cost: float = 0.0) -> list[Tokens]:
        """See :meth:`Quantizer.encode`."""
        values = torch.from_numpy(np.ascontiguousarray(features)).to(_device_of(self.model))
        found = _searched(self.model.bottleneck, values, n_streams, code_cost or None)
        return [codes.cpu().numpy() for codes in found]

    @torch.inference_mode()
    def decode(self, tokens: Sequence[NDArray[Any]]) -> Floats:
        """See :meth:`Quantizer.decode`."""
        return _array(self.model.bottleneck.decode(_tensors(tokens, _device_of(self.model))))

    def additive_codebooks(self) -> list[Floats]:
        """See :meth:`Quantizer.additive_codebooks`."""
        return [_array(codebook.detach()) for codebook in self.model.bottleneck.additive_codebooks()]


def _searched(
    bottleneck: Bottleneck, features: Tensor, n_streams: int | None, code_cost: Tensor | float | None
) -> list[Tensor]:
    with full_float32(features.device):
        if code_cost is None:
            return bottleneck.encode(features, n_streams)
        return bottleneck.encode_with_cost(features, n_streams, code_cost=code_cost)


def _device_of(model: Autoencoder) -> torch.device:
    """Where a module's weights are: it may be moved."""
    return next(model.parameters()).device


def _tensors(tokens: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    return [torch.from_numpy(np.asarray(codes, np.int64)).to(device) for codes in tokens]


def _array(values: Tensor) -> Floats:
    array: Floats = values.float().cpu().numpy()
    return array


def full_float32(device: torch.device) -> AbstractContextManager[object]:
    """Convolutions without TF32: on a GPU its 10 bits would turn far more codes than ties."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext()
