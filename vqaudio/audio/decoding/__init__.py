"""Files of sound, decoded whole: PCM by libsndfile, the rest by FFmpeg's libraries, and what both would leave out."""

from vqaudio.audio.decoding.chain import Chain
from vqaudio.audio.decoding.reader import NoDecoderError, TooLongError, UnreadableError
from vqaudio.audio.decoding.sequential import SequentialReader

__all__ = ["Chain", "NoDecoderError", "SequentialReader", "TooLongError", "UnreadableError"]
