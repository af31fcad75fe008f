"""The sound in files: any part of it, every kind of damage, and headers that no codec writes."""

from __future__ import annotations

import io
import tracemalloc
from zlib import crc32

import numpy as np
import pytest
from tools import reader, synthetic, tiny_codec, whole

from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.codec import Codec
from vqaudio.codec.opened import open_vq
from vqaudio.codec.options import CodingOptions
from vqaudio.container import SoundHeader, Writer
from vqaudio.errors import ContainerError, VqaudioError

RATE = 16000


@pytest.fixture
def codec() -> Codec:
    return tiny_codec()


def small_file(codec: Codec, rate: int = RATE) -> bytes:
    """Four chunks of half a second, one channel, one codebook."""
    file = io.BytesIO()
    codec.write(ArraySource(synthetic(1.9, rate), rate), file, options=CodingOptions(n_codebooks=1, chunk_seconds=0.5))
    return file.getvalue()


def rounding(rate: int) -> float:
    """How far samples may differ that nothing happened to: soxr works by FFT, whose rounding spreads."""
    return 0.0 if rate == RATE else 1e-6


def differ(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max(initial=0))


def outside(codec: Codec, data: bytes, n_samples: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """What decodes of a file, where no damage is reported, and the reports."""
    opened = codec.open(open_vq(io.BytesIO(data), name="x.vq"))
    sound = whole(opened)[:, :n_samples]
    rate = opened.sample_rate
    unharmed = np.ones(n_samples, bool)
    unharmed[sound.shape[1] :] = False
    estimated = bool(opened.stored.reader.problems)
    if estimated and rate != RATE:  # what is resampled at the end follows the length
        unharmed[-round(0.02 * rate) :] = False
    for damage in (one for one in opened.damage if one.chunk is not None):
        unharmed[max(0, round(damage.start * rate)) : round(damage.stop * rate)] = False
    return (
        np.pad(sound, ((0, 0), (0, n_samples - sound.shape[1]))),
        unharmed,
        list(map(str, opened.damage)),
    )


@pytest.mark.parametrize("rate", [RATE, 11025])
def test_no_byte_can_change_unnoticed(codec, rate):
    data = small_file(codec, rate)
    intact, _ = codec.decompress(data)
    outcomes = {"error": 0, "reported": 0}
    step = 1 if rate == RATE else 7
    for position in range(0, len(data), step):
        flipped = bytearray(data)
        flipped[position] ^= 0xFF if position % 2 else 1 << position % 8
        with pytest.raises(VqaudioError):
            codec.decompress(bytes(flipped))
        try:
            sound, unharmed, reports = outside(codec, bytes(flipped), intact.shape[1])
        except VqaudioError:
            outcomes["error"] += 1
            continue
        assert reports
        outcomes["reported"] += 1
        assert differ(sound[:, unharmed], intact[:, unharmed]) <= rounding(rate)
    assert outcomes["error"] >= 25 // step
    assert outcomes["reported"] >= 60 // step


@pytest.mark.parametrize("rate", [RATE, 8000, 44100])
def test_a_corrupt_chunk_is_reported_and_silent(codec, rate):
    data = small_file(codec, rate)
    intact, _ = codec.decompress(data)
    broken = bytearray(data)
    broken[len(data) // 2] ^= 0x10  # in the second chunk or the third
    opened = codec.open(open_vq(io.BytesIO(bytes(broken)), name="x.vq"))
    sound = whole(opened)
    (damage,) = opened.damage
    number = damage.chunk
    start, stop = number / 2 - 0.02, (number + 1) / 2 - 0.02  # the frames begin before the sound
    context = codec.networks.decoder_context / codec.frame_rate
    assert damage.start <= start - context
    assert stop + context <= damage.stop
    assert damage.stop - damage.start < 0.5 + 2 * context + 0.05
    filter_reach = 0.02 if rate != RATE else 0
    quiet = slice(round((start + filter_reach) * rate), round((stop - filter_reach) * rate))
    assert np.abs(sound[:, quiet]).max() <= rounding(rate) < 0.01 < np.abs(intact[:, quiet]).max()
    first, last = round(damage.start * rate), round(damage.stop * rate)
    assert differ(sound[:, :first], intact[:, :first]) <= rounding(rate)
    assert differ(sound[:, last:], intact[:, last:]) <= rounding(rate)
    with pytest.raises(ContainerError, match=f"the data is damaged: .*chunk {number} .*decode the rest"):
        codec.decompress(bytes(broken))


def test_a_file_cut_off_anywhere_decodes_up_to_the_cut(codec):
    data = small_file(codec)
    intact, _ = codec.decompress(data)
    lengths = set()
    for size in range(len(data)):
        with pytest.raises(VqaudioError):
            codec.decompress(data[:size])
        try:
            opened = codec.open(open_vq(io.BytesIO(data[:size]), name="x.vq"))
        except ContainerError:
            assert size < 30
            continue
        assert opened.damage
        if opened.n_samples in lengths:
            continue
        lengths.add(opened.n_samples)
        n_heard = min(opened.n_samples, intact.shape[1])
        n_same = max(0, n_heard - codec.networks.decoder_context * codec.hop_length)
        if opened.n_samples >= intact.shape[1]:
            n_same = n_heard
        np.testing.assert_array_equal(opened.read(0, n_same), intact[:, :n_same])
    assert lengths == {0, 7360, 15360, 23360, 30400}


def forged(codec: Codec, n_chunks: int = 1, **changes: object) -> bytes:
    """A file of noughts with a header that claims what it likes."""
    fields: dict[str, object] = {
        "codec": codec.fingerprint,
        "source_rate": RATE,
        "coded_rate": RATE,
        "hop_length": codec.hop_length,
        "chunk_frames": 250,
        "channels": 1,
        "streams": codec.streams[:1],
    }
    header = SoundHeader(**(fields | changes))  # type: ignore[arg-type]
    file = io.BytesIO()
    writer = Writer(file, header)
    for _ in range(n_chunks):
        writer.write([np.zeros((header.channels, header.chunk_frames), int)])
    writer.close(n_chunks * header.chunk_frames * header.hop_length * header.source_rate // header.coded_rate)
    return file.getvalue()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_rate": 2**31 - 1}, "sample rate is 2147483647 Hz"),
        ({"source_rate": 1}, "sample rate is 1 Hz"),
        ({"channels": 1024, "chunk_frames": 2000}, "need 655360000 samples in memory"),
        ({"channels": 1024, "source_rate": 96000}, "need 393216000 samples in memory"),
        ({"coded_rate": 8000}, "does not describe the model"),
        ({"hop_length": 160}, "does not describe the model"),
    ],
)
def test_headers_that_no_codec_writes_cost_no_memory(codec, changes, message):
    whole_file = forged(codec, **changes)
    header_size = len(reader(whole_file).header.to_bytes())
    tracemalloc.start()
    with pytest.raises(ContainerError, match=message):
        codec.decompress(whole_file[:header_size] + bytes(100))
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


def test_a_long_sound_that_is_not_there_costs_no_memory(codec):
    data = forged(codec, n_chunks=400)  # 128 MB of samples
    header_size = len(reader(data).header.to_bytes())
    chunks = bytearray(data)
    chunks[header_size + 20] ^= 1
    tracemalloc.start()
    with pytest.raises(ContainerError, match="chunk 0"):
        codec.decompress(bytes(chunks))
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_billion_channels_are_refused(codec):
    header = bytearray(forged(codec)[:40])
    cut = 3 + 1 + 6 + 1 + 2 * 3 + 2 + 2  # magic, version, fingerprint, modes, rates, hop_length, chunk_frames
    body = bytes(header[: cut - 1]) + b"\x80\x94\xeb\xdc\x03" + bytes(header[cut + 1 :])
    for end in range(20, len(body)):
        data = body[:end] + crc32(body[:end]).to_bytes(4, "little") + bytes(100)
        with pytest.raises(ContainerError):
            codec.decompress(data)


@pytest.mark.parametrize("rate", [RATE, 8000, 44100])
def test_any_part_equals_that_part_of_the_whole(codec, rate):
    file = io.BytesIO()
    codec.write(ArraySource(synthetic(12, rate, channels=2), rate), file)
    sound = whole(codec.open(open_vq(file, name="x.vq")))
    for start, stop in ((0, 1), (4.9, 5.1), (5, 10), (9.999, 12), (11.5, 12), (7.123, 7.456)):
        first, last = round(start * rate), round(stop * rate)
        part = codec.open(open_vq(file, name="x.vq")).read(first, last)
        np.testing.assert_array_equal(part, sound[:, first:last])
