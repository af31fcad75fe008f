"""The command line of ``compress`` with the golden model, and sounds for it in the folder of the test."""

from __future__ import annotations

from pathlib import Path

from tools import MODEL, synthetic, wav_bytes

from vqaudio.compress import main

RATE = 16000


def compress(*arguments: object) -> int:
    return main([*map(str, arguments), "--model", str(MODEL)])


def spoken(name: str, seconds: float = 0.3, rate: int = RATE, channels: int = 1, **format: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav_bytes(synthetic(seconds, rate, channels), rate, **format))
    return path


def listing() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}
