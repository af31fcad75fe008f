"""Loops over values, compiled: plain C in this folder, built to WebAssembly, run by ``wasmtime``.

``series.wasm`` holds all of the C files; ``recipes/kernels/build.py`` makes it. WebAssembly has one result on every
machine, by its specification, and the worst that damaged bytes can do is to trap. Source: Haas et al., "Bringing the
web up to speed with WebAssembly", 2017.

Each call has an instance, and so a memory, of its own: it is gone when the call is over, and threads share none.
"""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vqaudio.container.fields import DamageError
from vqaudio.errors import SeriesError

if TYPE_CHECKING:
    from wasmtime import Engine, Module

MODULE = "series.wasm"
PAGE = 1 << 16
"""Bytes that a memory grows by."""
ALIGNMENT = 16
DAMAGES = {-1: "its bytes hold what no writer writes", -2: "its values do not fit 64 bits"}
"""What kernels say by numbers below 0."""


@dataclass(frozen=True)
class Output:
    """An array that a kernel fills; zeros before.

    Args:
        size: of the array.
        dtype: its type.
        counted: whether only so many elements are meant as the kernel returns.
    """

    size: int
    dtype: DTypeLike = np.int64
    counted: bool = False


@dataclass(frozen=True)
class Scratch:
    """Memory that a kernel works in, of so many bytes; zeros before."""

    size: int


Argument = NDArray[Any] | Output | Scratch | int


def call(kernel: str, *arguments: Argument) -> tuple[int, list[NDArray[Any]]]:
    """Run a kernel: what it returns, and its outputs in order.

    Args:
        kernel: the name of the C function.
        arguments: as it takes them. In place of arrays it is given pointers to copies of them, 16 bytes aligned.

    Raises:
        DamageError: it trapped, or returned less than 0: what it read cannot be.
        SeriesError: wasmtime is not installed.
    """
    engine, module = _compiled()
    from wasmtime import Instance, Store, Trap

    store = Store(engine)
    exports = Instance(store, module, []).exports(store)
    memory: Any = exports["memory"]
    heap: Any = exports["__heap_base"]
    at = -(-heap.value(store) // ALIGNMENT) * ALIGNMENT
    passed: list[int] = []
    for argument in arguments:
        if isinstance(argument, int):
            passed.append(argument)
        else:
            passed.append(at)
            at = -(-(at + _n_bytes(argument)) // ALIGNMENT) * ALIGNMENT
    memory.grow(store, max(0, -(-at // PAGE) - memory.size(store)))
    for argument, address in zip(arguments, passed, strict=True):
        if isinstance(argument, np.ndarray):
            _view(memory, store, address, argument.size, argument.dtype)[:] = argument.reshape(-1)
    function: Any = exports[kernel]
    try:
        result = int(function(store, *passed))
    except Trap:
        raise DamageError("its bytes lead nowhere") from None
    if result < 0:
        raise DamageError(DAMAGES[result])
    outputs = []
    for argument, address in zip(arguments, passed, strict=True):
        if isinstance(argument, Output):
            size = result if argument.counted else argument.size
            outputs.append(_view(memory, store, address, size, np.dtype(argument.dtype)).copy())
    return result, outputs


def _n_bytes(argument: NDArray[Any] | Output | Scratch) -> int:
    if isinstance(argument, Output):
        return argument.size * np.dtype(argument.dtype).itemsize
    return argument.nbytes if isinstance(argument, np.ndarray) else argument.size


def _view(memory: Any, store: Any, address: int, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Part of a memory as an array, for as long as the memory does not grow."""
    whole = np.ctypeslib.as_array(memory.data_ptr(store), (memory.data_len(store),))
    return whole[address : address + size * dtype.itemsize].view(dtype)


@cache
def _compiled() -> tuple[Engine, Module]:
    """The module in machine code, once for a process."""
    try:
        from wasmtime import Engine, Module
    except ImportError:
        raise SeriesError(
            "tables are coded by wasmtime, which is not installed: pip install 'vqaudio[tables]'"
        ) from None
    atexit.register(_compiled.cache_clear)  # while the library that frees it is still there
    engine = Engine()
    return engine, Module(engine, resources.files(__package__).joinpath(MODULE).read_bytes())
