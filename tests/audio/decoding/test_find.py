"""Files that are made to be searched for long."""

from __future__ import annotations

import io

import pytest
from sound_files import read

from vqaudio.audio.decoding.find import find_links
from vqaudio.errors import AudioError


@pytest.mark.parametrize(
    "data",
    [
        (b"\xff\xfb\x90\xc4" + bytes(17) + b"Xing" + bytes(7)) * 8192,
        b"fLaC\0\0\0\x22" * 8192,
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0" * 8192,
    ],
)
def test_more_joined_files_than_anybody_joins_are_refused(data):
    with pytest.raises(AudioError, match=r"it is made of more than 4096 files, one behind the other"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfb\x90\x64" + b"ID3\4\0\0\0\0\0\0" * 20_000,
        b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 20_000,
        b"OggS" * 20_000,
    ],
)
def test_a_file_made_to_be_searched_for_long_is_not(data):
    """Without a bound there would be several seeks for each of its pieces, and reads of more each time."""
    seeks = []

    class Counting(io.BytesIO):
        def seek(self, *where: int) -> int:
            seeks.append(where)
            return super().seek(*where)

    find_links(Counting(data), len(data))
    assert 0 < len(seeks) < 40_000
