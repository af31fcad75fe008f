"""Outputs by name, by place, and one after the other."""

from __future__ import annotations

import pytest
import torch

from vqaudio.adapter import CodecEncoderOutput


def test_what_is_none_is_not_there():
    codes, mask, scales = torch.zeros(1, 2, 3), torch.ones(1, 3), torch.ones(1, 1, 2)
    plain = CodecEncoderOutput(codes, mask)
    assert list(plain.keys()) == ["audio_codes", "audio_codes_mask"]
    assert len(plain) == len(plain.to_tuple()) == 2
    assert plain[-1] is mask
    assert plain[:1] == (codes,)
    with pytest.raises(KeyError, match="audio_scales"):
        _ = plain["audio_scales"]
    with pytest.raises(IndexError):
        _ = plain[2]
    full = CodecEncoderOutput(codes, mask, scales)
    assert full[2] is full["audio_scales"] is scales
    first, second, third = full
    assert dict(full) == {"audio_codes": first, "audio_codes_mask": second, "audio_scales": third}
