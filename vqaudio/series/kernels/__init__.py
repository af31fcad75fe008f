"""Loops over values, compiled: plain C in this folder, built to WebAssembly, run by ``wasmtime``.

``series.wasm`` holds all of the C files; ``recipes/kernels/build.py`` makes it. WebAssembly has one result on every
machine, by its specification, and the worst that damaged bytes can do is to trap. Source: Haas et al., "Bringing the
web up to speed with WebAssembly", 2017.

Threads share no memory, and a call that took much of it gives all back. So what is in use at a time is what one column
of a chunk needs.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vqaudio.container.fields import DamageError
from vqaudio.errors import SeriesError, install

if TYPE_CHECKING:
    from wasmtime import Engine, Module, Store

MODULE = "series.wasm"
PAGE = 1 << 16
"""Bytes that a memory grows by."""
ALIGNMENT = 16
FRESH = 0
"""What each byte of an output is before its kernel writes it: the same at every call. Scratch is the kernels' own."""
MOST_KEPT = 1 << 26
"""Bytes of memory that a thread keeps for its next call."""
DAMAGES = {
    -1: "its bytes hold what no writer writes",
    -2: "its values do not fit 64 bits",
    -3: "it holds a number beyond what its model is shown",
}
"""What kernels say by numbers below 0."""


_threads = threading.local()


@dataclass(frozen=True)
class Output:
    """An array that a kernel fills.

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
    """Memory that a kernel works in, of so many bytes."""

    size: int


Argument = NDArray[Any] | Sequence[NDArray[Any]] | Output | Scratch | float
"""Of several arrays one stands behind the other."""


def call(kernel: str, *arguments: Argument) -> tuple[int, list[NDArray[Any]]]:
    """Run a kernel: what it returns, and its outputs in order.

    Args:
        kernel: the name of the C function.
        arguments: as it takes them. In place of arrays it is given pointers to copies of them, 16 bytes aligned.

    Raises:
        DamageError: it trapped, or returned less than 0: what it read cannot be.
        SeriesError: wasmtime is not installed.
        MemoryError: there is not enough of it.
    """
    instance = getattr(_threads, "instance", None) or Instance()
    _threads.instance = None  # whatever goes wrong, the next call has another
    result, outputs = instance.call(kernel, arguments)
    if instance.size <= MOST_KEPT:
        _threads.instance = instance
    return result, outputs


class Instance:
    """The module with a memory of its own.

    Attributes:
        size: of the memory in bytes.
    """

    def __init__(self) -> None:
        try:
            self._store, exports = _instantiated(*_compiled(reserved=True))
        except MemoryError:
            self._store, exports = _instantiated(*_compiled(reserved=False))
        self._exports: Any = exports
        self._memory: Any = self._exports["memory"]
        self._heap = -(-self._exports["__heap_base"].value(self._store) // ALIGNMENT) * ALIGNMENT
        self.size = int(self._memory.data_len(self._store))

    def call(self, kernel: str, arguments: Sequence[Argument]) -> tuple[int, list[NDArray[Any]]]:
        """See :func:`call`."""
        from wasmtime import Trap, WasmtimeError

        at = self._heap
        passed: list[float] = []
        for argument in arguments:
            if isinstance(argument, int | float):
                passed.append(argument)
            else:
                passed.append(at)
                at = -(-(at + _n_bytes(argument)) // ALIGNMENT) * ALIGNMENT
        if at > self.size:
            try:
                self._memory.grow(self._store, -(-(at - self.size) // PAGE))
            except WasmtimeError:
                raise MemoryError(f"{at} bytes for the kernel {kernel}") from None
            self.size = int(self._memory.data_len(self._store))
        memory = np.ctypeslib.as_array(self._memory.data_ptr(self._store), (self.size,))
        for argument, place in zip(arguments, passed, strict=True):
            address = int(place)
            if isinstance(argument, Output):
                memory[address : address + _n_bytes(argument)] = FRESH
            for array in _arrays(argument):
                memory[address : address + array.nbytes].view(array.dtype)[:] = array.reshape(-1)
                address += array.nbytes
        try:
            result = int(self._exports[kernel](self._store, *passed))
        except Trap:
            raise DamageError("its bytes lead nowhere") from None
        if result < 0:
            raise DamageError(DAMAGES[result])
        outputs = []
        for argument, place in zip(arguments, passed, strict=True):
            if isinstance(argument, Output):
                address = int(place)
                n_bytes = (result if argument.counted else argument.size) * np.dtype(argument.dtype).itemsize
                outputs.append(memory[address : address + n_bytes].view(argument.dtype).copy())
        return result, outputs


def _n_bytes(argument: Argument) -> int:
    if isinstance(argument, Output):
        return argument.size * np.dtype(argument.dtype).itemsize
    return argument.size if isinstance(argument, Scratch) else sum(array.nbytes for array in _arrays(argument))


def _arrays(argument: Argument) -> Sequence[NDArray[Any]]:
    if isinstance(argument, np.ndarray):
        return [argument]
    return [] if isinstance(argument, int | float | Output | Scratch) else argument


@cache
def _compiled(*, reserved: bool) -> tuple[Engine, Module]:
    """The module in machine code, once for a process.

    Args:
        reserved: whether each memory has 4 GB of addresses, beyond which no access can be: kernels are a fifth quicker
            then. Where addresses are scarce (``ulimit -v``), each access is checked.
    """
    try:
        from wasmtime import Config, Engine, Module
    except ImportError:
        raise SeriesError(f"tables are coded by wasmtime, which is not installed: {install('tables')}") from None
    atexit.register(_forget)  # while the library that frees it is still there
    config = Config()
    if not reserved:
        config.memory_reservation = config.memory_guard_size = config.memory_reservation_for_growth = 0
    engine = Engine(config)
    return engine, Module(engine, resources.files(__package__).joinpath(MODULE).read_bytes())


def _instantiated(engine: Engine, module: Module) -> tuple[Store, Any]:
    """A store and what an instance in it exports; MemoryError where addresses are too scarce."""
    from wasmtime import Instance as Instantiated
    from wasmtime import Store, WasmtimeError

    store = Store(engine)
    try:
        return store, Instantiated(store, module, []).exports(store)
    except WasmtimeError as error:
        raise MemoryError(str(error)) from None


def _forget() -> None:
    _threads.instance = None
    _compiled.cache_clear()
