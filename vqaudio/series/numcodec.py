"""The codec of tables under the name ``vqaudio`` in numcodecs, and so in Zarr 2, which find it by an entry point.

An array of two or more dimensions is coded as columns along its last axis where that is much shorter than the others
together, as that of samples by channels is; any other as one column, in C order, as it was measured to be smaller so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ensure_ndarray_like, ndarray_copy
from numpy.typing import NDArray

from vqaudio.series.encodings.bounds import Amount, Bounds, MaxError, Prd, Psnr, RelativeError
from vqaudio.series.formats import npy
from vqaudio.series.memory import decompress_table
from vqaudio.series.writer import compress

ROWS_PER_COLUMN = 16
"""An array has columns where it has so many rows for each."""
BYTE_ORDER = "byte_order"
"""The note of a column that says that its array was not in this machine's order, and which it was in."""


class VqCodec(Codec):  # type: ignore[misc]
    """Arrays of integers, floats, bool or times, exact to the bit, or each value within a bound.

    >>> import numpy as np
    >>> volts = np.sin(np.arange(1000) / 50)
    >>> codec = VqCodec(max_error=0.01)
    >>> bool(np.abs(codec.decode(codec.encode(volts)) - volts).max() <= 0.01)
    True

    Args:
        max_error: how far numbers may be off: 0.05, or ``"1%"`` of the range of an array, which is a chunk of Zarr's.
        max_relative_error: how far, as a share of each number: 0.001.
        psnr: the least peak signal-to-noise ratio of an array, in dB.
        prd: the greatest percentage root mean square difference of an array.

    Raises:
        SeriesError: numbers that make no bound, or more than one bound.
    """

    codec_id = "vqaudio"

    def __init__(
        self,
        max_error: Amount | None = None,
        max_relative_error: Amount | None = None,
        psnr: Amount | None = None,
        prd: Amount | None = None,
    ):
        self.max_error, self.max_relative_error, self.psnr, self.prd = max_error, max_relative_error, psnr, prd
        self._bounds()

    def encode(self, buf: Any) -> bytes:
        """The bytes of a ``.vq`` file with an array.

        Raises:
            SeriesError: an array of another type, or of no values.
        """
        array = np.asarray(ensure_ndarray_like(buf))
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        table = npy.table_of({npy.SINGLE: _as_columns(native)}, "the array", suffix=".npy")
        if array.dtype != native.dtype:
            table.columns[0].notes[BYTE_ORDER] = array.dtype.byteorder
        bounds = self._bounds(native)
        return compress(table, bounds, lossless=bounds is None, name="the array")

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The array in some bytes, ``(values,)``, or in ``out``.

        Raises:
            ContainerError: bytes that are not of :meth:`encode`, or damaged ones.
        """
        table = decompress_table(ensure_bytes(buf))
        array = npy.arrays_of(table, "the array", suffix=".npy")[npy.SINGLE].reshape(-1)
        if order := table.columns[0].notes.get(BYTE_ORDER):
            array = array.astype(array.dtype.newbyteorder(order))
        return ndarray_copy(np.ascontiguousarray(array), out)

    def get_config(self) -> dict[str, Any]:
        """The codec's name, and the bound that was given."""
        given = {key: value for key, value in vars(self).items() if value is not None}
        return {"id": self.codec_id} | given

    def _bounds(self, array: NDArray[Any] | None = None) -> Bounds | None:
        amounts = {
            MaxError: self.max_error,
            RelativeError: self.max_relative_error,
            Psnr: self.psnr,
            Prd: self.prd,
        }
        bounds = Bounds.of_amounts({kind: amount for kind, amount in amounts.items() if amount is not None})
        if (
            array is not None
            and bounds is not None
            and isinstance(bounds.default, MaxError)
            and bounds.default.relative
        ):
            return Bounds(
                MaxError(bounds.default.of(array[np.isfinite(array)]))
            )  # of the array's range, not a column's
        return bounds


def _as_columns(array: NDArray[Any]) -> NDArray[Any]:
    width = array.shape[-1] if array.ndim > 1 else 1
    return array.reshape(-1, width) if 1 < width <= array.size // width // ROWS_PER_COLUMN else array.reshape(-1)
