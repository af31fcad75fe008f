"""On the path of a Python process: a recording called ``deadly``, once opened, kills it, as a decoder's fault would."""

import os
import signal
import sys


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and os.path.basename(os.fsdecode(str(arguments[0]))).startswith("deadly."):
        os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(_hear)
