"""Sound files of every kind that is read, by libsndfile and by the encoders of FFmpeg."""

from __future__ import annotations

import io

import av
import numpy as np
from sounds import RATE, encoded, tones, whole

from vqaudio.audio.file_source import FileSource

A, B = tones(1, 9_000, seed=1), tones(1, 5_000, seed=2)
SAMPLES = {"aac": "fltp", "alac": "s16p", "flac": "s16", "libopus": "flt", "wmav2": "fltp", "tta": "s16"}
SAMPLES |= {"wavpack": "s16p", "libmp3lame": "fltp", "adpcm_ima_wav": "s16p"}


def muxed(format: str, codec: str, *wavs: np.ndarray, rate: int = RATE) -> bytes:
    """Sounds by FFmpeg's encoders, each a track of its own."""
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        streams = [container.add_stream(codec, rate=rate, layout="mono", format=SAMPLES[codec]) for _ in wavs]
        for stream in streams:
            stream.bit_rate = 64_000
        container.start_encoding()
        for stream, wav in zip(streams, wavs, strict=True):
            integers = SAMPLES[codec].startswith("s16")
            samples = np.round(wav * 32768).astype(np.int16) if integers else wav
            step = stream.codec_context.frame_size or 1024
            for start in range(0, wav.shape[1], step):
                frame = av.AudioFrame.from_ndarray(samples[:, start : start + step].copy(), SAMPLES[codec], "mono")
                frame.sample_rate, frame.pts = rate, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return file.getvalue()


SNDFILE = {
    f"{kind} {subtype}": (lambda wav, kind=kind, subtype=subtype, **how: encoded(wav, kind, subtype, **how))
    for kind, subtype in (
        ("WAV", "PCM_16"),
        ("WAVEX", "FLOAT"),
        ("RF64", "PCM_24"),
        ("W64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("CAF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    )
}
FFMPEG = {
    f"{kind} {codec}": (lambda wav, kind=kind, codec=codec, **how: muxed(kind, codec, wav, **how))
    for kind, codec in (
        ("mp4", "aac"),
        ("ipod", "alac"),
        ("matroska", "flac"),
        ("webm", "libopus"),
        ("ogg", "flac"),
        ("asf", "wmav2"),
        ("tta", "tta"),
        ("wv", "wavpack"),
        ("wav", "libmp3lame"),
        ("wav", "adpcm_ima_wav"),
    )
}
KINDS = {**SNDFILE, **FFMPEG}
PCM = [kind for kind in SNDFILE if ("PCM" in kind or "FLOAT" in kind) and "FLAC" not in kind]


def read(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    """All samples, and the problems."""
    with FileSource(io.BytesIO(data), "x") as source:
        return whole(source), source.problems
