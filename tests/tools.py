"""What the codec's tests share: a sound, the tiny models, and the one way in which codes may differ."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import vqaudio
from vqaudio.audio.source import Source
from vqaudio.codec.codec import Codec
from vqaudio.container import ChunkCodes, Reader
from vqaudio.inference.stored import StoredModel
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.checkpoint import silence_codes
from vqaudio.model.torch_networks import TorchNetworks

GOLDEN = Path(__file__).parent / "golden"
MODEL = GOLDEN / "tiny.safetensors"


def synthetic(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> NDArray[np.float32]:
    """``(channels, samples)``: gliding voice-like tones with syllables, pauses and noise; peaks near 0.5."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    wav = np.zeros((channels, len(time)))
    for channel in range(channels):
        low, depth, speed = random.uniform(90, 220), random.uniform(10, 60), random.uniform(0.3, 0.9)
        phase = 2 * np.pi * low * time - depth / speed * np.cos(2 * np.pi * speed * time)
        syllables = np.clip(np.sin(2 * np.pi * random.uniform(2, 4) * time + random.uniform(0, 6)) + 0.3, 0, 1)
        formant = 6 + 5 * np.sin(2 * np.pi * random.uniform(0.7, 1.9) * time)
        for harmonic in range(1, 16):
            wav[channel] += np.sin(harmonic * phase) / harmonic * np.exp(-0.05 * (harmonic - formant) ** 2)
        wav[channel] = 0.35 * wav[channel] * syllables + 0.005 * random.standard_normal(len(time))
    return wav.astype(np.float32)


@cache
def tiny_codec(backend: str | None = None) -> Codec:
    """The golden model: 50 frames/s at 16 kHz, 4 codebooks of 64."""
    return vqaudio.load(MODEL, backend=backend)


def codec_of(model: Autoencoder, silence: list[int] | None = None) -> Codec:
    """A codec around a model that stands in no file."""
    path, found = Path("made-here.safetensors"), silence or silence_codes(model)
    return Codec(StoredModel(path, model.config, {}, "0123456789ab", found, {}), TorchNetworks(model))


def whole(source: Source) -> NDArray[np.float32]:
    return source.read(0, source.n_samples)


def reader(data: bytes) -> Reader:
    return Reader(io.BytesIO(data), "x.vq")


def wav_bytes(wav: NDArray[np.float32], rate: int, format: str = "WAV", subtype: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wav.T, rate, format=format, subtype=subtype)
    return file.getvalue()


def heard(file: Path | io.BytesIO) -> tuple[NDArray[np.float32], int]:
    """A sound file's samples ``(channels, samples)`` and its rate in Hz."""
    wav, rate = soundfile.read(file, dtype="float32", always_2d=True)
    return wav.T, rate


def one_line(capsys: pytest.CaptureFixture[str], start: str, part: str = "") -> bool:
    """Whether a command said one line on standard error, as it should, and nothing on standard output."""
    said = capsys.readouterr()
    return not said.out and said.err.startswith(start) and part in said.err and said.err.count("\n") == 1


def untied(
    codec: Codec, sound: Source, codes: ChunkCodes, others: ChunkCodes, tolerance: float = 1e-5
) -> list[tuple[int, int, int]]:
    """Where two codings of a sound differ without excuse: channel, frame and codebook.

    A code may differ if its two nearest embeddings are equally far, within ``tolerance`` of the nearer distance. Codes
    after it in the same frame quantize another residual, and may differ as they like.
    """
    found = []
    differs = np.stack(codes) != np.stack(others)
    for channel, frame in np.argwhere(differs.any(axis=0)):
        level = int(differs[:, channel, frame].argmax())
        residual = _features(codec, sound, channel, frame)
        codebooks = codec.networks.quantizer.additive_codebooks()
        for codebook, stream in zip(codebooks[:level], codes, strict=False):
            residual = residual - codebook[int(stream[channel, frame])]
        distances = np.linalg.norm(codebooks[level] - residual, axis=1)
        nearest = distances.min()
        candidates = distances[[int(codes[level][channel, frame]), int(others[level][channel, frame])]]
        if bool((candidates > nearest * (1 + tolerance)).any()):
            found.append((int(channel), int(frame), level))
    return found


def _features(codec: Codec, sound: Source, channel: int, frame: int) -> NDArray[np.float64]:
    """What the encoder makes of one frame, float64 ``(D,)``."""
    hop, context = codec.hop_length, codec.networks.encoder_context
    window = sound.read((frame - context) * hop, (frame + 1 + context) * hop)[channel]
    return codec.networks.features(np.ascontiguousarray(window)[None, None])[0, :, context].astype(np.float64)
