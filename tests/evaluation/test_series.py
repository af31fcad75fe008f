"""Errors, sizes and reports of evaluated tables, against figures worked by hand and the files themselves."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from series_models import as_table, dice, good_at_dice

from vqaudio import evaluate as command_line
from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.packers import PACKERS
from vqaudio.evaluation.series import INDEPENDENT, QUICK, VQAUDIO, evaluate, evaluate_table
from vqaudio.evaluation.series_report import MOST_PANELS, plot, table
from vqaudio.series import Column, MaxError, StoredTable, Table, compress, model_named
from vqaudio.series.table import known_cells

ROWS = 400


def column(values: object, name: str) -> Column:
    array, cells = known_cells(np.asarray(values))
    return Column(name, array.dtype.name, array, cells)


def made(*columns: Column) -> Table:
    return Table(list(columns), {"suffix": ".npz"})


def waves() -> tuple[np.ndarray, np.ndarray]:
    """A wandering curve, and one that mostly follows it."""
    generator = np.random.default_rng(1)
    first = np.cumsum(generator.normal(size=ROWS))
    return first, 3 * first + 0.05 * generator.normal(size=ROWS)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A clock, two related columns, one with a gap, and a label."""
    first, second = waves()
    lines = [
        f"{row},{a:.4f},{'' if row == 7 else f'{b:.3f}'},on"
        for row, (a, b) in enumerate(zip(first, second, strict=True))
    ]
    path = tmp_path / "waves.csv"
    path.write_text("time,first,second,state\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_errors_are_those_worked_by_hand():
    """Integers within 1 go to multiples of 3 above the least: 0, 1, 2, 3, 4, 6 become 0, 0, 3, 3, 3, 6."""
    found = evaluate(made(column(np.array([0, 1, 2, 3, 4, 6]), "x")), MaxError(1.0), name="t", n_bytes=48).columns[0]
    assert found.decoded.tolist() == [0, 0, 3, 3, 3, 6]
    assert (found.bound, found.max_error) == (1, 1)
    assert found.rmse == pytest.approx(math.sqrt(3 / 6))
    mean = 16 / 6
    assert found.prdn == pytest.approx(100 * math.sqrt(3 / sum((x - mean) ** 2 for x in (0, 1, 2, 3, 4, 6))))


def test_a_column_that_never_changes_has_no_prdn_and_gaps_do_not_count():
    flat, gappy = np.full(20, 2.5), np.where(np.arange(20) == 3, np.nan, np.arange(20.0) ** 2)
    found = evaluate(made(column(flat, "flat"), column(gappy, "gappy")), MaxError(1.0), name="t", n_bytes=1)
    assert math.isnan(found.columns[0].prdn)
    assert next(line for line in table(found).splitlines() if line.startswith("| flat")).split("|")[5].strip() == "-"
    assert np.isnan(found.columns[1].original[3])
    assert found.columns[1].max_error == 1


@pytest.mark.parametrize("values", [[1e308, -1e308, 0.0, 5e-324], [-(2**63), 2**63 - 1, 0, 7]])
def test_huge_values_are_measured_too(values):
    found = evaluate(made(column(np.array(values), "x")), MaxError(0.01, relative=True), name="t", n_bytes=32)
    assert 0 <= found.columns[0].rmse <= found.columns[0].max_error <= found.columns[0].bound
    assert found.sizes[0].max_share <= 1 + 1e-12


def test_sizes_are_those_of_real_files():
    first, second = waves()
    original = made(column(first, "first"), column(second, "second"))
    found = evaluate(original, MaxError(0.1), name="t", n_bytes=6400)
    sizes = {size.name: size.n_bytes for size in found.sizes}
    data = compress(original, MaxError(0.1))
    assert sizes[VQAUDIO] == len(data) < sizes[INDEPENDENT]
    assert sizes[INDEPENDENT] == len(compress(original, MaxError(0.1), independent=True, mixing=False))
    stored = StoredTable(compress(original, MaxError(0.1), independent=True, mixing=False))
    assert all("other" not in part.predictor for _, chunk in stored.chunks() for part in chunk.columns)
    assert found.columns[1].predictors == {"mixed": 1}
    for size in found.sizes[:-1]:
        assert (size.rms_share, size.max_share) == (found.sizes[0].rms_share, found.sizes[0].max_share)


def test_a_table_is_evaluated_from_the_command_line(csv, tmp_path, capsys):
    out, picture = tmp_path / "out.json", tmp_path / "out.png"
    assert command_line.main([str(csv), "--max-error", "1%", "--json", str(out), "--plot", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "400 rows of 4 columns, of which 2 are compared" in printed  # neither the clock nor the label
    for name in (VQAUDIO, INDEPENDENT, *PACKERS, "PCA of columns", "first", "second", "PRDN"):
        assert f"| {name}" in printed or f" {name}" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")
    data = json.loads(out.read_text())
    assert data["max_error"] == "1%"
    (found,) = data["tables"]
    assert found["file_bytes"] == csv.stat().st_size
    assert [one["name"] for one in found["columns"]] == ["first", "second"]
    assert all(one["max_error"] <= one["bound"] for one in found["columns"])


def test_without_a_bound_tables_are_exact(csv, capsys):
    assert command_line.main([str(csv)]) == 0
    assert "PCA is left out" in capsys.readouterr().out
    found = evaluate_table(csv, None)
    assert [column.name for column in found.columns] == ["time", "first", "second"]
    assert all(column.max_error == 0 for column in found.columns)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_the_last_rows_count_as_a_file_of_their_own(tmp_path, suffix):
    """The figures are those of a file that holds them alone."""
    values = np.round(waves()[0], 3)
    paths = [tmp_path / f"{name}{suffix}" for name in ("all", "last")]
    for path, part in zip(paths, (values, values[-100:]), strict=True):
        if suffix == ".csv":
            path.write_text("x\n" + "".join(f"{value:.3f}\n" for value in part))
        elif suffix == ".npz":
            np.savez(path, x=part)
        else:
            pq.write_table(pa.table({"x": part}), path, compression="zstd")
    whole, alone = (
        evaluate_table(path, MaxError(0.01), last=last) for path, last in zip(paths, (0.25, 1.0), strict=True)
    )
    assert (whole.n_rows, whole.sizes, whole.columns[0].rmse) == (100, alone.sizes, alone.columns[0].rmse)
    assert whole.n_bytes == pytest.approx(alone.n_bytes, rel=0.1)
    if suffix == ".csv":
        assert whole.n_bytes == alone.n_bytes


def test_several_tables_are_one_report(csv, tmp_path, capsys):
    np.save(tmp_path / "b.npy", np.round(waves()[0], 2))
    arguments = [str(csv), "--max-error", "0.1", str(tmp_path / "b.npy"), "--plot", str(tmp_path / "a.png")]
    assert command_line.main(arguments) == 0
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("## ")] == [
        f"## {csv}",
        f"## {tmp_path / 'b.npy'}",
    ]
    assert "PCA of windows" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["CSV", "--max-error", "no"], "--max-error no: expected a number above 0"),
        (["CSV", "--codebooks", "2"], "--codebooks is for sound, and"),
        (["CSV", "--model", "x"], "x: no such model of time series"),
        (["FOLDER", "--max-error", "1%"], "--max-error is for tables"),
        (["FOLDER", "--last", "0.5"], "--last is for tables"),
        (["CSV", "FOLDER"], "expected one folder of sound, or tables"),
        (["CSV", "--last", "2"], "2.0 is not in the range 0<x<=1"),
        (["none.csv"], "none.csv"),
    ],
)
def test_what_does_not_fit_is_refused(csv, tmp_path, capsys, arguments, sentence):
    given = [{"CSV": str(csv), "FOLDER": str(tmp_path)}.get(text, text) for text in arguments]
    assert command_line.main(given) != 0
    assert sentence in capsys.readouterr().err


def test_a_table_without_numbers_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("word\nyes\nno\n")
    with pytest.raises(EvaluationError, match="has no column of numbers"):
        evaluate_table(tmp_path / "a.csv", MaxError(1.0))


def test_at_most_eight_columns_are_drawn(tmp_path):
    columns = [column(np.arange(9.0) ** n, f"c{n}") for n in range(1, 11)]
    found = evaluate(made(*columns), MaxError(0.5), name="t", n_bytes=1)
    columns = [(one.name, one) for one in found.columns]
    plot(columns, tmp_path / "all")
    plot(columns[:MOST_PANELS], tmp_path / "eight")
    assert len(columns) > MOST_PANELS
    assert (tmp_path / "all").read_bytes() == (tmp_path / "eight").read_bytes()


@pytest.mark.parametrize(("name", "ours"), [("ecg208", 12.0), ("ETTh1", 4.5)])
def test_held_out_data_is_small_within_one_percent(data_folder, name, ours):
    """On the last fifth: the ratio to 16-bit samples, and a smaller file than every other way makes."""
    path = data_folder / "timeseries" / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    found = evaluate_table(path, MaxError(0.01, relative=True), last=0.2)
    own, *others = found.sizes
    assert 2 * found.n_values / own.n_bytes > ours
    assert own.n_bytes < min(size.n_bytes for size in others)
    assert all(column.prdn < 9 for column in found.columns)


def test_a_report_tells_what_a_model_is_worth(tmp_path):
    one = model_named(str(good_at_dice(tmp_path / "dice.safetensors")))
    table = as_table(*map(dice, range(6)))
    found = evaluate(table, None, name="dice", n_bytes=24_000, model=one)
    sizes = {size.name: size.n_bytes for size in found.sizes}
    assert (sizes[VQAUDIO], sizes[QUICK]) == (len(compress(table, model=one)), len(compress(table, mixing=False)))
    assert [column.predictors for column in found.columns] == [{"model": 1}] * 6
    without = evaluate(table, None, name="dice", n_bytes=24_000, mixing=False)
    assert (without.sizes[0].n_bytes, QUICK in {size.name for size in without.sizes}) == (
        sizes[QUICK],
        False,
    )
