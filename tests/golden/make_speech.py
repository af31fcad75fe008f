"""Makes ``speech-VERSION.vq`` and ``speech-VERSION.npz`` beside it: what a release wrote with its speech model.

``python tests/golden/make_speech.py`` with the release's vqaudio on PYTHONPATH, for each release that another model or
another format comes with. They prove that such files still decode, and stay as they are; a new decoder of the same
codes is another sound, so that the ``.npz`` is made anew from the old ``.vq`` then (``--again``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile

import vqaudio

HERE = Path(__file__).parent
EVERY = 97  # of the decoded samples, one in so many is kept
SETTINGS = {
    "0.4.0": {},  # all codebooks, by the prior
    "0.5.0": {"rdo": 0.4, "condition": "speaker=p226"},  # frames that end early, under a condition
    "0.6.0": {"kbps": 1.5},
}


def main() -> None:
    """Write both files of the version that is imported, or the sound of the newest file anew."""
    codec = vqaudio.load()
    if "--again" in sys.argv:
        file = max(HERE.glob("speech-*.vq"))
    else:
        wav, rate = soundfile.read(HERE.parents[1] / "examples" / "vowels.wav", dtype="float32", always_2d=True)
        file = HERE / f"speech-{vqaudio.__version__}.vq"
        file.write_bytes(codec.compress(wav.T, rate, **SETTINGS[vqaudio.__version__]))
    samples = codec.decompress(file.read_bytes())[0][:, ::EVERY]
    np.savez_compressed(file.with_suffix(".npz"), samples=samples.astype(np.float32))


if __name__ == "__main__":
    main()
