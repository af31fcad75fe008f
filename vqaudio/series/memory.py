"""Tables of other libraries to the bytes of a ``.vq`` file and back, in two calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vqaudio.errors import ContainerError
from vqaudio.series.coding.mixed_choice import mixes
from vqaudio.series.coding.model import model_for
from vqaudio.series.encodings.bounds import Amount, Bounds, MaxError, Prd, Psnr, RelativeError
from vqaudio.series.objects import Kind, convert_table, table_of
from vqaudio.series.stored import StoredTable
from vqaudio.series.writer import compress


def compress_table(
    data: Any,
    *,
    max_error: Amount | Mapping[str | None, Amount] | None = None,
    max_relative_error: Amount | Mapping[str | None, Amount] | None = None,
    psnr: Amount | Mapping[str | None, Amount] | None = None,
    prd: Amount | Mapping[str | None, Amount] | None = None,
    model: str | None = None,
) -> bytes:
    """A table, of whatever library, as the bytes of a ``.vq`` file, which were decoded and compared.

    Without a bound, all is kept to the bit, floats too. A bound is for all columns of numbers but a clock that comes
    first; or for those that a dict names, where ``None`` stands for all others, and 0 for exact.

    >>> import numpy as np
    >>> import vqaudio
    >>> table = {"seconds": np.arange(4) / 100, "volts": np.array([0.512, 0.487, 0.611, 0.598])}
    >>> data = vqaudio.compress_table(table, max_error={"volts": 0.01})
    >>> vqaudio.decompress_table(data, to="dict")["volts"]  # each within 0.01
    array([0.51, 0.49, 0.61, 0.59])

    Args:
        data: a dict of arrays, a numpy array, a pandas or polars DataFrame, an Arrow table, or anything that has
            ``__arrow_c_stream__``; see :func:`vqaudio.series.objects.table_of`.
        max_error: how far numbers may be off: 0.05, or ``"1%"`` of a column's range.
        max_relative_error: how far, as a share of each number: 0.001; zeros and signs stay.
        psnr: the least peak signal-to-noise ratio of a column, in dB.
        prd: the greatest percentage root mean square difference of a column.
        model: of a network, or ``"none"`` for the quick coder; by default tables of up to 2,000,000 values are mixed.

    Raises:
        SeriesError: something else than a table, what no table here can hold, or bounds that make no sense.
    """
    table = table_of(data)
    amounts = {MaxError: max_error, RelativeError: max_relative_error, Psnr: psnr, Prd: prd}
    bounds = Bounds.of_amounts({kind: amount for kind, amount in amounts.items() if amount is not None})
    mixing = mixes(table.n_cells, model)
    return compress(table, bounds, lossless=bounds is None, model=model_for(model), mixing=mixing)


def decompress_table(data: bytes, *, to: Kind = "table") -> Any:
    """The table in the bytes of a ``.vq`` file.

    >>> import numpy as np
    >>> import vqaudio
    >>> vqaudio.decompress_table(vqaudio.compress_table(np.arange(6).reshape(3, 2)), to="numpy")
    array([[0, 1],
           [2, 3],
           [4, 5]])

    Args:
        data: all of the file.
        to: ``"arrow"``, ``"pandas"``, ``"polars"``, ``"numpy"``, ``"dict"`` (of arrays), or ``"table"``, which anything
            takes that reads ``__arrow_c_stream__``.

    Raises:
        ContainerError: bytes that hold no table, or a damaged one.
        SeriesError: what it cannot become, or a library that is not here.
    """
    stored = StoredTable(data)
    table = stored.table()
    if stored.damage:
        raise ContainerError(
            f"{stored.name} is damaged: {stored.damage[0]}; get it again from its source, or take what can "
            "be read from vqaudio.open_vq"
        )
    return convert_table(table, to)
