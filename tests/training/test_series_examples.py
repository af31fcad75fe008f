"""What a model of time series learns from: which rows and columns, how often, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vqaudio.config.series import TableDataConfig
from vqaudio.errors import ConfigError, FileError, SeriesError
from vqaudio.series.coding.context_features import N_FEATURES
from vqaudio.training import series_examples
from vqaudio.training.series_examples import (
    MOST_COLUMNS,
    SHORTEST,
    Source,
    examples_of,
    quantized,
    read_source,
    stretches,
    training_examples,
    validation_examples,
)


def walk(rows: int = 2600, columns: int = 1, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 1, (rows, columns)).cumsum(0)


def write_csv(path: Path, **columns: object) -> Path:
    names = list(columns)
    rows = zip(*columns.values(), strict=True)  # type: ignore[call-overload]
    path.write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_the_last_fifth_is_held_out(tmp_path: Path):
    values = walk(2600, 2)
    np.save(tmp_path / "x.npy", values)
    source = read_source(tmp_path / "x.npy")
    assert source.name == "x.npy"
    (train,), (valid,) = source.train, source.valid
    assert np.array_equal(np.stack(train, 1), values[:2080])
    assert np.array_equal(np.stack(valid, 1), values[2080:])


def test_a_folder_is_one_source(tmp_path: Path):
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", walk(2500 + number))
    (tmp_path / "notes.txt").write_text("not a table")
    source = read_source(tmp_path)
    assert source.name == tmp_path.name
    assert [len(columns[0]) for columns in source.train] == [2000, 2001, 2002]


def test_columns_that_cannot_be_learned_from_are_left_out(tmp_path: Path):
    rows = 2500
    path = write_csv(
        tmp_path / "x.csv",
        time=[f"2020-01-01 {row // 60 % 24:02}:{row % 60:02}:00" for row in range(rows)],
        words=["a"] * rows,
        same=[7] * rows,
        gaps=["" if row == 5 else row for row in range(rows)],
        good=range(rows),
    )
    ((found,),) = read_source(path).train
    assert found.tolist() == list(range(2000))


@pytest.mark.parametrize("what", ["short", "constant", "empty", "missing"])
def test_what_cannot_be_learned_from_is_refused(tmp_path: Path, what: str):
    path = tmp_path / "x.npy"
    if what == "short":
        np.save(path, walk(2498))
    elif what == "constant":
        np.save(path, np.zeros((3000, 2)))
    elif what == "empty":
        path.mkdir()
    said = {
        "short": "has 1999 rows and 1 columns without gaps to learn from; expected 2000 or more",
        "constant": "has 2400 rows and 0 columns without gaps",
        "empty": "holds no tables; put .csv",
        "missing": "x.npy",
    }
    with pytest.raises(FileError if what == "missing" else SeriesError, match=said[what]):
        read_source(path)


def test_stretches_are_of_all_tables_until_there_are_enough():
    tables = [[walk(4000, seed=seed)[:, 0] for seed in range(12)], [walk(SHORTEST, seed=99)[:, 0]]]
    found = list(stretches(tables, 400_000, np.random.default_rng(0)))
    assert sum(len(columns) * len(columns[0]) for columns in found[:-1]) < 400_000
    assert sum(len(columns) * len(columns[0]) for columns in found) >= 400_000
    assert {len(columns) for columns in found} == {1, MOST_COLUMNS}
    lengths = {len(columns[0]) for columns in found}
    assert min(lengths) == SHORTEST
    assert max(lengths) == 4000
    assert len(lengths) > 4


def test_grids_have_12_to_250_steps():
    random, values = np.random.default_rng(0), walk()[:, 0]
    reaches = [int(np.ptp(quantized(values, random))) for _ in range(300)]
    assert min(reaches) >= 11
    assert max(reaches) <= 251
    assert 30 < np.median(reaches) < 50
    signs = {int(np.sign(np.corrcoef(quantized(values, random), values)[0, 1])) for _ in range(20)}
    assert signs == {-1, 1}


def test_examples_are_what_the_coder_shows_its_model():
    columns = [np.rint(5 * walk(300, seed=seed)[:, 0]).astype(np.int64) for seed in (0, 1)]
    found = examples_of(columns)
    assert found.features.shape == (600, N_FEATURES)
    assert (found.features.dtype, found.tokens.dtype) == (np.int8, np.int64)
    alone = examples_of(columns[:1])
    assert np.array_equal(found.features[:300], alone.features)
    assert np.array_equal(found.tokens[:300], alone.tokens)
    assert not np.array_equal(found.features[300:], examples_of(columns[1:]).features)  # another column is seen


def sources() -> list[Source]:
    return [
        Source(name, [[walk(seed=seed)[:2000, 0]]], [[walk(seed=seed)[2000:, 0]]]) for seed, name in enumerate("ab")
    ]


def config(**changes: object) -> TableDataConfig:
    return TableDataConfig.model_validate({"tables": ["a", "b"], "values": 8000} | changes)


def test_sources_share_by_their_weights(monkeypatch: pytest.MonkeyPatch):
    asked = []
    real = series_examples.stretches

    def spy(tables, values, random):
        asked.append(values)
        return real(tables, values, random)

    monkeypatch.setattr(series_examples, "stretches", spy)
    found = training_examples(sources(), config(), 0, progress=False)
    training_examples(sources(), config(weights={"b": 3}), 0, progress=False)
    assert asked == [4000, 4000, 2000, 6000]
    again = training_examples(sources(), config(), 0, progress=False)
    assert np.array_equal(found.features, again.features)
    other = training_examples(sources(), config(), 1, progress=False)
    assert not np.array_equal(found.features[:1000], other.features[:1000])


def test_weights_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="no source is called c; choose one of a, b"):
        training_examples(sources(), config(weights={"c": 1}), 0, progress=False)
    with pytest.raises(ConfigError, match="gives every source the share 0"):
        training_examples(sources(), config(weights={"a": 0, "b": 0}), 0, progress=False)


def test_validation_is_the_same_each_time_and_of_the_last_rows():
    first, again = (validation_examples(sources()[0], 100) for _ in range(2))
    assert np.array_equal(first.features, again.features)
    assert len(first) == 600
