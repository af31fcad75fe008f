"""The learned prior in floating point: what is trained, and how it becomes integers.

``network`` is the WaveNet, ``export`` makes of it the integer network that :mod:`vqaudio.prior.integer` runs, ``saved``
is the network on disk.
"""

from vqaudio.wavenet.network import WaveNet

__all__ = ["WaveNet"]
