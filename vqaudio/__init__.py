"""vqaudio: a codec and generator for audio, built on the VQ-VAE.

::

    load          a model in use, by name or by file: a Codec
    Codec         sound to codes to the bytes of a .vq file and back, and new sound
    Codes         a sound as integers
    Variant       one of several ways to choose them
    models        which models there are, and what for
    open_vq       a .vq file, open: what it holds, and whether it is damaged
    VqaudioError  what is raised where the caller can put something right

    compress_table    a DataFrame, a dict of arrays, an Arrow table ... as the bytes of a .vq file
    decompress_table  and back

Nothing is imported before it is asked for: importing torch alone takes seconds.

>>> import numpy as np
>>> import vqaudio
>>> codec = vqaudio.load("digits")
>>> tone = np.sin(np.arange(16000) / 20).astype(np.float32)  # (samples,) or (channels, samples), full scale at ±1
>>> data = codec.compress(tone, 16000)  # the bytes of a .vq file
>>> wav, rate = codec.decompress(data)
>>> wav.shape, rate
((1, 16000), 16000)
>>> [stream.shape for stream in codec.encode(tone, 16000).streams][:1]  # codes: (channels, frames) for each codebook
[(1, 52)]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vqaudio.cli.facts import models as models
    from vqaudio.codec.codec import Codec as Codec
    from vqaudio.codec.codec import load as load
    from vqaudio.codec.codes import Codes as Codes
    from vqaudio.codec.opened import open_vq as open_vq
    from vqaudio.codec.options import Variant as Variant
    from vqaudio.errors import VqaudioError as VqaudioError
    from vqaudio.series.memory import compress_table as compress_table
    from vqaudio.series.memory import decompress_table as decompress_table

__version__ = "0.6.0"  # the one place: pyproject.toml reads it here

__all__ = ["Codec", "Codes", "Variant", "VqaudioError", "__version__", "compress_table", "decompress_table"]
__all__ += ["load", "models", "open_vq"]

_HOMES = {
    "Codec": "vqaudio.codec.codec",
    "Codes": "vqaudio.codec.codes",
    "Variant": "vqaudio.codec.options",
    "VqaudioError": "vqaudio.errors",
    "compress_table": "vqaudio.series.memory",
    "decompress_table": "vqaudio.series.memory",
    "load": "vqaudio.codec.codec",
    "models": "vqaudio.cli.facts",
    "open_vq": "vqaudio.codec.opened",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vqaudio' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
