"""Files of sound, decoded whole: PCM by libsndfile, the rest by FFmpeg's libraries, and what both would leave out."""

from vqaudio.audio.decoding.chain import Chain, Forward
from vqaudio.audio.decoding.reader import TooLongError, UnreadableError

__all__ = ["Chain", "Forward", "TooLongError", "UnreadableError"]
