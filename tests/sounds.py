"""What several test files build their sounds and pipes from."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator

import numpy as np
import soundfile

from vqaudio.audio.file_source import FileSource
from vqaudio.audio.source import Source

RATE = 16000


def tones(channels: int, n_samples: int, seed: int = 0) -> np.ndarray:
    """A few sines below 3 kHz and some noise, ``(channels, n_samples)`` float32 well below full scale."""
    random = np.random.default_rng(seed)
    time = np.arange(n_samples) / RATE
    sound = 0.02 * random.standard_normal((channels, n_samples))
    for _ in range(3):
        sound += 0.2 * np.sin(
            2 * np.pi * (random.uniform(50, 3000, (channels, 1)) * time + random.random((channels, 1)))
        )
    return sound.astype(np.float32)


def encoded(wav: np.ndarray, format: str = "WAV", subtype: str = "PCM_16", rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wav.T, rate, format=format, subtype=subtype)
    return file.getvalue()


def windows(n_samples: int, size: int, context: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n_samples, size):
        yield start - context, start + size + context


def whole(source: Source) -> np.ndarray:
    return source.read(0, source.n_samples)


def peak_memory(data: bytes) -> int:
    """The most bytes that Python held while a sound file was read from end to end, in windows of 2 s with context."""
    file = io.BytesIO(data)
    tracemalloc.start()
    with FileSource(file) as source:
        for start, stop in windows(source.n_samples, 2 * RATE, 1000):
            source.read(start, stop)
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top


def run_in_pipes(script: str, pipe_to: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run Python code with ``cat`` before it and ``pipe_to`` behind it."""
    command = f'cat | "$PYTHON" -c "$SCRIPT" | {pipe_to}'
    environment = {**os.environ, "PYTHON": sys.executable, "SCRIPT": script, "PYTHONPATH": os.getcwd()}
    return subprocess.run(
        ["sh", "-c", command], check=False, input=stdin, capture_output=True, env=environment, timeout=60
    )
