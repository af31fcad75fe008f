"""Recordings of signals of the body, as tables: WFDB records (ECG), read by ``wfdb``, EDF and BDF (EEG), by ``edfio``.

Columns hold the integers that were stored, which are exact; how they become physical values stands in their notes, and
so does the rate. Channels of a slower rate have a value in every few rows, and gaps between.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import SeriesError, install
from vqaudio.series.table import NULL, VALUE, Column, Table

WFDB_RESOLUTION = 32
"""Bits of integers that are asked of WFDB, which has no formats of more."""


def read_wfdb(file: IO[bytes], name: str) -> Table:
    """A WFDB record, whose header ``file`` is; the files with its signals are beside it.

    Raises:
        SeriesError: a header without a path, several segments, rates that do not divide the fastest, or what ``wfdb``
            cannot read.
    """
    path = Path(str(getattr(file, "name", "")))
    if not path.is_file():
        raise SeriesError(f"{name}: the header of a WFDB record names files beside it: give the path of the .hea")
    wfdb = _package("wfdb", name)
    stem = str(path.with_suffix(""))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas says how wfdb should call it
            about = wfdb.rdheader(stem)
            is_single = not hasattr(about, "seg_name")
            options = {"physical": False, "smooth_frames": False, "return_res": WFDB_RESOLUTION}
            record = wfdb.rdrecord(stem, **options) if is_single else None
    except Exception as error:  # whatever the parsers of damaged headers and signals raise
        raise SeriesError(f"{name}: cannot be read as a WFDB record ({error}); get it again from its source") from None
    if record is None:
        raise SeriesError(f"{name}: is a record of {about.n_seg} segments; name the .hea of each")
    values = record.e_d_signal or []
    notes = [
        {
            "unit": str(unit or ""),
            "gain": repr(float(gain)),
            "baseline": str(baseline),
            "sampling_rate": f"{record.fs * per_frame:.12g}",
        }
        for unit, gain, baseline, per_frame in zip(
            record.units or [], record.adc_gain or [], record.baseline or [], record.samps_per_frame or [], strict=True
        )
    ]
    metadata = {"record": str(record.record_name), "comments": "\n".join(record.comments or [])}
    if record.base_datetime is not None:
        metadata["start"] = record.base_datetime.isoformat()
    narrow = [_narrow(channel) for channel in values]
    return _table(record.sig_name or [], narrow, notes, metadata, name)


def read_edf(file: IO[bytes], name: str, *, suffix: str) -> Table:
    """An EDF or BDF file.

    Raises:
        SeriesError: one with breaks in time, rates that do not divide the fastest, or what ``edfio`` cannot read.
    """
    edfio = _package("edfio", name)
    read = edfio.read_bdf if suffix == ".bdf" else edfio.read_edf
    file.seek(0)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = read(file.read())
            is_continuous = found.is_continuous
            signals = [(signal, signal.digital) for signal in found.signals]
    except Exception as error:  # whatever the parser of damaged headers raises
        raise SeriesError(f"{name}: cannot be read as {suffix[1:].upper()} ({error}); get it again") from None
    if not is_continuous:
        raise SeriesError(f"{name}: is of several stretches with breaks between (EDF+D): save each by itself")
    notes = [
        {
            "unit": signal.physical_dimension,
            "physical_range": f"{signal.physical_min:.12g} {signal.physical_max:.12g}",
            "digital_range": f"{signal.digital_min} {signal.digital_max}",
            "transducer": signal.transducer_type,
            "prefiltering": signal.prefiltering,
            "sampling_rate": f"{signal.sampling_frequency:.12g}",
        }
        for signal, _ in signals
    ]
    metadata = {
        "patient": found.local_patient_identification,
        "recording": found.local_recording_identification,
    }
    table = _table([signal.label for signal, _ in signals], [values for _, values in signals], notes, metadata, name)
    table.remarks += [str(one.message) for one in said]
    if found.annotations:
        table.remarks.append(
            f"its {len(found.annotations)} annotations are left out: a table has columns of signals alone"
        )
    return table


def _package(package: str, name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as below
            return import_module(package)
    except ImportError:
        raise SeriesError(f"{name}: is read by {package}: {install('signals')}, or save it as .csv") from None


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Integers in 16 bits where they fit these."""
    fits = not len(values) or (values.min() >= -(2**15) and values.max() < 2**15)
    return values.astype(np.int16 if fits else np.int32)


def _table(
    titles: Sequence[str],
    channels: Sequence[NDArray[Any]],
    notes: Sequence[Mapping[str, str]],
    metadata: Mapping[str, str],
    name: str,
) -> Table:
    """Channels side by side, at the rate of the fastest."""
    if not channels:
        raise SeriesError(f"{name}: holds no signals; expected one or more")
    n_rows = max(map(len, channels))
    columns = []
    for title, values, about in zip(titles, channels, notes, strict=True):
        if not len(values) or n_rows % len(values):
            raise SeriesError(
                f"{name}: signal {title!r} has {len(values)} samples where the fastest has {n_rows}, which are no "
                "multiple: save channels of such rates each by themselves"
            )
        every = n_rows // len(values)
        cells = np.full(n_rows, NULL, np.uint8)
        cells[::every] = VALUE
        spread = np.zeros(n_rows, values.dtype)
        spread[::every] = values
        kept = {key: _latin(text) for key, text in about.items() if text}
        columns.append(Column(title or "", values.dtype.name, spread, cells, notes=kept))
    kept = {key: _latin(text) for key, text in metadata.items() if text}
    return Table(columns, {"suffix": ".parquet", "metadata": kept})


def _latin(text: str) -> str:
    """A text as notes hold it: the names in Latin-1 of its bytes in UTF-8."""
    return text.encode("utf-8", "replace").decode("latin1")
