"""Makes ``speech-VERSION.vq`` and ``speech-VERSION.npz`` beside it: what a release wrote with its speech model.

``python tests/golden/make_speech.py`` with the release's vqaudio on PYTHONPATH, before the first release that another
model or another format comes with. Those of earlier releases prove that their files still decode, and stay as they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

import vqaudio

HERE = Path(__file__).parent
EVERY = 97  # of the decoded samples, one in so many is kept
SETTINGS = {
    "0.4.0": {},  # all codebooks, by the prior
    "0.5.0": {"rdo": 0.4, "condition": "speaker=p226"},  # frames that end early, under a condition
}


def main() -> None:
    """Write both files of the version that is imported."""
    codec = vqaudio.load()
    wav, rate = soundfile.read(HERE.parents[1] / "examples" / "vowels.wav", dtype="float32", always_2d=True)
    data = codec.compress(wav.T, rate, **SETTINGS[vqaudio.__version__])
    samples = codec.decompress(data)[0][:, ::EVERY]
    file = HERE / f"speech-{vqaudio.__version__}.vq"
    file.write_bytes(data)
    np.savez_compressed(file.with_suffix(".npz"), samples=samples.astype(np.float32))


if __name__ == "__main__":
    main()
