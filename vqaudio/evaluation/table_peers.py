"""Other compressors of columns of numbers, each at the settings that make the least of them, on one thread.

pcodec (Loncaric et al., "Pcodec: Better Compression for Numerical Sequences", 2025), SZ3 (Liang et al., "SZ3: A Modular
Framework for Composing Prediction-Based Error-Bounded Lossy Compressors", 2022), zfp (Lindstrom, "Fixed-Rate Compressed
Floating-Point Arrays", 2014), fpzip (Lindstrom and Isenburg, "Fast and Efficient Compression of Floating-Point Data",
2006), Blosc2, Parquet, zstd and gzip.
"""

from __future__ import annotations

import gzip
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vqaudio.evaluation import EvaluationError, require
from vqaudio.evaluation.choices import TABLE_PEER_NAMES
from vqaudio.evaluation.packers import GZIP_LEVEL, little_endian, zstd

Arrays = Sequence[NDArray[Any]]
HALF = 0.4999
"""Integers that are off by less come back by rounding."""


@dataclass(frozen=True)
class Setting:
    """One way to compress arrays.

    Args:
        name: what tells it from the peer's other ways.
        pack: one or more arrays ``(rows,)`` of one length to bytes. None where it does not take such arrays.
        unpack: these bytes to the arrays, in their types.
    """

    name: str
    pack: Callable[[Arrays], bytes]
    unpack: Callable[[bytes, Arrays], list[NDArray[Any]]]


class TablePeer(ABC):
    """A compressor.

    Attributes:
        name: as tables show it.
        package: what must be installed; "" for nothing.
    """

    name: ClassVar[str]
    package: ClassVar[str] = ""

    @abstractmethod
    def settings(self, arrays: Arrays, tolerance: float) -> list[Setting]:
        """The ways that it takes arrays of such types in, to be off by up to ``tolerance``; none for no way."""


def _stacked(arrays: Arrays) -> NDArray[Any]:
    """Arrays one after another ``(arrays, rows)``, or the one that there is ``(rows,)``, in a type that holds all."""
    if len(arrays) == 1:
        return np.ascontiguousarray(arrays[0])
    kind = np.result_type(*arrays)
    return np.stack([array.astype(kind) for array in arrays])


def _split(stacked: NDArray[Any], like: Arrays) -> list[NDArray[Any]]:
    rows = stacked.reshape(len(like), -1)
    return [
        (np.rint(row) if row.dtype.kind == "f" and one.dtype.kind != "f" else row).astype(one.dtype)
        for row, one in zip(rows, like, strict=True)
    ]


def _as(arrays: Arrays, *kinds: Any) -> list[Any]:
    """Of some types, those that hold all numbers of integers, or the arrays' own type among floats."""
    own = np.result_type(*arrays)
    if own.kind == "f":
        return [kind for kind in kinds if np.dtype(kind) == own]
    least, greatest = (int(one) for one in (min(a.min() for a in arrays), max(a.max() for a in arrays)))
    found = []
    for kind in kinds:
        limits = np.iinfo(kind) if np.dtype(kind).kind in "iu" else None
        low, high = (limits.min, limits.max) if limits else (-(2 ** np.finfo(kind).nmant), 2 ** np.finfo(kind).nmant)
        if low <= least and greatest <= high:
            found.append(kind)
    return found


class _Bytes(TablePeer):
    """A compressor of bytes: numbers as they are, or their differences."""

    def settings(self, arrays: Arrays, tolerance: float) -> list[Setting]:
        pack, unpack = self._codec()
        plain = Setting(
            "plain",
            lambda given: pack(b"".join(map(little_endian, given))),
            lambda data, like: _parts(unpack(data, sum(one.nbytes for one in like)), like),
        )
        if np.result_type(*arrays).kind == "f":
            return [plain]
        differences = Setting(
            "differences",
            lambda given: pack(b"".join(little_endian(np.diff(one, prepend=one[:1] * 0)) for one in given)),
            lambda data, like: [np.cumsum(one, dtype=one.dtype) for one in plain.unpack(data, like)],
        )
        return [plain, differences]

    @abstractmethod
    def _codec(self) -> tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]: ...


def _parts(data: bytes, like: Arrays) -> list[NDArray[Any]]:
    """Arrays whose bytes stand one after another."""
    found, at = [], 0
    for one in like:
        found.append(np.frombuffer(data, one.dtype.newbyteorder("<"), len(one), at).astype(one.dtype))
        at += one.nbytes
    return found


class Gzip(_Bytes):
    """gzip at its level 9."""

    name = "gzip"

    def _codec(self) -> tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]:
        return lambda data: gzip.compress(data, GZIP_LEVEL, mtime=0), lambda data, size: gzip.decompress(data)


class Zstd(_Bytes):
    """zstd at its level 19."""

    name, package = "zstd", "pyarrow"

    def _codec(self) -> tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]:
        return zstd, lambda data, size: require("pyarrow").Codec("zstd").decompress(data, size, asbytes=True)


class Pcodec(TablePeer):
    """pcodec at its level 12, the last."""

    name, package = "pcodec", "pcodec"
    LEVEL = 12
    MOST_CONVOLVED = 4

    def settings(self, arrays: Arrays, tolerance: float) -> list[Setting]:
        package = require("pcodec")
        standalone = require("pcodec.standalone")
        deltas = {"auto": package.DeltaSpec.auto()}
        if np.result_type(*arrays).itemsize <= self.MOST_CONVOLVED:
            deltas["conv1"] = package.DeltaSpec.try_conv1(8)
        return [
            Setting(
                name,
                lambda given, delta=delta: standalone.simple_compress(  # type: ignore[misc]
                    _stacked(given).reshape(-1),
                    package.ChunkConfig(compression_level=self.LEVEL, delta_spec=delta, enable_8_bit=True),
                ),
                lambda data, like: _split(standalone.simple_decompress(data), like),
            )
            for name, delta in deltas.items()
        ]


class SZ3(TablePeer):
    """SZ3 by each of its algorithms."""

    name, package = "SZ3", "pysz"
    ALGORITHMS = ("LORENZO_REG", "INTERP_LORENZO", "INTERP", "NOPRED", "LOSSLESS")

    def settings(self, arrays: Arrays, tolerance: float) -> list[Setting]:
        whole = np.result_type(*arrays).kind != "f"
        bound = HALF if whole else tolerance
        return [
            self._setting(algorithm, kind, bound)
            for kind in _as(arrays, np.float32, np.float64)[:1]
            for algorithm in self.ALGORITHMS
            if bound or algorithm == "LOSSLESS"
        ]

    def _setting(self, algorithm: str, kind: Any, bound: float) -> Setting:
        package = require("pysz")

        def pack(given: Arrays) -> bytes:
            array = _stacked(given).astype(kind)
            config = package.szConfig(array.shape)
            config.errorBoundMode = package.szErrorBoundMode.ABS
            config.absErrorBound = bound
            config.cmprAlgo = getattr(package.szAlgorithm, algorithm)
            packed: bytes = package.sz.compress(array, config)[0].tobytes()
            return packed

        def unpack(data: bytes, like: Arrays) -> list[NDArray[Any]]:
            shape = (len(like), len(like[0])) if len(like) > 1 else (len(like[0]),)
            return _split(package.sz.decompress(np.frombuffer(data, np.uint8), kind, shape)[0], like)

        return Setting(algorithm, pack, unpack)


class Zfp(TablePeer):
    """zfp, reversible or to an accuracy."""

    name, package = "zfp", "zfpy"

    def settings(self, arrays: Arrays, tolerance: float) -> list[Setting]:
        package = require("zfpy")

        def setting(name: str, kind: Any, accuracy: float) -> Setting:
            return Setting(
                name,
                lambda given: package.compress_numpy(_stacked(given).astype(kind), tolerance=accuracy),
                lambda data, like: _split(package.decompress_numpy(data), like),
            )

        floats = _as(arrays, np.float32, np.float64)[:1]
        whole = np.result_type(*arrays).kind != "f"
        bound = HALF if whole else tolerance
        found = [setting("accuracy", kind, bound) for kind in floats if bound]
        kinds = [*floats, *(_as(arrays, np.int32, np.int64)[:1] if whole else [])]
        return found + [setting("reversible", kind, -1) for kind in kinds]


class Fpzip(TablePeer):
    """fpzip without loss."""

    name, package = "fpzip", "fpzip"

    def settings(self, arrays: Arrays, tolerance: float) -> list[Setting]:
        package = require("fpzip")
        return [
            Setting(
                "lossless",
                lambda given, kind=kind: package.compress(_stacked(given).astype(kind)),  # type: ignore[misc]
                lambda data, like: _split(package.decompress(data).reshape(len(like), -1), like),
            )
            for kind in _as(arrays, np.float32, np.float64)[:1]
        ]


class Blosc2(TablePeer):
    """Blosc2 with zstd at its level 9, bytes or bits shuffled."""

    name, package = "Blosc2", "blosc2"

    def settings(self, arrays: Arrays, tolerance: float) -> list[Setting]:
        package = require("blosc2")

        def setting(name: str) -> Setting:
            options = {"codec": package.Codec.ZSTD, "clevel": 9, "nthreads": 1}
            shuffle = {"filters": [getattr(package.Filter, name)], "filters_meta": [0]}

            def pack(given: Arrays) -> bytes:
                array = _stacked(given)
                packed: bytes = package.compress2(array, typesize=array.dtype.itemsize, **options, **shuffle)
                return packed

            def unpack(data: bytes, like: Arrays) -> list[NDArray[Any]]:
                plain = package.decompress2(data, nthreads=1)
                return _split(np.frombuffer(plain, np.result_type(*like)), like)

            return Setting(name.lower(), pack, unpack)

        return [setting(name) for name in ("SHUFFLE", "BITSHUFFLE")]


class Parquet(TablePeer):
    """Parquet with zstd at its level 19, by each encoding that it has for numbers."""

    name, package = "Parquet", "pyarrow"

    def settings(self, arrays: Arrays, tolerance: float) -> list[Setting]:
        encodings = ["BYTE_STREAM_SPLIT", "dictionary"]
        if all(one.dtype.kind in "iu" for one in arrays):
            encodings.append("DELTA_BINARY_PACKED")
        return [self._setting(encoding) for encoding in encodings]

    def _setting(self, encoding: str) -> Setting:
        arrow, parquet = require("pyarrow"), require("pyarrow.parquet")
        chosen = {"use_dictionary": True} if encoding == "dictionary" else {"use_dictionary": False}

        def pack(given: Arrays) -> bytes:
            names = list(map(str, range(len(given))))
            encodings = {} if encoding == "dictionary" else {"column_encoding": dict.fromkeys(names, encoding)}
            file = io.BytesIO()
            table = arrow.Table.from_arrays([arrow.array(_parquet_type(one)) for one in given], names)
            parquet.write_table(
                table,
                file,
                compression="zstd",
                compression_level=19,
                write_statistics=False,
                store_schema=False,
                **chosen,
                **encodings,
            )
            return file.getvalue()

        def unpack(data: bytes, like: Arrays) -> list[NDArray[Any]]:
            table = parquet.read_table(io.BytesIO(data), use_threads=False)
            return [column.to_numpy().astype(one.dtype) for column, one in zip(table.columns, like, strict=True)]

        return Setting(encoding, pack, unpack)


def _parquet_type(array: NDArray[Any]) -> NDArray[Any]:
    """Small integers as the 32 bits that Parquet has for them, for which alone it knows all encodings."""
    if array.dtype.kind in "iu" and array.dtype.itemsize < 4:
        return array.astype(np.int32)
    return array


_ALL: tuple[type[TablePeer], ...] = (Pcodec, SZ3, Zfp, Fpzip, Blosc2, Parquet, Zstd, Gzip)
TABLE_PEERS: dict[str, TablePeer] = dict(zip(TABLE_PEER_NAMES, (kind() for kind in _ALL), strict=True))


def find_table_peers(names: Sequence[str] | None = None) -> tuple[list[TablePeer], list[str]]:
    """The peers of these names, all that are installed for None; and a sentence for each that is not.

    Raises:
        EvaluationError: one that was named is not installed.
    """
    wanted = [TABLE_PEERS[name] for name in names or TABLE_PEERS] if names != [] else []
    missing = [peer for peer in wanted if peer.package and find_spec(peer.package) is None]
    sentences = [
        f"{peer.name} is left out: the package {peer.package} is missing; pip install 'vqaudio[peers]'"
        for peer in missing
    ]
    if names and missing:
        raise EvaluationError(sentences[0].replace("is left out: the", "needs a package: the", 1))
    return [peer for peer in wanted if peer not in missing], sentences
