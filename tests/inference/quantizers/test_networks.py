"""The small networks of a hierarchy."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from vqaudio.inference.quantizers.networks import gelu


def test_gelu_is_exact_to_float32_rounding() -> None:
    x = np.concatenate([np.linspace(-9, 9, 200001), [-100.0, -0.0, 100.0, 6.0, -6.0]]).astype(np.float32)
    expected = functional.gelu(torch.from_numpy(x).double()).numpy()
    found = gelu(x)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, rtol=2e-7, atol=1e-8)
