"""Other compressors beside our file: what they are given, and that errors beyond the bound are found."""

from __future__ import annotations

import numpy as np
import pytest
from series_tables import column, table

from vqaudio.evaluation.peer_scores import compare, number_columns, score_peer
from vqaudio.evaluation.peers_report import WRONG, as_data, plot
from vqaudio.evaluation.peers_report import table as as_table
from vqaudio.evaluation.table_peers import Gzip, Setting, TablePeer, Zstd
from vqaudio.series import Column


class Careless(TablePeer):
    """Holds nothing, and gives back what it was given, a bit off."""

    name = "careless"

    def __init__(self, error: float):
        self.error = error

    def settings(self, arrays, tolerance):
        kinds = {array.dtype.kind for array in arrays}
        off = [array + self.error for array in arrays]
        return [Setting("only", lambda given: b"1234", lambda data, like: off)] if kinds == {"f"} else []


def test_errors_beyond_the_bound_are_marked():
    columns = number_columns(table([0.0, 1 / 3, 0.7]), [0.25]).columns
    good, bad = (score_peer(Careless(error), columns) for error in (0.25, 0.26))
    assert (good.keeps_bounds, good.n_bytes, good.column_bytes) == (True, 4, (4,))
    assert good.max_share == pytest.approx(1)
    assert not bad.keeps_bounds
    assert bad.max_share == pytest.approx(1.04)


def test_what_a_compressor_does_not_take_zstd_holds():
    both = number_columns(table([0.5, 1 / 3], [1, 2]), [0.0, 0.0]).columns
    found = score_peer(Careless(0.0), both)
    assert found.replaced == ("c1",)
    assert found.column_bytes == (4, score_peer(Zstd(), both[1:]).n_bytes)


def test_text_and_gaps_are_the_rest():
    words = Column("w", "string", np.array(["on", "off"] * 50, object), np.zeros(100, np.uint8))
    gappy = column(np.where(np.arange(100) % 7 == 3, np.nan, np.arange(100.0)), "g")
    found = number_columns(table(words, gappy, np.arange(100)), [0, 0, 0])
    assert [one.name for one in found.columns] == ["g", "c2"]
    assert found.rest == "1 columns of text and the gaps of 1"
    assert 0 < found.rest_bytes < 150


def test_columns_go_together_where_that_is_smaller():
    one = np.random.default_rng(2).integers(0, 1000, 300)
    columns = number_columns(table(*[one] * 20), [0.0] * 20).columns
    together = score_peer(Gzip(), columns)
    assert together.column_bytes == ()
    assert together.n_bytes < 20 * score_peer(Gzip(), columns[:1]).n_bytes / 4


def test_a_comparison_is_told_and_drawn(tmp_path):
    values = table([0.0, 1 / 3, 0.7, 2.0], Column("w", "string", np.array(list("abca"), object), np.zeros(4, np.uint8)))
    found = compare(values, [0.25, 0.0], n_bytes=60, seconds=(0.5, 0.25), peers=[Careless(0.5), Gzip()])
    assert found.best.name == "gzip"
    assert found.ratio == 60 / (found.best.n_bytes + found.rest_bytes)
    lines = as_table(found).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:5]] == ["vqaudio", "careless", "gzip"]
    assert WRONG in lines[3]
    assert not any(WRONG in line for line in (lines[2], lines[4]))
    assert as_data(found)["codecs"][0]["n_bytes"] == 60
    plot([("t", found)], tmp_path / "sizes.png")
    assert (tmp_path / "sizes.png").read_bytes().startswith(b"\x89PNG")
