"""The one exception that a user of vqaudio needs to know, and its few refinements."""


class VqaudioError(Exception):
    """Something the caller can put right: says what was found, what was expected and what to do.

    Command lines print the message as one line and exit with a non-zero status; they never show a traceback for it.
    """


class ConfigError(VqaudioError):
    """A config with an unknown key or a value out of range; the message starts with the key's path."""


class FileError(VqaudioError):
    """A file that cannot be opened, read or written, or must not be overwritten."""


class AudioError(VqaudioError):
    """An audio file or array that cannot be read, or holds values that cannot be coded."""


class AudioWarning(UserWarning):
    """A sound file that lacks something: what it holds was read. Command lines print one line for it."""


class ContainerError(VqaudioError):
    """Bytes that are not a ``.vq`` file, or one that cannot be parsed any further."""


class ModelError(VqaudioError):
    """A model that is missing, damaged, or not the one that wrote a file."""


class RateError(VqaudioError):
    """A rate that a sound cannot be coded at."""


class SeriesError(VqaudioError):
    """A table that cannot be read or written, or holds what cannot be coded as asked."""
