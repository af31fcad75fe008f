"""What the package offers to those who import it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tools import synthetic, tiny_codec

import vqaudio

PUBLIC = [
    "Codec",
    "Codes",
    "Variant",
    "VqaudioError",
    "__version__",
    "compress_table",
    "decompress_table",
    "load",
    "models",
    "open_vq",
]


def test_the_public_names_are_these_and_all_are_there():
    assert vqaudio.__all__ == dir(vqaudio) == PUBLIC
    for name in PUBLIC:
        assert getattr(vqaudio, name) is not None
    with pytest.raises(AttributeError, match="module 'vqaudio' has no attribute 'decompress_all'"):
        _ = vqaudio.decompress_all


@pytest.mark.parametrize("before", ["", "import vqaudio.models", "from vqaudio.models import main"])
def test_models_can_be_listed_whether_or_not_the_command_of_that_name_is_imported(before):
    script = f"{before}\nimport json, vqaudio\nprint(json.dumps([one['name'] for one in vqaudio.models()]))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert json.loads(done.stdout) == [one["name"] for one in vqaudio.models()]


def test_what_is_public_says_what_it_is(tmp_path):
    codec = tiny_codec()
    assert repr(codec) == f"<Codec tiny ({codec.fingerprint}): 16000 Hz, 4 codebooks, 50 frames a second, no prior>"
    codes = codec.encode(synthetic(1, 16000, channels=2), 16000, n_codebooks=2)
    assert repr(codes) == "<Codes of 16000 samples at 16000 Hz: 2 codebooks, 2x52 2x52>"
    (tmp_path / "x.vq").write_bytes(codec.compress(np.zeros((2, 8000), np.float32), 16000))
    with vqaudio.open_vq(tmp_path / "x.vq") as stored:
        assert repr(stored).endswith("x.vq': 8000 samples of 2 channels at 16000 Hz, 4 codebooks, none>")


def test_what_all_tests_share_asks_for_no_extra():
    """So the codec's own tests run where vqaudio was installed without any."""
    extras = ("gradio", "librosa", "lightning", "matplotlib", "pytorch_optimizer", "scipy", "sklearn", "torchaudio")
    script = f"import sys\nsys.modules.update(dict.fromkeys({extras!r}))\nimport conftest"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-c", script], env=environment, timeout=120, check=True)
