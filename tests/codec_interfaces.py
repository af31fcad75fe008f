"""What others' benchmarks call of a codec, as far as adapters meet it: stand-ins for packages that are not here.

Facts from the sources of Codec-SUPERB (``SoundCodec/base_codec/general.py``) and of audiocodecs
(``audiocodecs/codec.py``).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soxr
import torch
from torch import Tensor


@dataclass
class ExtractedUnit:
    unit: Tensor
    stuff_for_synth: object


class BaseCodec:
    """Of Codec-SUPERB: asks for ``config``, ``extract_unit`` and ``decode_unit``, offers ``synth``."""

    supports_decode = True

    def __init__(self) -> None:
        self.device, self.sampling_rate, self.setting = "cpu", None, None
        self.config()

    def synth(self, data: dict[str, Any], local_save: bool = True) -> dict[str, Any]:
        assert not local_save
        rate = data["audio"]["sampling_rate"]
        wav = soxr.resample(data["audio"]["array"], rate, self.sampling_rate)
        extracted = self.extract_unit({"audio": {"array": wav, "sampling_rate": self.sampling_rate}})
        decoded = self.decode_unit(extracted.stuff_for_synth)
        decoded = np.stack([soxr.resample(channel, self.sampling_rate, rate) for channel in decoded])
        return data | {"unit": extracted.unit, "audio": {"array": decoded, "sampling_rate": rate}}


class Codec(torch.nn.Module):
    """Of audiocodecs: asks for ``embs``, ``_sig_to_toks``, ``_sig_to_feats`` and ``_toks_to_sig``."""

    def __init__(self, sample_rate: int, orig_sample_rate: int, mode: str = "reconstruct"):
        super().__init__()
        self.sample_rate, self.orig_sample_rate, self.mode = sample_rate, orig_sample_rate, mode

    def forward(self, given: Tensor, length: Tensor | None = None) -> Tensor:
        if self.mode == "decode":
            return self.toks_to_sig(given, length)
        toks = self.sig_to_toks(given, length)
        return toks if self.mode == "encode" else self.toks_to_sig(toks, length)

    def sig_to_toks(self, sig: Tensor, length: Tensor | None = None) -> Tensor:
        sig = self._resampled(sig, self.sample_rate, self.orig_sample_rate)
        return self._sig_to_toks(sig, torch.ones(len(sig)) if length is None else length)

    def sig_to_feats(self, sig: Tensor, length: Tensor | None = None) -> Tensor:
        sig = self._resampled(sig, self.sample_rate, self.orig_sample_rate)
        return self._sig_to_feats(sig, torch.ones(len(sig)) if length is None else length)

    def toks_to_sig(self, toks: Tensor, length: Tensor | None = None) -> Tensor:
        sig = self._toks_to_sig(toks, torch.ones(len(toks)) if length is None else length)
        return self._resampled(sig, self.orig_sample_rate, self.sample_rate)

    @staticmethod
    def _resampled(sig: Tensor, rate: int, other: int) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(soxr.resample(sig.numpy().T, rate, other).T))


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both packages be imported, as far as they are here."""
    modules = {
        "SoundCodec": {},
        "SoundCodec.base_codec": {},
        "SoundCodec.base_codec.general": {"BaseCodec": BaseCodec, "ExtractedUnit": ExtractedUnit},
        "audiocodecs": {},
        "audiocodecs.codec": {"Codec": Codec},
    }
    for name, held in modules.items():
        module = ModuleType(name)
        vars(module).update(held)
        monkeypatch.setitem(sys.modules, name, module)
