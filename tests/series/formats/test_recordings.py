"""ECG in WFDB records and EEG in EDF and BDF, as tables."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress


def ecg(rows: int = 600, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 1000, (rows, channels)).cumsum(0) % 2000 - 1000


def write_record(name: str, values: np.ndarray, **about: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas, of how wfdb calls it
        wfdb = pytest.importorskip("wfdb", reason="wfdb is not installed: pip install '.[signals]'")
    n_channels = values.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wfdb.wrsamp(
            name,
            360,
            ["mV", "uV"][:n_channels],
            ["MLII", "V5"][:n_channels],
            d_signal=values,
            fmt=[str(about.get("fmt", "16"))] * n_channels,
            adc_gain=[200.0, 150.5][:n_channels],
            baseline=[1024, 0][:n_channels],
            comments=["69 M"],
        )


def write_edf(path: str, signals: list[tuple[str, np.ndarray, float]], *, notes: int = 0) -> None:
    edfio = pytest.importorskip("edfio", reason="edfio is not installed: pip install '.[signals]'")
    signal, file = (edfio.BdfSignal, edfio.Bdf) if path.endswith(".bdf") else (edfio.EdfSignal, edfio.Edf)
    made = [
        signal.from_digital(
            values, rate, label=label, physical_dimension="uV", physical_range=(-500, 500), digital_range=(-2048, 2047)
        )
        for label, values, rate in signals
    ]
    file(made, annotations=[edfio.EdfAnnotation(0.5 + at, None, "x") for at in range(notes)]).write(path)


def through(name: str, *options: str) -> pq.FileMetaData:
    assert compress([name, "out.vq", "--quiet", "--force", *options]) == 0
    assert decompress(["out.vq", "back.parquet", "--quiet", "--force"]) == 0
    return pq.read_table("back.parquet")


@pytest.mark.parametrize(("fmt", "dtype"), [("212", "int16"), ("16", "int16"), ("24", "int32")])
def test_a_wfdb_record_keeps_its_integers_and_what_they_mean(fmt, dtype):
    values = ecg() * (100 if fmt == "24" else 1)
    write_record("rec", values, fmt=fmt)
    found = through("rec.hea")
    assert [str(kind) for kind in found.schema.types] == [dtype] * 2
    assert np.array_equal(np.stack([column.to_numpy() for column in found.columns], 1), values)
    assert found.schema.names == ["MLII", "V5"]
    about = found.schema.field("V5").metadata
    assert (about[b"unit"], about[b"gain"], about[b"sampling_rate"]) == (b"uV", b"150.5", b"360")
    assert found.schema.field("MLII").metadata[b"baseline"] == b"1024"
    assert found.schema.metadata[b"comments"] == b"69 M"


@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
def test_edf_and_bdf_keep_their_integers_and_what_they_mean(suffix):
    dtype = np.int16 if suffix == ".edf" else np.int32
    values = ecg(500, 1)[:, 0].astype(dtype)
    write_edf(f"in{suffix}", [("EEG Fpz", values, 100.0), ("EEG Pz", values[::-1].copy(), 100.0)])
    found = through(f"in{suffix}")
    assert np.array_equal(found["EEG Fpz"].to_numpy(), values)
    assert np.array_equal(found["EEG Pz"].to_numpy(), values[::-1])
    about = found.schema.field("EEG Pz").metadata
    assert (about[b"unit"], about[b"physical_range"], about[b"digital_range"]) == (b"uV", b"-500 500", b"-2048 2047")


def test_slower_channels_have_a_value_in_every_few_rows():
    values, slow = ecg(500, 1)[:, 0].astype(np.int16), np.arange(50, dtype=np.int16)
    write_edf("in.edf", [("EEG", values, 100.0), ("Temp", slow, 10.0)])
    found = through("in.edf")
    assert found["Temp"].null_count == 450
    assert found["Temp"].drop_null().to_pylist() == slow.tolist()
    assert found["Temp"][:11].to_pylist() == [0, *[None] * 9, 1]
    assert found.schema.field("Temp").metadata[b"sampling_rate"] == b"10"


def test_bounds_count_in_the_integers_that_are_stored():
    write_record("rec", ecg())
    found = through("rec.hea", "--max-error", "5,V5=0")
    off = np.abs(np.stack([column.to_numpy() for column in found.columns], 1) - ecg())
    assert off.max(0).tolist() == [5, 0]


def test_annotations_are_told_of(capsys):
    write_edf("in.edf", [("EEG", ecg(300, 1)[:, 0].astype(np.int16), 100.0)], notes=2)
    assert compress(["in.edf", "out.vq"]) == 0
    assert "warning: in.edf: its 2 annotations are left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("bad.edf", b"junk", "bad.edf: cannot be read as EDF"),
        ("bad.hea", b"junk\n", "bad.hea: cannot be read as a WFDB record"),
        ("multi.hea", b"multi/2 1 360 200\none 100\ntwo 100\n", "multi.hea: is a record of 2 segments; name the .hea"),
        ("lone.hea", b"lone 1 360 100\nlone.dat 16 200 16 0 0 0 0 MLII\n", "lone.hea: cannot be read as a WFDB record"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(name, data, message, capsys):
    pytest.importorskip("edfio", reason="edfio is not installed: pip install '.[signals]'")
    Path(name).write_bytes(data)
    assert compress([name, "out.vq", "--quiet"]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not Path("out.vq").exists()


def test_rates_that_do_not_divide_are_refused(capsys):
    values = ecg(300, 1)[:, 0].astype(np.int16)
    write_edf("in.edf", [("EEG", values, 100.0), ("ECG", values[:192].copy(), 64.0)])
    assert compress(["in.edf", "out.vq", "--quiet"]) == 1
    assert "signal 'ECG' has 192 samples where the fastest has 300, which are no multiple" in capsys.readouterr().err


def test_nothing_is_written_as_a_recording(capsys):
    write_record("rec", ecg())
    assert compress(["rec.hea", "out.vq", "--quiet"]) == 0
    assert decompress(["out.vq", "out.edf", "--quiet"]) == 1
    assert "a table is written to .csv, .parquet, .npy or .npz" in capsys.readouterr().err
    assert decompress(["out.vq", "--quiet"]) == 0
    assert Path("out.parquet").exists()
