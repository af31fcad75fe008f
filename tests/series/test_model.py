"""Columns coded by a model's likelihoods: exact on every machine, and only where that is smaller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from vqaudio.compress import main as compress_main
from vqaudio.container.fields import Cursor, DamageError
from vqaudio.decompress import main as decompress_main
from vqaudio.errors import ModelError
from vqaudio.evaluation.series import VQAUDIO, WITHOUT_MODEL, evaluate
from vqaudio.info import main as info_main
from vqaudio.series import Column, StoredTable, Table, compress, model_named
from vqaudio.series.chunk import ColumnChunk, encode_chunk
from vqaudio.series.coding import learned, model
from vqaudio.series.coding.column import LEARNED, MODEL_NAME, decode_column
from vqaudio.series.coding.context_features import CONTEXT_ROWS, LARGEST_VALUE, N_FEATURES, ContextFeatures
from vqaudio.series.coding.history import ResidualHistory
from vqaudio.series.coding.model import KIND, Model
from vqaudio.series.prediction.fitting import predict


def tensors(seed: int = 0, hidden: int = 16) -> dict[str, np.ndarray]:
    """A model that knows nothing, but of which every number matters."""
    random, found = np.random.default_rng(seed), {}
    for name, (outputs, inputs) in {
        "first": (hidden, N_FEATURES),
        "second": (hidden, hidden),
        "logits": (64, hidden),
    }.items():
        found[f"{name}.weight"] = random.integers(-127, 128, (outputs, inputs), np.int8)
        found[f"{name}.bias"] = random.integers(-5000, 5000, outputs).astype(np.int32)
        found[f"{name}.shift"] = np.full(outputs, 12 if name == "first" else 9, np.int8)
    found["logits.bias"] = (-(np.arange(64, dtype=np.int32) ** 2) * 300).astype(np.int32)
    found["exp"] = np.floor(2.0**24 * np.exp(-np.arange(600) / 32) + 0.5).astype(np.int32)
    return found


def saved(path: Path, seed: int = 0) -> Path:
    save_file(tensors(seed), path, {"config": json.dumps({"kind": KIND})})
    return path


def series(random: np.random.Generator, rows: int) -> np.ndarray:
    return np.rint(random.normal(0, 3, rows).cumsum() + 40 * np.sin(np.arange(rows) / 9)).astype(np.int64)


def as_table(*columns: np.ndarray) -> Table:
    named = enumerate(columns)
    return Table(
        [Column(f"c{i}", one.dtype.name, one, np.zeros(len(one), np.uint8)) for i, one in named], {"suffix": ".npy"}
    )


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5),
    st.integers(1, 700),
    st.sampled_from([1, 50, 10**6, 2**33]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_a_model_codes_comes_back(seeds, rows, scale, noisy):
    one, known = Model(tensors(), "0" * 12), []
    for seed in seeds:
        random = np.random.default_rng(seed)
        values = scale * series(random, rows) // 8
        values += random.integers(-scale, scale, rows, endpoint=True) if noisy else 0
        values += known[0] if known else 0
        predictor, residuals = predict(values, known)
        data = learned.encode(one, predictor, residuals=residuals, values=values, previous=known)
        if data is None:
            assert np.abs(values).max() >= LARGEST_VALUE // 2
        else:
            cursor = Cursor(predictor.to_bytes(base=LEARNED) + data)
            found, name = decode_column(cursor, rows, previous=known, model=one)
            assert (found == values).all()
            assert name == MODEL_NAME
            assert cursor.position == len(cursor.data)
        known.append(values)


def test_values_that_are_too_large_are_left_alone():
    one = Model(tensors(), "0" * 12)
    for values, fits in ((np.array([0, LARGEST_VALUE - 1, 5]), True), (np.array([0, LARGEST_VALUE, 5]), False)):
        predictor, residuals = predict(values, [])
        data = learned.encode(one, predictor, residuals=residuals, values=values, previous=[])
        assert (data is not None) == fits


@given(st.binary(min_size=3, max_size=60), st.integers(8, 12))
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_give_numbers_or_damage(data, kind):
    known = [np.arange(40), np.arange(40) ** 2]
    try:
        values, _ = decode_column(Cursor(bytes([kind]) + data), 40, previous=known, model=Model(tensors(), "0" * 12))
    except DamageError:
        return
    assert len(values) == 40


def test_a_row_looks_the_same_whether_the_next_are_known_or_not():
    random = np.random.default_rng(3)
    values, other = series(random, CONTEXT_ROWS + 300), series(random, CONTEXT_ROWS + 300)
    predictor, residuals = predict(values, [other])
    history = ResidualHistory(predictor, residuals, values=values, previous=[other])
    changed = values.copy()
    changed[600:] += 1000
    residuals = [*residuals[:600], *[5] * (CONTEXT_ROWS - 300)]
    later = ResidualHistory(predictor, residuals, values=changed, previous=[other])
    assert history.references == later.references == [0]
    assert (history.features(slice(0, 600)) == later.features(slice(0, 600))).all()
    assert (history.features(slice(601, None)) != later.features(slice(601, None))).any()
    assert np.abs(history.features(slice(None))).max() <= 127


def test_features_are_as_worked_by_hand():
    context = ContextFeatures(4, [])
    context.fill(np.array([10, 12, 12, 20]), np.array([10, 2, 0, 8]))
    fractions, means, shifts = np.array([[0, -64], [256, 768], [0, 0]])
    found = context.of_rows(np.array([0, 2]), np.array([0, 13]), fractions=fractions, means=means, shifts=shifts)
    assert (found[0] == 0).all()
    assert found[1, 0] == round(24 * np.arcsinh(2))  # last but one: 12 - 10
    assert found[1, 37] == found[1, 0]  # the last step
    assert found[1, 48] == round(24 * np.arcsinh(1))  # predicted 13, after 12
    assert list(found[1, 49:51]) == [round(24 * np.arcsinh(2)), round(24 * np.arcsinh(10))]
    assert list(found[1, -16:-12]) == [-64, 64, -64, round(16 * np.log2((768 + 8) / 256))]


# -------------------------------------------------------------------------------------------------------------- files


def dice(seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).choice([0, 1, 10], 500, p=[0.4, 0.4, 0.2])


def good_at_dice(path: Path) -> Path:
    """A model of the tokens of :func:`dice`."""
    found = tensors()
    found["logits.weight"][:], found["logits.shift"][:] = 0, 0
    found["logits.bias"][:] = -160  # in 32nds of a nat
    found["logits.bias"][[0, 1, 19]] = [0, 0, -22]
    save_file(found, path, {"config": json.dumps({"kind": KIND})})
    return path


def test_a_file_names_the_model_that_makes_it_smaller(tmp_path):
    one = model_named(str(good_at_dice(tmp_path / "dice.safetensors")))
    table = as_table(*map(dice, range(6)))
    data, plain = compress(table, model=one), compress(table)
    assert len(data) < len(plain) - 40
    stored = StoredTable(data, model=one)
    assert stored.model == one.fingerprint
    assert stored.suffix == ".npy"  # no need of the model
    found = stored.table()
    assert all((a.values == b.values).all() for a, b in zip(found.columns, table.columns, strict=True))
    assert {part.predictor for _, parts in stored.chunks() for part in parts} == {"model"}


def test_a_report_tells_what_a_model_is_worth(tmp_path):
    one = model_named(str(good_at_dice(tmp_path / "dice.safetensors")))
    table = as_table(*map(dice, range(6)))
    found = evaluate(table, None, name="dice", n_bytes=24_000, model=one)
    sizes = {size.name: size.n_bytes for size in found.sizes}
    assert (sizes[VQAUDIO], sizes[WITHOUT_MODEL]) == (len(compress(table, model=one)), len(compress(table)))
    assert [column.predictors for column in found.columns] == [{"model": 1}] * 6
    without = evaluate(table, None, name="dice", n_bytes=24_000)
    assert (without.sizes[0].n_bytes, WITHOUT_MODEL in {size.name for size in without.sizes}) == (
        sizes[WITHOUT_MODEL],
        False,
    )


def test_a_model_that_makes_nothing_smaller_leaves_no_trace(tmp_path):
    one = model_named(str(saved(tmp_path / "bad.safetensors")))
    table = as_table(series(np.random.default_rng(0), 900), np.arange(900), np.zeros(900, int))
    assert compress(table, model=one) == compress(table)


def test_savings_below_the_size_of_its_name_are_not_worth_a_model(tmp_path):
    one = model_named(str(good_at_dice(tmp_path / "dice.safetensors")))
    table = as_table(dice()[:60])
    assert 0 < chunk_saving(table, one) <= 32
    assert compress(table, model=one) == compress(table)


def chunk_saving(table: Table, one: Model) -> int:
    columns = [ColumnChunk(column.values, column.cells, np.zeros(0, np.int64), b"") for column in table.columns]
    return encode_chunk(0, columns, model=one)[1]


def test_a_model_that_is_missing_is_named(tmp_path):
    one, other = (model_named(str(make(tmp_path / f"{make.__name__}.safetensors"))) for make in (good_at_dice, saved))
    data = compress(as_table(*map(dice, range(6))), model=one)
    told = f"t.vq: was written by the series model {one.fingerprint}, which is not shipped here"
    with pytest.raises(ModelError, match=f"{told}: give its file with --model"):
        StoredTable(data, "t.vq").table()
    with pytest.raises(ModelError, match=f"{told} and is not the one given \\({other.fingerprint}\\)"):
        StoredTable(data, "t.vq", model=other).table()


def test_commands_take_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(model, "DEFAULT", tmp_path / "shipped" / "series-base.safetensors")
    name = good_at_dice(Path("dice.safetensors")).name
    np.save("in.npy", np.column_stack(list(map(dice, range(6)))))
    assert compress_main(["in.npy", "out.vq", "--model", name, "--quiet"]) == 0
    assert decompress_main(["out.vq", "back.npy", "--quiet"]) == 1
    assert "was written by the series model" in capsys.readouterr().err
    assert info_main(["out.vq"]) == 1  # which tells what can be told
    said = capsys.readouterr()
    assert "source format" in said.out
    assert said.err.startswith("error: out.vq: was written by the series model")
    assert decompress_main(["out.vq", "back.npy", "--model", name, "--quiet"]) == 0
    assert (np.load("back.npy") == np.load("in.npy")).all()
    (tmp_path / "shipped").mkdir()
    good_at_dice(tmp_path / "shipped" / "series-base.safetensors")
    assert compress_main(["in.npy", "default.vq", "--quiet"]) == 0
    assert Path("default.vq").read_bytes() == Path("out.vq").read_bytes()
    assert decompress_main(["default.vq", "again.npy", "--quiet"]) == 0
    assert (np.load("again.npy") == np.load("in.npy")).all()
    assert info_main(["default.vq"]) == 0
    assert StoredTable(Path("out.vq").read_bytes()).model in capsys.readouterr().out
    assert compress_main(["in.npy", "none.vq", "--model", "none", "--quiet"]) == 0
    assert len(Path("none.vq").read_bytes()) > len(Path("out.vq").read_bytes()) + 40


@pytest.mark.parametrize("what", ["kind", "width", "tensor", "text"])
def test_files_that_hold_no_model_are_refused(tmp_path, what):
    path, found = tmp_path / "x.safetensors", tensors()
    if what == "width":
        found["first.weight"] = found["first.weight"][:, 1:]
    if what == "tensor":
        del found["exp"]
    save_file(found, path, {"config": json.dumps({"kind": "codec" if what == "kind" else KIND})})
    if what == "text":
        path.write_text("no model")
    with pytest.raises(ModelError, match=r"x\.safetensors: is not a readable"):
        model_named(str(path))


MADE = """
import hashlib, sys, numpy as np
sys.path[:0] = ["tests", "tests/series"]
from test_model import as_table, good_at_dice, dice, model_named, series, Path, tensors
from vqaudio.series.coding import learned
from vqaudio.series.coding.model import Model
from vqaudio.series.prediction.fitting import predict
random = np.random.default_rng(np.random.PCG64(5))
values = series(random, 3000)
predictor, residuals = predict(values, [])
model = Model(tensors(hidden=200), "0")
data = learned.encode(model, predictor, residuals=residuals, values=values, previous=[])
print(hashlib.sha256(data).hexdigest())
"""


@pytest.mark.slow
def test_threads_and_processors_make_no_difference():
    found = set()
    for extra in (
        {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F"},
    ):
        command = [sys.executable, "-W", "ignore", "-c", MADE]
        done = subprocess.run(command, env=os.environ | extra, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_a_network_too_wide_for_exact_sums_is_not_loaded(tmp_path):
    wide = tensors(hidden=1024) | {"second.weight": np.full((1024, 1024), 127, np.int8)}
    save_file(wide, tmp_path / "wide.safetensors", {"config": json.dumps({"kind": KIND})})
    with pytest.raises(ModelError, match="sums of 1024 products in second reach 20710400"):
        model_named(str(tmp_path / "wide.safetensors"))


def test_a_shipped_model_that_is_replaced_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "SHIPPED", tmp_path)
    path = saved(tmp_path / "mine.safetensors", seed=1)
    first = model_named("mine")
    saved(tmp_path / "other", seed=2).replace(path)
    second = model_named("mine")
    assert first is not None
    assert second is not None
    assert second is model_named("mine")
    assert first.fingerprint != second.fingerprint == model.fingerprint(path)
