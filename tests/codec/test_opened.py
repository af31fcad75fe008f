"""One front for every .vq file: sound and tables are opened, described and checked alike, without torch."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from entropy_files import MODES, stored
from tools import GOLDEN, synthetic, tiny_codec

from vqaudio.codec.codec import load
from vqaudio.codec.opened import StoredSound, model_of, open_vq
from vqaudio.container import Chunk, Reader, StoredFile
from vqaudio.errors import ContainerError, FileError, ModelError
from vqaudio.registry import DEFAULT_MODEL, find
from vqaudio.series import StoredTable

RATE = 16000
FILES = {"sound": GOLDEN / "tiny-3.vq", "table": GOLDEN / "table.vq"}
KINDS = {"sound": StoredSound, "table": StoredTable}


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("kind", FILES)
def test_a_path_and_an_open_file_are_the_same(kind):
    path = FILES[kind]
    with open_vq(path) as by_path, path.open("rb") as file:
        by_file = open_vq(file, name=str(path))
        assert type(by_path) is type(by_file) is KINDS[kind]
        assert isinstance(by_path, StoredFile)
        assert by_path.describe() == by_file.describe()
        assert by_path.header.to_bytes() == path.read_bytes()[: len(by_path.header.to_bytes())]
        assert (by_path.size, by_path.name) == (path.stat().st_size, str(path))
        by_file.close()
        assert not file.closed  # whoever opened it closes it


@pytest.mark.parametrize("kind", FILES)
def test_both_kinds_say_what_is_damaged_in_the_same_way(kind):
    data = FILES[kind].read_bytes()
    intact = open_vq(io.BytesIO(data)).describe()
    assert intact["damage"] == []
    place = len(data) - 9 if kind == "table" else len(data) // 2  # in a chunk
    damaged = open_vq(io.BytesIO(flipped(data, place)), name="x.vq")
    facts = damaged.describe()
    assert [facts["file"], facts["unchecked"]] == ["x.vq", ""]
    assert facts["damage"] == [str(damage) for damage in damaged.damage] != []
    assert list(facts) == list(intact)
    assert all(damage.chunk is not None for damage in damaged.damage)


@pytest.mark.parametrize(("kind", "suffix"), [("sound", ".wav"), ("table", ".csv")])
def test_the_kind_tells_what_an_output_ends_in(kind, suffix):
    with open_vq(FILES[kind]) as stored:
        assert stored.suffix == suffix


def test_what_is_no_file_is_refused_by_name(tmp_path):
    (tmp_path / "x.vq").write_bytes(b"RIFF")
    with pytest.raises(ContainerError, match=r"x\.vq: is not a \.vq file"):
        open_vq(tmp_path / "x.vq")
    with pytest.raises(ContainerError, match=r"^the data: is not a \.vq file"):
        open_vq(io.BytesIO(b""))
    with pytest.raises(FileError, match=r"none\.vq: no such file"):
        open_vq(tmp_path / "none.vq")
    with pytest.raises(ModelError, match="no-such-model"):
        open_vq(FILES["table"], table_model="no-such-model")


def test_a_path_is_closed_with_what_was_opened(tmp_path):
    path = tmp_path / "x.vq"
    path.write_bytes(tiny_codec().compress(synthetic(12, RATE), RATE))
    with open_vq(path) as stored:
        pass
    with pytest.raises(ValueError, match="closed file"):
        stored.check()


def test_a_table_is_no_sound():
    with open_vq(FILES["table"]) as stored, pytest.raises(ContainerError, match="holds a table, not sound"):
        tiny_codec().open(stored)


def test_the_model_of_a_sound_is_found_by_its_codes():
    with pytest.raises(ModelError, match=r"tiny-3\.vq: was written by the model \w+, which is not shipped here"):
        model_of(open_vq(io.BytesIO(FILES["sound"].read_bytes()), name="tiny-3.vq"))
    data = load(DEFAULT_MODEL).compress(np.zeros(RATE // 4, np.float32), RATE, entropy="none")
    assert model_of(open_vq(io.BytesIO(data))) == find(DEFAULT_MODEL)


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_described_without_torch(kind):
    script = (
        "import json, sys, vqaudio\n"
        "with vqaudio.open_vq(sys.argv[1]) as stored:\n"
        "    facts = stored.describe()\n"
        "assert 'torch' not in sys.modules\n"
        "print(json.dumps(facts))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(FILES[kind])],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=environment,
    )
    with open_vq(FILES[kind]) as stored:
        assert json.loads(done.stdout) == stored.describe()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The chunks that readers were asked for, call by call."""
    found: list[list[int]] = []
    chunks = Reader.chunks

    def spy(self: Reader, indices: Sequence[int]) -> list[Chunk]:
        found.append(list(indices))
        return chunks(self, indices)

    monkeypatch.setattr(Reader, "chunks", spy)
    return found


@pytest.mark.parametrize("mode", MODES)
def test_a_sound_read_through_decodes_each_chunk_once(toys, read, mode):
    file = toys.codec.open(open_vq(io.BytesIO(stored(toys, toys.ann, mode, 0.3)), name="x.vq"))
    assert file.stored.reader.n_chunks == 17
    expected = [1] * 17 if mode == "none" else [4, 8, 5]  # side by side where that is quicker
    for start in range(0, file.n_samples, 1000):
        file.read(start, start + 1000)
    assert [len(indices) for indices in read] == expected
    assert sorted(index for indices in read for index in indices) == list(range(17))
    assert not file.damage


def test_a_part_far_on_decodes_little_else(toys, read):
    file = toys.codec.open(open_vq(io.BytesIO(stored(toys, toys.ann, "prior", 0.3)), name="x.vq"))
    file.read(4 * RATE, 4 * RATE + 100)  # in chunk 13; the decoder sees 0.2 s to either side
    assert min(index for indices in read for index in indices) == 12
    assert sum(map(len, read)) <= 4 + 1
