"""Small intact files of every kind that is read: sounds by libsndfile and FFmpeg, tables by pyarrow and numpy."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

SOUNDS = {
    ".wav": (("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAVEX", "FLOAT"), ("WAV", "ULAW"), ("RF64", "PCM_16")),
    ".flac": (("FLAC", "PCM_16"), ("FLAC", "PCM_24")),
    ".ogg": (("OGG", "VORBIS"), ("OGG", "OPUS")),
    ".mp3": (("MP3", "MPEG_LAYER_III"),),
    ".aiff": (("AIFF", "PCM_16"), ("AIFF", "PCM_U8")),
    ".w64": (("W64", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16")),
    ".m4a": (("mp4", "aac"), ("adts", "aac"), ("webm", "libopus"), ("ogg", "flac"), ("matroska", "flac")),
}
"""Formats and subtypes by the suffix that a kind goes by; those in lower case are FFmpeg's."""
TABLES = (".csv", ".parquet", ".npy", ".npz")
ROWS = 24

CSV = (
    "time,value,name\n" + "".join(f"{row},{row * 0.25:.2f},n{row % 3}\n" for row in range(ROWS)),
    "\ufeffdate;temp °C;note\r\n" + "".join(f"2024-01-{1 + row:02};{20 + row},5;\r\n" for row in range(ROWS)),
    'id,text\n1,"a, ""b"""\n2,"two\nlines"\n3,\n4,NA\n',
    "a,b,c\n" + "".join(f"{2**60 + row},{row % 2 == 0},{row * 1e-9}\n" for row in range(ROWS)),
)


def sounds(suffix: str) -> list[bytes]:
    """A swelling tone of a tenth of a second, with one channel and two, in each format of a suffix."""
    made = []
    for number, (format, subtype) in enumerate(SOUNDS[suffix]):
        for channels in (1, 2):
            rate = (8000, 16000, 48000)[(number + channels) % 3]
            time = np.arange(rate // 10) / rate
            tone = 0.4 * np.sin(2 * np.pi * 300 * time[:, None] * (1 + np.arange(channels))) * time[:, None] / time[-1]
            made.append(_encoded(tone, rate, format, subtype))
    return made


def _encoded(tone: np.ndarray, rate: int, format: str, subtype: str) -> bytes:
    file = io.BytesIO()
    if format.isupper() or format == "RF64":
        soundfile.write(file, tone, rate, format=format, subtype=subtype)
        return file.getvalue()
    channels = tone.shape[1]
    with av.open(file, "w", format=format) as container:
        stream = container.add_stream(subtype, rate=rate, layout="mono" if channels == 1 else "stereo")
        wanted = stream.codec_context.format.name
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(tone.T.astype(np.float32)), "fltp", "mono" if channels == 1 else "stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(wanted, stream.layout, rate, frame_size=stream.codec_context.frame_size or None)
        for piece in filter(None, [*resampler.resample(frame), *resampler.resample(None)]):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return file.getvalue()


def tables(suffix: str) -> list[bytes]:
    """Tables of a few rows and of many types."""
    if suffix == ".csv":
        return [text.encode() for text in CSV]
    if suffix == ".parquet":
        return _parquet()
    random = np.random.default_rng(0)
    walk = random.normal(size=(ROWS, 2)).cumsum(0)
    arrays = [walk.round(2), np.rint(10 * walk[:, 0]).astype(np.int32), np.asfortranarray(walk.astype(np.float32))]
    if suffix == ".npz":
        return [_saved(np.savez, *arrays[:1]), _saved(np.savez_compressed, arrays[1])]
    big = np.lib.format.header_data_from_array_1_0(arrays[1]) | {"descr": ">i4"}
    text = repr(big).encode().ljust(117) + b"\n"
    return [*(_saved(np.save, array) for array in arrays), b"\x93NUMPY\1\0" + struct.pack("<H", 118) + text + bytes(96)]


def _saved(save: object, array: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, array)  # type: ignore[operator]
    return file.getvalue()


def _parquet() -> list[bytes]:
    random = np.random.default_rng(0)
    columns = {
        "when": pa.array(np.arange(ROWS) * 3_600_000, pa.timestamp("ms", "UTC")),
        "x": pa.array(random.normal(size=ROWS).round(3)),
        "n": pa.array([None if row % 5 == 0 else row for row in range(ROWS)], pa.int16()),
        "word": pa.array([f"w{row % 4}" for row in range(ROWS)]),
        "flag": pa.array(random.random(ROWS) < 0.5),
        "day": pa.array(np.arange(ROWS, dtype=np.int32), pa.date32()),
    }
    made = []
    for compression, dictionary in (("none", True), ("snappy", False), ("zstd", True), ("gzip", False)):
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file, compression=compression, use_dictionary=dictionary, row_group_size=10)
        made.append(file.getvalue())
    return made
