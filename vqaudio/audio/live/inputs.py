"""What a command line reads sound from: files, and pipes that are listened to from the start."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from vqaudio.audio.file_source import FileSource
from vqaudio.audio.live.source import PipeSource, RawFormat, open_pipe
from vqaudio.errors import AudioError
from vqaudio.files import Path
from vqaudio.files.pipe import Pipe, is_pipe

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Inputs:
    """Sound files and pipes by their paths; the pipes are open.

    Attributes:
        ended_by: the signal that has ended the pipes, in words; empty where none has.
    """

    def __init__(self, pipes: dict[str, Pipe], raw: RawFormat | None):
        self._pipes, self._raw = pipes, raw
        self.ended_by = ""

    def end(self, number: int) -> None:
        """Let what has come through the pipes by now be all of it."""
        self.ended_by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        for pipe in self._pipes.values():
            pipe.end()

    @contextmanager
    def sound(self, path: Path) -> Iterator[FileSource | PipeSource]:
        """The sound in a file or pipe, without a header where ``raw`` says what it is.

        Raises:
            FileError, AudioError: it cannot be read.
            KeyboardInterrupt: a signal has ended the pipe before any sound came.
        """
        with ExitStack() as stack:
            pipe = self._pipes.get(str(path))
            if pipe is None and self._raw is not None:
                pipe = stack.enter_context(Pipe(path))
            if pipe is None:
                sound: FileSource | PipeSource = stack.enter_context(FileSource(path))
            else:
                try:
                    sound = stack.enter_context(open_pipe(pipe, self._raw))
                except AudioError:
                    if self.ended_by:
                        raise KeyboardInterrupt from None
                    raise
            yield sound

    def report(self, sound: FileSource | PipeSource, target: Path, *, quiet: bool) -> None:
        """Say on standard error that a signal was the sound's end, unless ``quiet``; all of it is in ``target``.

        Raises:
            AudioError: it was not a signal but something wrong; what came before is in ``target`` nevertheless.
        """
        place = "on standard output" if str(target) == "-" else f"in {target}"
        if isinstance(sound, PipeSource) and sound.problem:
            raise AudioError(f"{sound.problem}; what came before is {place}")
        if self.ended_by and isinstance(sound, PipeSource) and not quiet:
            print(f"{sound.name}: ended by {self.ended_by}; all that came until then is {place}", file=sys.stderr)


@contextmanager
def open_inputs(paths: Collection[Path], raw: RawFormat | None = None) -> Iterator[Inputs]:
    """Inputs, of which the pipes are read from now on.

    While the ``with`` block runs, the first Ctrl-C, SIGTERM or SIGHUP ends them as if whoever writes them had; a second
    one acts as ever, and so does the first where no input is a pipe.

    Raises:
        FileError: a pipe cannot be opened.
    """
    with ExitStack() as stack:
        pipes = {str(path): path for path in paths if is_pipe(path)}
        inputs = Inputs({name: stack.enter_context(Pipe(path)) for name, path in pipes.items()}, raw)
        if pipes:
            stack.enter_context(_on_signals(inputs))
        yield inputs


@contextmanager
def _on_signals(inputs: Inputs) -> Iterator[None]:
    def note(number: int, frame: FrameType | None) -> None:
        restore()
        inputs.end(number)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # Python delivers signals to the main thread alone, and one that the parent had ignored stays ignored.
    main = threading.current_thread() is threading.main_thread()
    wanted = [number for number in _SIGNALS if main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in wanted}
    try:
        yield
    finally:
        restore()
