"""The browser demo: a thin layer of Gradio over vqaudio. ``python -m demo`` opens it; it is never installed.

::

    app ─▶ bar, tabs/ (one file each), api ─▶ desks, voices, recordings, work, outputs, pictures, models ─▶ vqaudio

What Gradio must know before a page is built is set here: that it sends no statistics, and a temporary folder of our own
for uploads and results, which goes away with the process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
if "GRADIO_TEMP_DIR" not in os.environ:
    os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="vqaudio-demo-")
    atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
